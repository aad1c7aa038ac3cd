//! Opening the sealed errand that a page carries.

use protocol::person::browser::Errand;
use protocol::refusal::No;

use crate::app::App;
use crate::browser::PageRequest;

/// Opens a seal: the errand, its dialect, and whether it is older than the last sign-in of this browser. An old one begins
/// anew, as if the browser had just come with it.
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
