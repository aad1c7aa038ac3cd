//! The server process: from a checked configuration to an orderly shutdown.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use store::Mode;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::{App, Setup};
use crate::clock::Clock;
use crate::config::settings::{Limits, Listen};
use crate::config::{ALSO_READ_MEANING, Configuration, loose_database_files};
use crate::entropy::Source;
use crate::http::accept::{self, Site};
use crate::http::files;
use crate::http::listen::{ListenError, Listener};
use crate::http::tls::{Tls, TlsError};
use crate::http::{Peer, Request, RequestIds, Response};
use crate::observe::admin::Admin;
use crate::plausible::Implausible;
use crate::signals::Signals;
use crate::work::task::Node;
use crate::{address, front, keys, notify, plausible, work};

/// The reason why the server cannot run. The messages are for the operator.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The store cannot be opened.
    #[error("store.url: {0}")]
    Store(#[from] store::OpenError),
    /// The master key or the sealing keys cannot be loaded or created.
    #[error("{0}")]
    Keys(String),
    /// The server cannot listen on the address `listen`.
    #[error("listen: {0}")]
    Listen(ListenError),
    /// The server cannot listen on the address `admin_listen`.
    #[error("admin_listen: {0}")]
    AdminListen(ListenError),
    /// The TLS certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The clock is not plausible.
    #[error(transparent)]
    Clock(#[from] Implausible),
    /// The system refuses to install a signal handler.
    #[error("the system does not tell this process when to end: {0}")]
    Signals(std::io::Error),
    /// A part of the store is damaged, so none of it can be trusted.
    #[error(
        "the database is damaged, and this server has ended: keep the file for whoever may mend it, and restore a backup. \
         No server starts on it while any of it cannot be read"
    )]
    Damaged,
}

/// The addresses on which a started server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// The address for public requests.
    pub public: Listen,
    /// The address for health checks and metrics, if there is one.
    pub admin: Option<Listen>,
}

/// Opens the store of a configuration, and the state that requests share.
///
/// # Errors
/// If the clock is not plausible, or the store or the keys cannot be opened.
pub async fn open(configuration: Configuration) -> Result<Arc<App>, ServeError> {
    let Configuration { mut settings, store_url, master, dialects, policies, .. } = configuration;
    plausible::check_before_making(&Clock::System, &store_url)?;
    let store = store::open(&store_url, Mode::Create).await?;
    // Check the clock before the master key, the lease or anything else is written.
    let greatest_id = store.greatest_id().await.map_err(|fault| ServeError::Keys(fault.to_string()))?;
    plausible::check_start(&Clock::System, greatest_id)?;
    for text in loose_database_files(&store_url) {
        tracing::warn!("store.url: {text}");
    }
    let master = keys::master_key(&master, &*store).await.map_err(ServeError::Keys)?;
    settings.limits.connections_max = files::connections_max(settings.limits.connections_max);
    // This lease tells `grantry db migrate` that a server has worked on the store.
    store.lease(keys::SERVING, 0, 1).await.map_err(|fault| ServeError::Keys(fault.to_string()))?;
    let (clock, entropy) = (Clock::System, Source::System);
    let setup = Setup { store, dialects, policies, master, settings, clock, entropy };
    App::open(setup).await.map_err(|fault| ServeError::Keys(fault.to_string()))
}

/// Serves requests until SIGTERM, SIGINT or SIGQUIT, and then finishes the requests in progress. `ready` is called
/// once, when the server accepts connections.
///
/// # Errors
/// If an address is in use, or the certificate cannot be used.
pub async fn run(app: Arc<App>, mut signals: Signals, ready: impl FnOnce(&Listening)) -> Result<(), ServeError> {
    until(app, signals.told_to_end(), ready).await
}

/// As [`run`], but until `told` completes.
///
/// # Errors
/// Those of [`run`].
pub async fn until(
    app: Arc<App>,
    told: impl Future<Output = ()>,
    ready: impl FnOnce(&Listening),
) -> Result<(), ServeError> {
    let settings = &app.settings;
    let tls = settings.tls.as_ref().map(Tls::open).transpose()?.map(Arc::new);
    let public = Listener::bind(&settings.listen).map_err(ServeError::Listen)?;
    let admin = settings.admin_listen.as_ref().map(Listener::bind).transpose().map_err(ServeError::AdminListen)?;
    let listening = Listening {
        public: public.address().unwrap_or_else(|| settings.listen.clone()),
        admin: admin.as_ref().and_then(Listener::address),
    };
    let (end, ending) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let site = Arc::new(Public(Arc::clone(&app)));
    tasks.spawn(accept::serve(public, tls.clone(), site, ending.clone()));
    if let Some(admin) = admin {
        tasks.spawn(accept::serve(admin, None, Arc::new(Admin::new(Arc::clone(&app))), ending.clone()));
    }
    let node = Arc::new(Node { app: Arc::clone(&app), tls });
    work::start(&mut tasks, &node, &ending);
    name_what_is_in_force(&app);
    tracing::info!(listen = %listening.public, issuer = app.settings.issuer, "ready");
    ready(&listening);
    let mut damage = app.is_damaged.subscribe();
    let is_damaged = tokio::select! {
        () = told => false,
        _ = damage.wait_for(|is_damaged| *is_damaged) => true,
    };
    if is_damaged && let Err(fault) = app.store.distrust().await {
        tracing::error!(cause = %fault, "that the database is damaged could not be noted; the next start will not know");
    }
    notify::tell(notify::State::Ending);
    tracing::info!("ending: no new connections; what is in flight is brought to its end");
    // Sending fails if all tasks, which hold the receivers, have ended.
    let _ = end.send(true);
    while tasks.join_next().await.is_some() {}
    work::finish(&node).await;
    tracing::info!("ended");
    if is_damaged { Err(ServeError::Damaged) } else { Ok(()) }
}

/// Logs every waiver in effect, and every surface that the operator lets read tokens of another.
fn name_what_is_in_force(app: &App) {
    for dialect in app.dialects.iter() {
        for hazard in dialect.waives.iter().filter_map(|waiver| dialect::hazard::hazard(waiver)) {
            tracing::warn!(
                target: "waivers",
                dialect = dialect.name,
                waiver = hazard.name,
                rfc = hazard.rfc,
                meaning = hazard.meaning,
                "a waiver is in force"
            );
        }
        for other in &app.surface(dialect).policy.also_reads {
            tracing::warn!(
                target: "waivers",
                dialect = dialect.name,
                reads = other.dialect,
                meaning = ALSO_READ_MEANING,
                "a surface reads the tokens of another"
            );
        }
    }
}

/// The site on the public address.
struct Public(Arc<App>);

impl Site for Public {
    async fn answer(&self, request: Request) -> Response {
        front::answer(&self.0, &request).await
    }

    fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    fn request_ids(&self) -> &RequestIds {
        &self.0.request_ids
    }

    fn connections_open(&self) -> &AtomicU64 {
        &self.0.metrics.connections_open
    }

    fn client(&self, peer: Peer) -> Option<IpAddr> {
        address::of_connection(peer, &self.0.settings)
    }

    fn refuse_connection(&self, client: IpAddr) {
        if self.0.metrics.connections_refused.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(
                %client,
                "a client address has as many connections as limits.connections_per_address allows, and gets no more; the \
                 metric connections_refused counts on. If this is your reverse proxy, list it in proxy.trusted. This warning \
                 is logged once"
            );
        }
    }
}
