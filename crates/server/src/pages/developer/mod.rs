//! The developer area: a user's own applications and personal tokens. Which page a path leads to, and which act the word of a
//! form stands for.

mod application;
mod delete;
mod new_application;
mod new_token;
mod offer;
mod overview;
mod path;
mod visitor;

use std::sync::Arc;

use ::http::{Method, StatusCode};
use protocol::developer::{Act, Developed, DeveloperCall, Done, Particulars, TokenReference, TokenWish};
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
use crate::answers;
use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::Response;
use crate::render::page::{Row, row};

/// A longer query is not carried around a sign-in, in bytes: it would not fit through proxies.
const QUERY_BYTES_MAX: usize = 5_000;
/// The fields of the forms, which are carried around a sign-in.
const FIELDS: [&str; 10] =
    ["name", "redirect_uris", "homepage", "privacy_policy", "terms", "logo_uri", "kind", "dialect", "scope", "expires"];

/// The pages.
pub(super) const TABLE: &[Row] = &[
    row::<overview::Overview>(include_str!("../../templates/developer.html")),
    row::<new_application::NewApplication>(include_str!("../../templates/developer_new_application.html")),
    row::<application::OwnApplication>(include_str!("../../templates/developer_application.html")),
    row::<delete::Delete>(include_str!("../../templates/developer_delete.html")),
    row::<new_token::NewToken>(include_str!("../../templates/developer_new_token.html")),
];

/// Answers a request for a page of the developer area.
pub(super) async fn answer(app: &App, page: &PageRequest<'_>, path: &DeveloperPath) -> Result<Response, Fault> {
    area::answer(&DeveloperPage { app, page, path }).await
}

/// A request for a page of the developer area.
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
            // Asked about first: see `done`.
            Act::Delete(client_id) if self.page.field("confirm").is_none() => Act::See(client_id),
            act => act,
        };
        self.turn((policy, Some(seal)), act).await
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
        let typed = Typed::of(app, page, &FIELDS, seen.user.key);
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

    /// Sends the browser on, so that loading the page anew does not do it again. A new secret travels along.
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

    /// With the query or what was typed, sealed for the user who typed it.
    async fn way_back(&self) -> String {
        let Self { app, page, path } = self;
        let query = match page.http.uri.query() {
            Some(query) if page.method == Method::GET && query.len() <= QUERY_BYTES_MAX => Some(query.to_owned()),
            // The seal of a form says whose form it is: nobody need be signed in.
            _ => open_seal(app, page).await.ok().and_then(|seal| {
                let typed = Typed::of(app, page, &FIELDS, seal.user).seal(app, seal.user);
                typed.map(|typed| format!("typed={typed}"))
            }),
        };
        let path = path.path();
        let next = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        form_urlencoded::byte_serialize(next.as_bytes()).collect()
    }

    /// The owner of the form signs in again and has what they typed; nobody else is shown it.
    async fn refuse_other(&self, refusal: &Refusal) -> Response {
        let next = self.way_back().await;
        answers::refused_with_way(self.app, self.page, refusal, &format!("/sign-in?next={next}&switch=1"))
    }
}

impl DeveloperPage<'_> {
    /// Asks the judge for an act, by the rules of a surface or of the house.
    async fn turn(&self, (policy, seal): (Option<Arc<Policy>>, Option<FormSeal>), act: Act) -> Verdict<Developed> {
        let Self { app, page, .. } = self;
        let call = DeveloperCall { caller: page.caller.clone(), seal, act };
        app.turn(policy.as_ref().unwrap_or(app.house_policy()), &page.address, call).await
    }
}

/// What a form asks for, and the surface by whose rules it is judged.
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
