//! The pages of developers: applications and personal tokens of one's own. What they have in common, and how an act
//! becomes a page.

pub(super) mod application;
mod carried_form;
pub(super) mod delete;
pub(super) mod new_application;
pub(super) mod new_token;
pub(super) mod overview;

use std::sync::Arc;

use ::http::{Method, StatusCode};
use dialect::Dialect;
use protocol::developer::{Act, Developed, DeveloperCall, Done, Lifetime, Particulars, TokenReference, TokenWish};
use protocol::model::User;
use protocol::person::browser::FormSeal;
use protocol::policy::Policy;
use protocol::refusal::{No, Refusal};
use protocol::secret::Secret;
use protocol::show_once::Way;

use self::carried_form::Typed;
use super::account::{self, Frame};
use super::words;
use crate::app::App;
use crate::browser::PageRequest;
use crate::config;
use crate::fault::Fault;
use crate::http::Response;
use crate::surface;

/// The first page.
pub(super) const PATH: &str = "/developer";
const NEW_APPLICATION: &str = "/developer/applications/new";
const NEW_TOKEN: &str = "/developer/tokens/new";
/// What the page of an application has before its client_id.
const APPLICATIONS: &str = "/developer/applications/";
/// What a new personal token is bound to on its way to the page that shows it.
const ABOUT_TOKEN: &str = "personal token";
/// A longer query is not carried around a sign-in, in bytes: it would not fit through proxies.
const QUERY_BYTES_MAX: usize = 5_000;
/// Connected people are counted up to here: more is a number that says no more.
const CONNECTED_MAX: u32 = 10_000;

/// What can have been done just before: the word in the address, and the sentence on the page.
const NOTICES: [(&str, &str); 7] = [
    ("create", "The application is registered."),
    ("save", "Your changes were saved."),
    ("delete", "The application was deleted."),
    ("add-secret", "The application has a second secret. Both work until you retire one of them."),
    ("retire-secret", "The secret was retired. It no longer works."),
    ("create-token", "The token was made."),
    ("revoke", "The token was revoked. It no longer works."),
];

/// A page of developers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// What one has.
    Overview,
    /// The form of a new application.
    NewApplication,
    /// The form of a new personal token.
    NewToken,
    /// An application, by its client_id.
    Application(String),
}

impl Place {
    /// The page at this path, where the operator lets people do such things.
    pub(super) fn find(app: &App, path: &str) -> Option<Self> {
        let found = Self::read(path).filter(|_| app.settings.has_developer_pages)?;
        let is_of_use = match found {
            Self::NewApplication => !offered(app, may_register).is_empty(),
            Self::NewToken => !offered(app, may_have_tokens).is_empty(),
            Self::Overview | Self::Application(_) => true,
        };
        is_of_use.then_some(found)
    }

    fn read(path: &str) -> Option<Self> {
        match path {
            PATH => Some(Self::Overview),
            NEW_APPLICATION => Some(Self::NewApplication),
            NEW_TOKEN => Some(Self::NewToken),
            _ => {
                let name = path.strip_prefix(APPLICATIONS)?;
                let is_one = !name.is_empty() && !name.contains(['/', '&', '=']);
                let (name, _) = form_urlencoded::parse(name.as_bytes()).next().filter(|_| is_one)?;
                Some(Self::Application(name.into_owned()))
            }
        }
    }

    fn path(&self) -> String {
        match self {
            Self::Overview => PATH.to_owned(),
            Self::NewApplication => NEW_APPLICATION.to_owned(),
            Self::NewToken => NEW_TOKEN.to_owned(),
            Self::Application(client_id) => application_path(client_id),
        }
    }

    /// What a secret that is to be shown here is bound to on its way.
    fn about(&self) -> Option<&str> {
        match self {
            Self::Overview => Some(ABOUT_TOKEN),
            Self::Application(client_id) => Some(client_id),
            Self::NewApplication | Self::NewToken => None,
        }
    }

    /// What is asked before the page is shown.
    fn look(&self, is_begun: bool) -> Act {
        match self {
            Self::Application(client_id) => Act::See(client_id.clone()),
            Self::NewApplication | Self::NewToken if !is_begun => Act::Begin,
            _ => Act::View,
        }
    }
}

/// The path of an application's page. A client_id may hold anything that ASCII can print.
fn application_path(client_id: &str) -> String {
    let name: String = form_urlencoded::byte_serialize(client_id.as_bytes()).collect();
    format!("{APPLICATIONS}{name}")
}

/// Somebody who is signed in, at a page of developers.
struct Visitor<'a> {
    app: &'a App,
    page: &'a PageRequest<'a>,
    user: &'a User,
    /// What they typed.
    typed: Typed,
    /// What was wrong with what they just did.
    refusal: Option<&'a Refusal>,
    /// A secret that is shown this once.
    once: Option<Secret>,
}

impl Visitor<'_> {
    fn frame(&self) -> Frame {
        let done = self.refusal.is_none().then(|| self.page.query("done")).flatten();
        Frame::new(self.app, self.page, self.user, PATH, account::notice(&NOTICES, done.as_deref()))
    }
}

/// Answers a request for a page of developers.
pub(super) async fn answer(app: &App, page: &PageRequest<'_>, place: &Place) -> Result<Response, Fault> {
    if page.method == Method::GET {
        if let (Place::Application(client_id), Some("delete")) = (place, page.query("ask").as_deref()) {
            return ask_before_deletion(app, page, place, client_id.clone()).await;
        }
        return match turn(app, page, (None, None), place.look(false)).await? {
            Ok(seen) => show(app, page, place, &seen, None).await,
            Err(refusal) => turn_away(app, page, place, &refusal).await,
        };
    }
    let word = page.field("action").unwrap_or_default();
    let opened = account::open_seal(app, page).await;
    let seal = opened.as_ref().ok().copied();
    let wanted = match opened {
        Ok(_) => wanted(app, page, place, word),
        Err(no) => Err(no),
    };
    let is_confirmed = page.field("confirm").is_some();
    let verdict = match wanted {
        Err(no) => Err(no.into()),
        Ok((_, Act::Delete(client_id))) if !is_confirmed => {
            return match turn(app, page, (None, seal), Act::See(client_id)).await? {
                Ok(_) => Ok(page.go(app, &format!("{}?ask=delete", place.path()))),
                Err(refusal) => turn_away(app, page, place, &refusal).await,
            };
        }
        Ok((policy, act)) => turn(app, page, (policy, seal), act).await?,
    };
    match verdict {
        Ok(developed) => Ok(go_on(app, page, place, word, &developed)),
        Err(refusal) => turn_away(app, page, place, &refusal).await,
    }
}

/// What a form asks for, and the surface by whose rules it is judged.
fn wanted(app: &App, page: &PageRequest<'_>, place: &Place, word: &str) -> Result<(Option<Arc<Policy>>, Act), No> {
    let text = |name: &str| page.field(name).unwrap_or_default();
    let particulars = || Particulars::read(text);
    Ok(match (place, word) {
        (Place::NewApplication, "create") => {
            let policy = chosen(&offered(app, may_register), text("dialect"))?;
            (Some(policy), Act::Create { particulars: particulars(), kind: text("kind").to_owned() })
        }
        (Place::NewToken, "create") => {
            let policy = chosen(&offered(app, may_have_tokens), text("dialect"))?;
            let wish = TokenWish {
                name: text("name").to_owned(),
                scope: page.fields("scope").map(ToOwned::to_owned).collect(),
                lifetime: lifetime(text("expires")),
            };
            (Some(policy), Act::CreateToken(wish))
        }
        (Place::Overview, "revoke") => (None, Act::RevokeToken(TokenReference::open(text("token"), &app.keys())?)),
        (Place::Application(client_id), _) => {
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

fn may_register(policy: &Policy) -> bool {
    policy.client.is_self_service
}

fn may_have_tokens(policy: &Policy) -> bool {
    policy.is_personal_offered
}

/// The surfaces on which people may do this by themselves.
fn offered(app: &App, may: fn(&Policy) -> bool) -> Vec<(&Dialect, &Arc<Policy>)> {
    let all = app.dialects.iter().map(|dialect| (dialect, &app.surface(dialect).policy));
    all.filter(|(_, policy)| may(policy)).collect()
}

/// The rules of the surface that was chosen: the first one when nothing was.
fn chosen(offered: &[(&Dialect, &Arc<Policy>)], name: &str) -> Result<Arc<Policy>, No> {
    let found = offered.iter().find(|(dialect, _)| name.is_empty() || dialect.name == name);
    found.map(|(_, policy)| Arc::clone(policy)).ok_or(No::DialectNotOffered)
}

/// How people know a surface: its name, and where it is.
fn api_name(dialect: &Dialect) -> String {
    let place = dialect.base_url.split_once("://").map_or(dialect.base_url.as_str(), |(_, place)| place);
    format!("{} ({place})", dialect.name)
}

fn lifetime(text: &str) -> Option<Lifetime> {
    match text {
        "" => Some(Lifetime::Usual),
        "never" => Some(Lifetime::Never),
        _ => config::duration(text).map(Lifetime::Seconds),
    }
}

/// Sends the browser on after an act, so that loading the page anew does not do it again. A new secret travels along.
fn go_on(app: &App, page: &PageRequest<'_>, place: &Place, word: &str, developed: &Developed) -> Response {
    let (to, word, secret) = match &developed.done {
        Done::Application(client, secret) => (Place::Application(client.client_id.clone()), word, secret.as_ref()),
        Done::Token(text) => (Place::Overview, "create-token", Some(text)),
        Done::Deleted | Done::Revoked => (Place::Overview, word, None),
        Done::Viewed => (place.clone(), word, None),
    };
    let response = page.go(app, &format!("{}?done={word}", to.path()));
    let Some((secret, about)) = secret.zip(to.about()) else { return response };
    let way = Way { browser: &page.caller.browser, user: &developed.user, about };
    let sealed = way.seal(secret, app.clock.now(), &app.keys(), &mut app.draw());
    page.with_once(app, response, Some(&sealed))
}

/// The answer to an act that was refused: the way to sign in, or the page again with what was wrong.
async fn turn_away(app: &App, page: &PageRequest<'_>, place: &Place, refusal: &Refusal) -> Result<Response, Fault> {
    if matches!(refusal.no, No::SignInNeeded | No::SignInAgain | No::PasswordNeeded) {
        return Ok(sign_in_first(app, page, place, refusal.no).await);
    }
    if refusal.no == No::PageOfOther {
        // Its owner signs in again and has what they typed; nobody else is shown it.
        let next = way_back(app, page, place).await;
        return Ok(surface::refused_with_way(app, page, refusal, &format!("/sign-in?next={next}&switch=1")));
    }
    match turn(app, page, (None, None), place.look(true)).await? {
        Ok(seen) => show(app, page, place, &seen, Some(refusal)).await,
        Err(no) if no.no == No::SignInNeeded => Ok(sign_in_first(app, page, place, no.no).await),
        Err(refusal) => Ok(surface::refused(app, page, None, &refusal)),
    }
}

/// The page with what was typed or asked, as the value of a parameter of another address.
async fn way_back(app: &App, page: &PageRequest<'_>, place: &Place) -> String {
    let query = match page.http.uri.query() {
        Some(query) if page.method == Method::GET && query.len() <= QUERY_BYTES_MAX => Some(query.to_owned()),
        // Whose form it is, its seal says: nobody need be signed in.
        _ => account::open_seal(app, page).await.ok().and_then(|seal| {
            let typed = Typed::of(app, page, seal.user).seal(app, seal.user);
            typed.map(|typed| format!("typed={typed}"))
        }),
    };
    let path = place.path();
    let next = query.map_or(path.clone(), |query| format!("{path}?{query}"));
    form_urlencoded::byte_serialize(next.as_bytes()).collect()
}

/// The way over the sign-in page and back, with what was typed or asked.
async fn sign_in_first(app: &App, page: &PageRequest<'_>, place: &Place, no: No) -> Response {
    let next = way_back(app, page, place).await;
    let again = if no == No::SignInNeeded { "" } else { "&again=1" };
    page.go(app, &format!("/sign-in?next={next}{again}"))
}

/// The page that was asked for, or from which something was done in vain.
async fn show(
    app: &App,
    page: &PageRequest<'_>,
    place: &Place,
    seen: &Developed,
    refusal: Option<&Refusal>,
) -> Result<Response, Fault> {
    // Whoever asks for the header alone sees no secret, and does not use it up.
    let once = page.once.as_deref().filter(|_| page.http.method == Method::GET).and_then(|sealed| {
        let way = Way { browser: &page.caller.browser, user: &seen.user, about: place.about()? };
        way.open(sealed, app.clock.now(), &app.keys())
    });
    let visitor = Visitor { app, page, user: &seen.user, typed: Typed::of(app, page, seen.user.key), refusal, once };
    let body = match (place, &seen.done) {
        (Place::NewApplication, _) => new_application::show(&visitor),
        (Place::NewToken, _) => new_token::show(&visitor),
        (_, Done::Application(client, _)) => application::show(&visitor, client).await?,
        _ => overview::show(&visitor).await?,
    };
    let mut response = page.html(app, account::status(refusal), body);
    if let Some(refusal) = refusal {
        response = crate::surface::marked(response, *refusal);
    }
    if let (Place::Application(_), Done::Application(client, _)) = (place, &seen.done) {
        super::allow_logo(&mut response, client);
    }
    Ok(if visitor.once.is_some() { page.with_once(app, response, None) } else { response })
}

async fn ask_before_deletion(
    app: &App,
    page: &PageRequest<'_>,
    place: &Place,
    client_id: String,
) -> Result<Response, Fault> {
    match turn(app, page, (None, None), Act::See(client_id)).await? {
        Ok(Developed { user, done: Done::Application(client, _), .. }) => {
            let connected = app.store.connected(client.key, app.clock.now(), CONNECTED_MAX).await?;
            let frame = Frame::new(app, page, &user, PATH, None);
            Ok(page.html(app, StatusCode::OK, app.pages.render(&delete::Delete::new(frame, &client, connected))))
        }
        Ok(_) => Ok(page.go(app, PATH)),
        Err(refusal) => turn_away(app, page, place, &refusal).await,
    }
}

/// Takes an act down the line, by the rules of a surface or of the house.
async fn turn(
    app: &App,
    page: &PageRequest<'_>,
    (policy, seal): (Option<Arc<Policy>>, Option<FormSeal>),
    act: Act,
) -> Result<Result<Developed, Refusal>, Fault> {
    let call = DeveloperCall { caller: page.caller.clone(), seal, act };
    app.turn(policy.as_ref().unwrap_or(app.house_policy()), &page.address, call).await
}

/// So many people, in words.
fn people(count: u32) -> String {
    match count {
        0 => "Nobody".to_owned(),
        1 => "1 person".to_owned(),
        CONNECTED_MAX.. => format!("{} people or more", words::count(count)),
        _ => format!("{} people", words::count(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_application_that_it_was_made_for() {
        for client_id in ["web", "4711", "a/b?c#d%2e&e=f+g", "../account", "new\u{e9}"] {
            let place = Place::Application(client_id.to_owned());
            assert_eq!(Place::read(&place.path()), Some(place), "{client_id}");
        }
        for path in [
            "/developer/",
            "/developer/applications/",
            "/developer/applications/a/b",
            "/developer/applications/a=b",
            "/developer/x",
        ] {
            assert_eq!(Place::read(path), None, "{path}");
        }
    }

    #[test]
    fn a_lifetime_is_a_duration_or_never() {
        assert_eq!(lifetime(""), Some(Lifetime::Usual));
        assert_eq!(lifetime("never"), Some(Lifetime::Never));
        assert_eq!(lifetime("30d"), Some(Lifetime::Seconds(30 * 86_400)));
        assert_eq!([lifetime("tomorrow"), lifetime("-1d"), lifetime("30")], [None; 3]);
    }

    #[test]
    fn people_are_counted_in_words() {
        assert_eq!([people(0), people(1), people(2)], ["Nobody", "1 person", "2 people"]);
        assert_eq!(people(CONNECTED_MAX), "10,000 people or more");
    }
}
