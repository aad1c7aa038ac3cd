//! The account pages: which page a path leads to, and which forms the pages have.

mod applications;
mod enrol;
mod form;
mod password;
mod profile;
mod recovery_codes;
mod second_factor;
mod sessions;
mod visitor;

use ::http::StatusCode;
use protocol::account::{Account, Act, Done};
use protocol::line::Turn;
use protocol::model::User;
use protocol::person::browser::FormSeal;
use protocol::refusal::{No, Refusal};

use self::form::Forms;
use self::visitor::Visitor;
use super::paths;
use super::signed_in::area::{self, Area, Verdict};
use super::signed_in::form::account_turn;
use super::signed_in::resume;
use crate::answers;
use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::answer::Form;
use crate::http::{Response, answer as http_answer};
use crate::render::page::{Row, row};

/// The table of the account pages.
pub(super) const TABLE: &[Row] = &[
    row::<profile::Profile>(include_str!("../../templates/account_profile.html")),
    row::<password::Password>(include_str!("../../templates/account_password.html")),
    row::<second_factor::SecondFactor>(include_str!("../../templates/account_second_factor.html")),
    row::<enrol::Enrol>(include_str!("../../templates/account_enrol.html")),
    row::<recovery_codes::RecoveryCodes>(include_str!("../../templates/account_recovery_codes.html")),
    row::<sessions::Sessions>(include_str!("../../templates/account_sessions.html")),
    row::<applications::Applications>(include_str!("../../templates/account_applications.html")),
];

/// The forms of the pages.
const FORMS: &Forms = &[profile::FORMS, password::FORMS, second_factor::FORMS, sessions::FORMS, applications::FORMS];

/// Answers a request for a page of the account.
pub(super) async fn answer(app: &App, page: &PageRequest<'_>) -> Result<Response, Fault> {
    // Second factors answer with a page that shows a secret once. Reloading it must not make another, so the user presses
    // a button there.
    let again = match page.path {
        paths::ACCOUNT_SECOND_FACTOR => None,
        _ => resume::sent_again(app, page).await,
    };
    area::answer(&AccountPage { app, page: again.as_ref().unwrap_or(page) }).await
}

/// A request for a page of the account.
struct AccountPage<'a> {
    app: &'a App,
    page: &'a PageRequest<'a>,
}

impl Area for AccountPage<'_> {
    type Seen = Account;

    fn request(&self) -> (&App, &PageRequest<'_>) {
        (self.app, self.page)
    }

    async fn look(&self, _is_begun: bool) -> Verdict<Account> {
        account_turn(self.app, self.page, None, Act::View).await
    }

    async fn act(&self, word: &str, seal: FormSeal) -> Verdict<Account> {
        match form::find(FORMS, word) {
            Some(form) => account_turn(self.app, self.page, Some(seal), (form.act)(self.page)).await,
            None => Ok(Err(No::PageStale.into())),
        }
    }

    fn user<'s>(&self, seen: &'s Account) -> &'s User {
        &seen.user
    }

    async fn show(&self, status: StatusCode, seen: &Account, refusal: Option<&Refusal>) -> Result<Response, Fault> {
        let visitor = self.visitor(seen, refusal);
        let body = match self.page.path {
            paths::ACCOUNT_PASSWORD => password::show(&visitor),
            paths::ACCOUNT_SECOND_FACTOR => enrol_again(&visitor).unwrap_or_else(|| second_factor::show(&visitor)),
            paths::ACCOUNT_SESSIONS => sessions::show(&visitor).await?,
            paths::ACCOUNT_APPLICATIONS => applications::show(&visitor).await?,
            _ => profile::show(&visitor).await?,
        };
        Ok(self.page.html(self.app, status, body))
    }

    /// Secrets that are shown only once are in the response itself. After other actions the browser is redirected to
    /// the page, so that reloading it does not repeat the action.
    fn done(&self, word: &str, account: &Account) -> Response {
        let Self { app, page } = self;
        let visitor = self.visitor(account, None);
        let body = match &account.done {
            Done::Viewed | Done::Changed => {
                let to = page.go(app, &format!("{}?done={word}", page.path));
                return page.dressed(app, to, &account.cookie);
            }
            Done::SignedOut => return page.renewed(app, page.go(app, paths::SIGN_OUT), &account.cookie),
            Done::Enrolling { base32, uri, sealed_seed } => {
                let key = enrol::Key { base32, uri, sealed_seed, digits: app.house_policy().otp_digits };
                app.templates.render(&enrol::Enrol::new(visitor.frame(), &key, None))
            }
            Done::Recovery(codes) => {
                let is_first = word == "confirm-totp";
                app.templates.render(&recovery_codes::RecoveryCodes::new(visitor.frame(), codes, is_first))
            }
        };
        page.dressed(app, http_answer::html(StatusCode::OK, body, Form::Here), &account.cookie)
    }

    async fn way_back(&self) -> String {
        self.page.path.to_owned()
    }

    async fn refuse_other(&self, refusal: &Refusal) -> Response {
        answers::refused(self.app, self.page, None, refusal)
    }
}

impl AccountPage<'_> {
    fn visitor<'v>(&'v self, seen: &'v Account, refusal: Option<&'v Refusal>) -> Visitor<'v> {
        Visitor { app: self.app, page: self.page, user: &seen.user, session: seen.session, forms: FORMS, refusal }
    }
}

/// Renders the page with the same shared secret after a wrong first code, so that users need not scan it twice. `None`
/// for other requests.
fn enrol_again(visitor: &Visitor<'_>) -> Option<String> {
    let Visitor { app, page, user, refusal, .. } = visitor;
    let refusal = refusal.filter(|refusal| refusal.no == No::SecondFactorWrong)?;
    let (keys, policy) = (app.keys(), app.house_policy());
    let mut turn = Turn::new(app.clock.now(), policy, &keys, app.draw(), &page.address);
    match protocol::account::enrolling_again(user, page.field("seed")?, &mut turn)? {
        Done::Enrolling { base32, uri, sealed_seed } => {
            let key = enrol::Key { base32: &base32, uri: &uri, sealed_seed: &sealed_seed, digits: policy.otp_digits };
            Some(app.templates.render(&enrol::Enrol::new(visitor.frame(), &key, Some(refusal))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Brand;

    /// A form whose word is unknown is answered as a page that was open for too long.
    #[test]
    fn every_button_of_an_account_page_has_its_form_and_every_form_its_button() {
        let pages = crate::pages::templates(&Brand::default(), "");
        let samples = TABLE.iter().flat_map(|row| (row.samples)().into_iter().map(|(_, filled)| (row.file, filled)));
        let documents: Vec<String> = samples.map(|(file, filled)| pages.render_filled(file, &filled)).collect();
        let buttons = documents.iter().flat_map(|html| html.split("name=\"action\" value=\"").skip(1));
        let mut words: Vec<&str> = buttons.filter_map(|rest| rest.split('"').next()).collect();
        words.sort_unstable();
        words.dedup();
        let mut known: Vec<&str> = FORMS.iter().copied().flatten().map(|form| form.word).collect();
        known.sort_unstable();
        assert_eq!(words, known);
    }
}
