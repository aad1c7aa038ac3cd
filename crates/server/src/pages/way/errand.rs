//! Opening the pending visit that is sealed into a page.

use protocol::person::browser::Errand;
use protocol::refusal::No;

use crate::app::App;
use crate::browser::PageRequest;

/// Opens a seal. Returns the pending visit, the name of its dialect, and true if the seal is older than the browser's
/// last sign-in. Such a visit starts from the beginning.
pub(super) async fn open(app: &App, page: &PageRequest<'_>, seal: &str) -> Result<(Errand, String, bool), No> {
    match (app.open_errand(seal, &page.caller.browser).await, &page.before) {
        (Ok((errand, dialect)), _) => Ok((errand, dialect, false)),
        (Err(_), Some(before)) => {
            let (errand, dialect) = app.open_errand(seal, before).await?;
            Ok((errand.anew(), dialect, true))
        }
        (Err(no), None) => Err(no),
    }
}
