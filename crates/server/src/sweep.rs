//! Work that comes round: rows of no more use are removed in small steps, and keys and certificates that changed are taken
//! over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::time::UnixTime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::app::App;
use crate::http::accept::told;
use crate::http::tls::Tls;
use crate::keys;
use crate::observe::{refusals, sink};

/// Between two looks for rows of no more use.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Rows that are removed in one step: a few milliseconds of the writer's time.
const STEP_ROWS_MAX: usize = 500;
/// Between two steps, so that those who wait for a token come first: at least and at most.
const STEP_PAUSE: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];
/// After so many full steps in a row, a hundred thousand rows, more rows are dying than are removed.
const BEHIND_STEPS: u32 = 200;
/// Between two looks at the ring of sealing keys. A page sealed with a newer key is opened at once all the same.
const KEYS_EVERY: Duration = Duration::from_secs(15);
/// Between two looks at the age of the newest sealing key.
const AGE_EVERY: Duration = Duration::from_secs(60);
/// How long one node is the one that does a work, after each step: a little longer than the time between two steps.
const LEASE_S: u32 = 90;
/// How often nodes share what they counted against rate limits.
const COUNTS_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at the files of the certificate.
const CERT_EVERY: Duration = Duration::from_secs(10);

/// Removes rows of no more use until `ending` says so. Of several nodes one does it; when that one is gone, another one
/// takes over as soon as the lease is out.
pub(crate) async fn sweep(app: Arc<App>, mut ending: watch::Receiver<bool>) {
    while !is_told_within(&mut ending, SWEEP_EVERY).await {
        let mut steps = 0;
        // By a wrong clock everything may seem to be expired.
        while app.check_clock().is_ok() && has_lease(&app, "sweep").await {
            let begun = Instant::now();
            match app.store.sweep(app.clock.now(), STEP_ROWS_MAX).await {
                Ok(0) => break,
                Ok(rows) => app.metrics.swept(rows),
                Err(fault) => {
                    app.note_fault(&fault);
                    tracing::error!(cause = %fault, "rows of no more use could not be removed");
                    break;
                }
            }
            steps += 1;
            if is_told_within(&mut ending, pause(begun.elapsed(), steps)).await {
                return;
            }
        }
    }
}

/// How long to wait after a step that took so long, the `steps`th in a row. What it takes tells how busy the store is: on
/// a quiet one the next step comes soon. As long as nothing is amiss four fifths of the time are left to others; who is
/// behind takes half of it, or else the tables would grow for as long as the rush lasts.
fn pause(took: Duration, steps: u32) -> Duration {
    let [least, most] = STEP_PAUSE;
    let times = if steps > BEHIND_STEPS { 1 } else { 4 };
    took.saturating_mul(times).clamp(least, most)
}

/// Is this the node that does the `work` of which one node is enough?
async fn has_lease(app: &App, work: &str) -> bool {
    app.store.lease(work, app.node, LEASE_S).await.unwrap_or_else(|fault| {
        app.metrics.store_failed();
        tracing::error!(cause = %fault, work, "it is not known which node does this work");
        false
    })
}

/// Lets a new sealing key take over when the newest one is as old as the operator wants. Of several nodes one does it; the
/// others hear of it as of any other change.
pub(crate) async fn rotate_keys(app: Arc<App>, mut ending: watch::Receiver<bool>) {
    loop {
        if app.check_clock().is_ok() && has_lease(&app, "rotate-keys").await {
            let moment = UnixTime(app.clock.now().0.saturating_sub_unsigned(app.settings.keys_rotate_every_s));
            if let Err(error) = keys::rotate_older(&*app.store, moment).await {
                tracing::error!(error, "the sealing keys could not be rotated");
            }
        }
        if is_told_within(&mut ending, AGE_EVERY).await {
            return;
        }
    }
}

/// Tells the store what this node counted against rate limits, and hears what others did.
pub(crate) async fn share_counts(app: Arc<App>, mut ending: watch::Receiver<bool>) {
    while !is_told_within(&mut ending, COUNTS_EVERY).await {
        if app.check_clock().is_err() {
            continue;
        }
        let counted = app.limiter.uncounted();
        if counted.is_empty() {
            continue;
        }
        match app.store.tally(app.clock.now(), &counted).await {
            Ok(None) => {
                app.limiter.be_alone();
                return;
            }
            Ok(Some(known)) => app.limiter.hear(&counted, &known),
            // Each node goes on with what it knows.
            Err(fault) => {
                app.limiter.tell_again(&counted);
                tracing::error!(cause = %fault, "rate limits could not be shared with other nodes");
            }
        }
    }
}

/// Takes over sealing keys that changed in the store: at once where the store tells of it, and else soon.
pub(crate) async fn watch_keys(app: Arc<App>, mut ending: watch::Receiver<bool>) {
    let mut news = app.store.news();
    loop {
        let told_of = async {
            match &mut news {
                Some(news) => news.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = told(&mut ending) => return,
            () = tokio::time::sleep(KEYS_EVERY) => {}
            is_told = told_of => if !is_told { news = None },
        }
        if let Err(fault) = app.reload_keys().await {
            tracing::error!(cause = %fault, "the sealing keys could not be read");
        }
    }
}

/// Logs once a minute how often requests were refused beyond the first of each kind.
pub(crate) async fn tell_refusals(app: Arc<App>, mut ending: watch::Receiver<bool>) {
    while !is_told_within(&mut ending, refusals::EVERY).await {
        app.refusals.tell();
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

/// Whenever the operator sends SIGHUP: reads the certificate and opens the log file again.
pub(crate) async fn heed_hangups(tls: Option<Arc<Tls>>, mut ending: watch::Receiver<bool>) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::error!(%error, "SIGHUP is not heeded");
            return;
        }
    };
    loop {
        tokio::select! {
            () = told(&mut ending) => return,
            received = hangup.recv() => if received.is_none() { return },
        }
        sink::reopen();
        match tls.as_ref().map(|tls| tls.read_again()) {
            None => tracing::info!("SIGHUP: the log file, if there is one, was opened again"),
            Some(Ok(())) => {
                tracing::info!("SIGHUP: the certificate was read again, and the log file, if there is one, opened");
            }
            Some(Err(error)) => {
                tracing::error!(%error, "SIGHUP: the new certificate cannot be used; the one so far stays");
            }
        }
    }
}

/// Waits; true when the server is told to end meanwhile.
pub(crate) async fn is_told_within(ending: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::time::timeout(time, told(ending)).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_leaves_most_of_the_time_to_others_until_it_is_behind() {
        let ms = Duration::from_millis;
        assert_eq!(pause(ms(3), 1), ms(12));
        assert_eq!(pause(ms(3), BEHIND_STEPS + 1), ms(3));
        assert_eq!(pause(Duration::ZERO, 1), ms(2));
        assert_eq!(pause(ms(900), 1), ms(50));
    }
}
