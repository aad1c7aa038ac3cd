//! Opening the pending visit that is sealed into a page.

use protocol::person::browser::PendingVisit;
use protocol::refusal::No;

use crate::app::App;
use crate::browser::PageRequest;

/// Opens a seal. Returns the pending visit, the name of its dialect, and true if the seal is older than the browser's
/// last sign-in. Such a visit starts from the beginning.
pub(super) async fn open(app: &App, page: &PageRequest<'_>, seal: &str) -> Result<(PendingVisit, String, bool), No> {
    match (app.open_pending_visit(seal, &page.caller.browser).await, &page.before) {
        (Ok((pending, dialect)), _) => Ok((pending, dialect, false)),
        (Err(_), Some(before)) => {
            let (pending, dialect) = app.open_pending_visit(seal, before).await?;
            Ok((pending.anew(), dialect, true))
        }
        (Err(no), None) => Err(no),
    }
}
