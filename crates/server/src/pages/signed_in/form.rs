//! The seal of a form for a signed-in user, and the call of the account judge.

use protocol::account::{Account, AccountCall, Act};
use protocol::model::UserKey;
use protocol::person::browser::FormSeal;
use protocol::refusal::{No, Refusal};

use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;

/// Returns the seal of a form that is shown to `user`.
pub(crate) fn seal(app: &App, page: &PageRequest<'_>, user: UserKey) -> String {
    FormSeal::new(user, &page.caller.browser).seal(app.clock.now(), &app.keys(), &mut app.draw())
}

/// Opens the seal of a submitted form. The judge checks that the form was shown to the user who sends it.
pub(crate) async fn open_seal(app: &App, page: &PageRequest<'_>) -> Result<FormSeal, No> {
    app.open_form(page.field("csrf").unwrap_or_default()).await
}

/// Judges an action on the account of the signed-in user.
pub(crate) async fn account_turn(
    app: &App,
    page: &PageRequest<'_>,
    seal: Option<FormSeal>,
    act: Act,
) -> Result<Result<Account, Refusal>, Fault> {
    let call = AccountCall { caller: page.caller.clone(), address: page.address.clone(), seal, act };
    app.turn(app.house_policy(), &page.address, call).await
}
