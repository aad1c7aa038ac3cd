//! The developer pages: a user's own applications and personal access tokens. This file knows which page a path leads
//! to, and which action a form requests.

mod application;
mod delete;
mod new_application;
mod new_token;
mod offer;
mod overview;
mod path;
mod setting_form;
mod visitor;

use std::sync::Arc;

use ::http::{Method, StatusCode};
use protocol::carried_form::Use;
use protocol::developer::{Act, Developed, DeveloperCall, Done, Particulars, TokenReference, TokenWish};
use protocol::model::{User, UserKey};
use protocol::person::browser::FormSeal;
use protocol::policy::Policy;
use protocol::refusal::{No, Refusal};
use protocol::show_once::SecretDelivery;

use self::offer::{chosen, lifetime, may_have_tokens, may_register, offered};
pub(super) use self::path::DeveloperPath;
use self::visitor::{CONNECTED_MAX, Visitor};
use super::paths;
use super::signed_in::area::{self, Area, Verdict};
use super::signed_in::carried_form::Typed;
use super::signed_in::form::open_seal;
use super::signed_in::frame::Frame;
use super::signed_in::resume;
use crate::answers;
use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::Response;
use crate::render::page::{Row, row};

/// Maximum length of a query that is kept during a sign-in, in bytes. Proxies would not accept a longer one.
const QUERY_BYTES_MAX: usize = 5_000;
/// The fields of the forms beside the settings of an application. A personal token has the field `name` too.
const FIELDS: [&str; 5] = ["redirect_uri", "kind", "dialect", "scope", "expires"];

/// The table of the developer pages.
pub(super) const TABLE: &[Row] = &[
    row::<overview::Overview>(include_str!("../../templates/developer.html")),
    row::<new_application::NewApplication>(include_str!("../../templates/developer_new_application.html")),
    row::<application::OwnApplication>(include_str!("../../templates/developer_application.html")),
    row::<delete::Delete>(include_str!("../../templates/developer_delete.html")),
    row::<new_token::NewToken>(include_str!("../../templates/developer_new_token.html")),
];

/// Answers a request for a developer page.
pub(super) async fn answer(app: &App, page: &PageRequest<'_>, path: &DeveloperPath) -> Result<Response, Fault> {
    let again = resume::sent_again(app, page).await;
    area::answer(&DeveloperPage { app, page: again.as_ref().unwrap_or(page), path }).await
}

/// A request for a developer page.
struct DeveloperPage<'a> {
    app: &'a App,
    page: &'a PageRequest<'a>,
    path: &'a DeveloperPath,
}

impl Area for DeveloperPage<'_> {
    type Seen = Developed;

    fn request(&self) -> (&App, &PageRequest<'_>) {
        (self.app, self.page)
    }

    async fn look(&self, is_begun: bool) -> Verdict<Developed> {
        self.turn((None, None), self.path.look(is_begun)).await
    }

    async fn act(&self, word: &str, seal: FormSeal) -> Verdict<Developed> {
        let (policy, act) = match wanted(self.app, self.page, self.path, word) {
            Ok(wanted) => wanted,
            Err(no) => return Ok(Err(no.into())),
        };
        let act = match act {
            // Ask for confirmation first: see `done`.
            Act::Delete(client_id) if self.page.field("confirm").is_none() => Act::See(client_id),
            act => act,
        };
        self.turn((policy, Some(seal)), act).await
    }

    fn user<'s>(&self, seen: &'s Developed) -> &'s User {
        &seen.user
    }

    async fn show(&self, status: StatusCode, seen: &Developed, refusal: Option<&Refusal>) -> Result<Response, Fault> {
        let Self { app, page, path } = self;
        let is_asked = page.method == Method::GET && page.query("ask").as_deref() == Some("delete");
        if let (DeveloperPath::Application(_), Done::Application(client, _), true, None) =
            (path, &seen.done, is_asked, refusal)
        {
            let connected = app.store.connected(client.key, app.clock.now(), CONNECTED_MAX).await?;
            let frame = Frame::new(app, page, &seen.user, paths::DEVELOPER, None);
            return Ok(page.html(app, status, app.templates.render(&delete::Delete::new(frame, client, connected))));
        }
        // A HEAD request shows no secret, so it does not use up the cookie.
        let once = page.once.as_deref().filter(|_| page.http.method == Method::GET).and_then(|sealed| {
            let way = SecretDelivery { browser: &page.caller.browser, user: &seen.user, about: path.about()? };
            way.open(sealed, app.clock.now(), &app.keys())
        });
        let typed = typed(app, page, seen.user.key);
        let visitor = Visitor { app, page, user: &seen.user, typed, refusal, once };
        let body = match (path, &seen.done) {
            (DeveloperPath::NewApplication, _) => new_application::show(&visitor),
            (DeveloperPath::NewToken, _) => new_token::show(&visitor),
            (_, Done::Application(client, _)) => application::show(&visitor, client).await?,
            _ => overview::show(&visitor).await?,
        };
        let mut response = page.html(app, status, body);
        if let (DeveloperPath::Application(_), Done::Application(client, _)) = (path, &seen.done) {
            answers::allow_logo(&mut response, client);
        }
        Ok(if visitor.once.is_some() { page.with_once(app, response, None) } else { response })
    }

    /// Redirects the browser, so that reloading the page does not repeat the action. A new secret travels along in a
    /// cookie.
    fn done(&self, word: &str, developed: &Developed) -> Response {
        let Self { app, page, path } = self;
        let (to, word, secret) = match &developed.done {
            Done::Application(..) if word == "delete" => return page.go(app, &format!("{}?ask=delete", path.path())),
            Done::Application(client, secret) => {
                (DeveloperPath::Application(client.client_id.clone()), word, secret.as_ref())
            }
            Done::Token(text) => (DeveloperPath::Overview, "create-token", Some(text)),
            Done::Deleted | Done::Revoked => (DeveloperPath::Overview, word, None),
            Done::Viewed => ((*path).clone(), word, None),
        };
        let response = page.go(app, &format!("{}?done={word}", to.path()));
        let Some((secret, about)) = secret.zip(to.about()) else { return response };
        let way = SecretDelivery { browser: &page.caller.browser, user: &developed.user, about };
        let sealed = way.seal(secret, app.clock.now(), &app.keys(), &mut app.draw());
        page.with_once(app, response, Some(&sealed))
    }

    /// The address contains the query, or the typed values, sealed for the user who typed them.
    async fn way_back(&self) -> String {
        let Self { app, page, path } = self;
        let query = match page.http.uri.query() {
            Some(query) if page.method == Method::GET && query.len() <= QUERY_BYTES_MAX => Some(query.to_owned()),
            // The seal of the form names its user, who need not be signed in.
            _ => open_seal(app, page).await.ok().and_then(|seal| {
                let typed = typed(app, page, seal.user).seal(app, Use::FillIn, seal.user);
                typed.map(|typed| format!("typed={typed}"))
            }),
        };
        let path = path.path();
        let next = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        form_urlencoded::byte_serialize(next.as_bytes()).collect()
    }

    /// The user of the form can sign in again and gets the typed values back. Nobody else can see them.
    async fn refuse_other(&self, refusal: &Refusal) -> Response {
        let next = self.way_back().await;
        answers::refused_with_way(self.app, self.page, refusal, &format!("/sign-in?next={next}&switch=1"))
    }
}

impl DeveloperPage<'_> {
    /// Judges an action by the policy of a surface, or without one by [`App::house_policy`].
    async fn turn(&self, (policy, seal): (Option<Arc<Policy>>, Option<FormSeal>), act: Act) -> Verdict<Developed> {
        let Self { app, page, .. } = self;
        let call = DeveloperCall { caller: page.caller.clone(), seal, act };
        app.turn(policy.as_ref().unwrap_or(app.house_policy()), &page.http.found, &page.address, call).await
    }
}

/// Returns what the user typed into a form. It is kept during a sign-in.
fn typed(app: &App, page: &PageRequest<'_>, user: UserKey) -> Typed {
    let fields: Vec<&str> = setting_form::names().chain(FIELDS).collect();
    Typed::of(app, page, &fields, user)
}

/// Returns the action that a form requests, and the policy of its surface if it is for one.
fn wanted(
    app: &App,
    page: &PageRequest<'_>,
    place: &DeveloperPath,
    word: &str,
) -> Result<(Option<Arc<Policy>>, Act), No> {
    let text = |name: &str| page.field(name).unwrap_or_default();
    let particulars = || Particulars::read(|name| page.field(name));
    Ok(match (place, word) {
        (DeveloperPath::NewApplication, "create") => {
            let policy = chosen(&offered(app, may_register), text("dialect"))?;
            (Some(policy), Act::Create { particulars: particulars(), kind: text("kind").to_owned() })
        }
        (DeveloperPath::NewToken, "create") => {
            let policy = chosen(&offered(app, may_have_tokens), text("dialect"))?;
            let wish = TokenWish {
                name: text("name").to_owned(),
                scope: page.fields("scope").map(ToOwned::to_owned).collect(),
                lifetime: lifetime(text("expires")),
            };
            (Some(policy), Act::CreateToken(wish))
        }
        (DeveloperPath::Overview, "revoke") => {
            (None, Act::RevokeToken(TokenReference::open(text("token"), &app.keys())?))
        }
        (DeveloperPath::Application(client_id), _) => {
            let client_id = client_id.clone();
            let act = match word {
                "save" => Act::Save { client_id, particulars: particulars() },
                "add-redirect-uri" => Act::AddRedirectUri { client_id, uri: text("redirect_uri").to_owned() },
                "delete" => Act::Delete(client_id),
                "add-secret" => Act::AddSecret(client_id),
                "retire-secret" => Act::RetireSecret { client_id, secret: page.field("secret").map(ToOwned::to_owned) },
                _ => return Err(No::PageStale),
            };
            (None, act)
        }
        _ => return Err(No::PageStale),
    })
}
