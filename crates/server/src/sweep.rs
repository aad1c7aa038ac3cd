//! Work that comes round: rows of no more use are removed in small steps, and keys and certificates that changed are taken
//! over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::http::accept::told;
use crate::http::tls::Tls;

/// Between two looks for rows of no more use.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Rows that are removed in one step: a few milliseconds of the writer's time.
const STEP_ROWS_MAX: usize = 500;
/// Between two steps, so that those who wait for a token come first.
const STEP_PAUSE: Duration = Duration::from_millis(50);
/// Between two looks at the ring of sealing keys. A page sealed with a newer key is opened at once all the same.
const KEYS_EVERY: Duration = Duration::from_secs(15);
/// Between two looks at the files of the certificate.
const CERT_EVERY: Duration = Duration::from_secs(10);

/// Removes rows of no more use until `ending` says so.
pub(crate) async fn sweep(app: Arc<App>, mut ending: watch::Receiver<bool>) {
    while !is_told_within(&mut ending, SWEEP_EVERY).await {
        loop {
            match app.store.sweep(app.clock.now(), STEP_ROWS_MAX).await {
                Ok(0) => break,
                Ok(rows) => app.metrics.swept(rows),
                Err(fault) => {
                    app.metrics.store_failed();
                    tracing::error!(cause = %fault, "rows of no more use could not be removed");
                    break;
                }
            }
            if is_told_within(&mut ending, STEP_PAUSE).await {
                return;
            }
        }
    }
}

/// Takes over sealing keys that changed in the store.
pub(crate) async fn watch_keys(app: Arc<App>, mut ending: watch::Receiver<bool>) {
    while !is_told_within(&mut ending, KEYS_EVERY).await {
        if let Err(fault) = app.reload_keys().await {
            tracing::error!(cause = %fault, "the sealing keys could not be read");
        }
    }
}

/// Takes over a certificate whose file changed.
pub(crate) async fn watch_cert(tls: Arc<Tls>, mut ending: watch::Receiver<bool>) {
    while !is_told_within(&mut ending, CERT_EVERY).await {
        match tls.reload() {
            Ok(false) => {}
            Ok(true) => tracing::info!("took over the new certificate"),
            Err(error) => tracing::error!(%error, "the new certificate cannot be used; the one so far stays"),
        }
    }
}

/// Waits; true when the server is told to end meanwhile.
async fn is_told_within(ending: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::time::timeout(time, told(ending)).await.is_ok()
}
