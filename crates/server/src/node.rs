//! A node is a process that serves an installation. It opens the [`App`] that its requests share.

use std::collections::HashMap;
use std::sync::Arc;

use dialect::{Dialect, Dialects};
use protocol::policy::Policy;
use tokio::sync::watch;

use crate::address::Notices;
use crate::app::recall::Recall;
use crate::app::ring::Ring;
use crate::app::{App, Setup, Surface};
use crate::config::configuration::otp_digits;
use crate::config::settings::Settings;
use crate::fault::Fault;
use crate::http::RequestIds;
use crate::ids::Ids;
use crate::limits::Limiter;
use crate::observe::metrics::Metrics;
use crate::observe::refusals::Refusals;
use crate::pages;
use crate::plausible::Plausible;
use crate::slow::SlowPool;
use crate::upstream::Upstream;
use crate::work::{self, number};

impl App {
    /// Opens the node. An installation without a sealing key gets its first one.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn open(setup: Setup) -> Result<Arc<Self>, Fault> {
        let Setup { store, dialects, policies, master, settings, clock, entropy } = setup;
        let greatest_id = store.greatest_id().await?;
        let plausible = Plausible::new(&clock, greatest_id);
        plausible.check(&clock)?;
        let ring = Ring::open(&*store, &clock, master).await?;
        store.keep_events(settings.audit_keep_s);
        let (surfaces, house) = surfaces(&dialects, policies, &settings);
        let drawn = entropy.draw();
        let node = i64::from_be_bytes(std::array::from_fn(|at| drawn[16 + at]));
        let number = number::claim(&*store, node, u16::from_be_bytes([drawn[0], drawn[1]])).await?;
        let mut templates = pages::templates(&settings.brand, settings.base_path());
        // Copying the shipped templates takes time, so it is done only if there are others.
        if !settings.brand.templates.is_empty() {
            templates.adopt(settings.brand.templates.clone()).map_err(Fault::Templates)?;
        }
        let upstream = Upstream::new(&settings).map_err(Fault::Fetch)?;
        Ok(Arc::new(Self {
            metrics: Metrics::new(&dialects, work::names()),
            refusals: Refusals::default(),
            forwarding: Notices::default(),
            limiter: Limiter::default(),
            slow: SlowPool::new(settings.slow_workers),
            slow_clients: SlowPool::new(settings.slow_workers / 2),
            recall: Recall::new(entropy.draw()),
            templates,
            ring,
            upstream,
            ids: Ids::new(number, greatest_id),
            plausible,
            node,
            is_damaged: watch::Sender::new(false),
            request_ids: RequestIds::new(u64::from_be_bytes(std::array::from_fn(|at| drawn[8 + at]))),
            reloaded_at: tokio::sync::Mutex::default(),
            store,
            dialects,
            settings,
            clock,
            surfaces,
            house,
            entropy,
        }))
    }
}

/// The surface of each dialect, and the policy of the pages that belong to none.
fn surfaces(
    dialects: &Dialects,
    policies: Vec<Policy>,
    settings: &Settings,
) -> (HashMap<String, Surface>, Arc<Policy>) {
    let mut policies: HashMap<String, Policy> =
        policies.into_iter().map(|policy| (policy.dialect.clone(), policy)).collect();
    let mut own =
        |dialect: &Dialect| policies.remove(&dialect.name).unwrap_or_else(|| dialect.policy(&settings.issuer));
    let policies: Vec<Policy> = dialects.iter().map(&mut own).collect();
    let is_password_taken = Policy::is_password_taken_by(&policies);
    let surfaces = dialects
        .iter()
        .zip(policies)
        .map(|(dialect, policy)| (dialect.name.clone(), Surface::new(dialect, Policy { is_password_taken, ..policy })));
    let surfaces: HashMap<String, Surface> = surfaces.collect();
    let house = surfaces.get("standard").map_or_else(
        || {
            let otp_digits = otp_digits(surfaces.values().map(|surface| &*surface.policy));
            let issuer_name = settings.brand.name.clone();
            let reserved_names = Arc::clone(&settings.reserved_names);
            let standard = Policy::standard(&settings.issuer);
            Arc::new(Policy { issuer_name, reserved_names, otp_digits, is_password_taken, ..standard })
        },
        |surface| Arc::clone(&surface.policy),
    );
    (surfaces, house)
}
