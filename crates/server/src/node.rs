//! A node is a process that serves an installation. It opens the [`App`] that its requests share.

use std::collections::HashMap;
use std::sync::Arc;

use dialect::{Dialect, Dialects};
use protocol::person::upstream::Issuer;
use protocol::policy::Policy;
use tokio::sync::watch;

use crate::address::Notices;
use crate::app::recall::Recall;
use crate::app::ring::Ring;
use crate::app::signer::Signer;
use crate::app::{App, Setup, Surface};
use crate::config::configuration::otp_digits;
use crate::config::settings::Settings;
use crate::fault::Fault;
use crate::http::RequestIds;
use crate::ids::Ids;
use crate::limits::Limiter;
use crate::observe::audit::Trail;
use crate::observe::metrics::Metrics;
use crate::observe::refusals::Refusals;
use crate::outside::documents::DocumentCache;
use crate::outside::fetch::Fetcher;
use crate::outside::upstream::Upstream;
use crate::pages;
use crate::plausible::Plausible;
use crate::slow::SlowPool;
use crate::work::{self, number};

impl App {
    /// Opens the node. An installation without a sealing key gets its first one.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn open(setup: Setup) -> Result<Arc<Self>, Fault> {
        let Setup { store, dialects, policies, master, settings, clock, entropy } = setup;
        let greatest_id = store.greatest_id().await?;
        let plausible = Plausible::new(&clock, greatest_id);
        plausible.check(&clock)?;
        let ring = Ring::open(&*store, &clock, master).await?;
        let signer = Signer::open(&*store, &ring.keys()).await?;
        store.keep_events(settings.audit_keep_s);
        let (documents, upstream) = outside(&settings)?;
        let trusted = upstream.as_ref().map(|own| Arc::clone(own.issuer()));
        let (surfaces, house) = surfaces(&dialects, policies, &settings, trusted.as_ref());
        let drawn = entropy.draw();
        let node = i64::from_be_bytes(std::array::from_fn(|at| drawn[16 + at]));
        let number = number::claim(&*store, node, u16::from_be_bytes([drawn[0], drawn[1]])).await?;
        let mut templates = pages::templates(&settings.brand, settings.base_path());
        // Copying the shipped templates takes time, so copy them only if the operator replaces some.
        if !settings.brand.templates.is_empty() {
            templates.adopt(settings.brand.templates.clone()).map_err(Fault::Templates)?;
        }
        Ok(Arc::new(Self {
            metrics: Metrics::new(&dialects, work::names()),
            refusals: Refusals::default(),
            trail: Trail::default(),
            forwarding: Notices::default(),
            limiter: Limiter::default(),
            slow: SlowPool::new(settings.slow_workers),
            slow_clients: SlowPool::new(settings.slow_workers / 2),
            recall: Recall::new(entropy.draw()),
            templates,
            ring,
            signer,
            upstream,
            documents,
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

/// Returns the cache of outside documents, and the upstream identity provider if one is configured.
fn outside(settings: &Settings) -> Result<(Arc<DocumentCache>, Option<Upstream>), Fault> {
    let fetcher = Arc::new(Fetcher::new(&settings.fetch).map_err(Fault::Fetch)?);
    let documents = DocumentCache::new(Arc::clone(&fetcher));
    let google = settings.google.clone();
    let upstream = google.map(|google| Upstream::new(google, fetcher, Arc::clone(&documents)));
    Ok((documents, upstream))
}

/// Returns the surface of each dialect, and the policy of pages that belong to no dialect.
fn surfaces(
    dialects: &Dialects,
    policies: Vec<Policy>,
    settings: &Settings,
    upstream: Option<&Arc<Issuer>>,
) -> (HashMap<String, Surface>, Arc<Policy>) {
    let mut policies: HashMap<String, Policy> =
        policies.into_iter().map(|policy| (policy.dialect.clone(), policy)).collect();
    let mut own =
        |dialect: &Dialect| policies.remove(&dialect.name).unwrap_or_else(|| dialect.policy(&settings.issuer));
    let policies: Vec<Policy> = dialects.iter().map(&mut own).collect();
    let is_password_taken = Policy::is_password_taken_by(&policies);
    let surfaces = dialects.iter().zip(policies).map(|(dialect, policy)| {
        let policy = Policy { is_password_taken, upstream: upstream.cloned(), ..policy };
        (dialect.name.clone(), Surface::new(dialect, policy))
    });
    let surfaces: HashMap<String, Surface> = surfaces.collect();
    let house = surfaces.get("standard").map_or_else(
        || {
            let otp_digits = otp_digits(surfaces.values().map(|surface| &*surface.policy));
            let issuer_name = settings.brand.name.clone();
            let upstream = upstream.cloned();
            let reserved_names = Arc::clone(&settings.reserved_names);
            let standard = Policy::standard(&settings.issuer);
            Arc::new(Policy { issuer_name, reserved_names, otp_digits, is_password_taken, upstream, ..standard })
        },
        |surface| Arc::clone(&surface.policy),
    );
    (surfaces, house)
}
