//! The consent page, for [`protocol::person::browser::Page::Consent`]: asks the user whether an application may access
//! their account.

use protocol::model::{Client, RefreshMode, User};
use protocol::policy::Policy;
use protocol::redirect::VerifiedRedirect;
use protocol::reserved_names::ReservedNames;
use protocol::scope::Scope;
use protocol::time::UnixTime;
use serde::Serialize;

use crate::app::App;
use crate::fault::Fault;
use crate::render::face::{Application, Logo, Person, web_address};
use crate::render::page::Page;
use crate::render::words::{self, Moment, PEOPLE_MAX};

/// The values for the template of the page.
#[derive(Serialize)]
pub(crate) struct Consent {
    application: Application,
    logo: Option<Logo>,
    /// True for a self-registered application that the operator has not reviewed.
    is_unchecked: bool,
    behind: Behind,
    person: Person,
    scopes: Vec<Sentence>,
    /// True if some scopes are new and others were granted before.
    is_more: bool,
    resources: Vec<String>,
    host: String,
    is_local: bool,
    lasts: String,
    csrf: String,
}

/// A scope that the application will get.
#[derive(Serialize)]
struct Sentence {
    sentence: String,
    is_new: bool,
}

/// Who is behind an application, and how well it is known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Behind {
    /// The person who registered it. Absent for an application of the operator's own.
    owner: Option<String>,
    since: Moment,
    /// When the operator checked it, for an application of somebody's.
    checked: Option<Moment>,
    users: String,
    privacy_policy: Option<String>,
    terms: Option<String>,
}

impl Behind {
    /// Looks up who is behind a client.
    pub(super) async fn find(app: &App, client: &Client) -> Result<Self, Fault> {
        let now = app.clock.now();
        let owner = match client.owner {
            Some(key) => Some(app.store.user(key).await?),
            None => None,
        };
        let connected = app.store.connected(client.key, now, PEOPLE_MAX).await?;
        let reserved = &app.house_policy().reserved_names;
        let page = |url: &Option<String>| url.as_deref().and_then(web_address).map(String::from);
        Ok(Self {
            owner: owner.map(|owner| owner.map_or_else(|| GONE.to_owned(), |owner| owner_name(&owner, reserved))),
            since: Moment::new(client.created_at, now),
            checked: client.checked.as_ref().filter(|_| client.owner.is_some()).map(|own| Moment::new(own.at, now)),
            users: words::people(connected),
            privacy_policy: page(&client.privacy_policy),
            terms: page(&client.terms),
        })
    }

    #[cfg(test)]
    fn nobody() -> Self {
        let since = Moment::new(UnixTime(0), UnixTime(0));
        Self { owner: None, since, checked: None, users: words::people(0), privacy_policy: None, terms: None }
    }
}

/// The owner of an application whose account is deleted.
const GONE: &str = "a person whose account is deleted";

/// How an owner is called: by the name that people chose and by the name that they sign in with. Neither may pass for the
/// provider's or a company's, because people choose them themselves.
fn owner_name(owner: &User, reserved: &ReservedNames) -> String {
    let own = |name: &str| reserved.imitated(name).is_none().then(|| name.to_owned());
    let username = owner.username.as_deref().and_then(own);
    // A name that nobody chose is the address to sign in with, which is not for strangers.
    let is_address = owner.email.as_deref() == Some(owner.name.as_str());
    match (own(&owner.name).filter(|_| !is_address), username) {
        (Some(name), Some(username)) if name != username => format!("{name} ({username})"),
        (Some(name), _) => name,
        (None, Some(username)) => username,
        (None, None) => "a person with an account here".to_owned(),
    }
}

/// The question: the values of [`protocol::person::browser::Page::Consent`].
pub(crate) struct Question<'a> {
    pub(super) client: &'a Client,
    pub(super) user: &'a User,
    pub(super) scope: &'a Scope,
    pub(super) added: &'a Scope,
    pub(super) audience: &'a [String],
    pub(super) redirect: &'a VerifiedRedirect,
}

impl Consent {
    /// The page for a question. `policy` is that of the client's dialect.
    pub(super) fn new(question: &Question<'_>, behind: Behind, policy: &Policy, csrf: String) -> Self {
        let Question { client, user, scope, added, audience, redirect } = question;
        // Badge new scopes only when some scopes were granted before; on a first consent every scope is new.
        let is_more = scope.iter().any(|word| !added.contains(word));
        let sentence = |word: &str| Sentence {
            sentence: words::scope(&policy.scope, word),
            is_new: is_more && added.contains(word),
        };
        Self {
            application: Application::new(client),
            logo: Logo::of(client),
            is_unchecked: client.is_unchecked(),
            behind,
            person: Person::new(user),
            scopes: scope.iter().map(sentence).collect(),
            is_more: is_more && !added.is_empty(),
            resources: audience.iter().map(|resource| resource_name(policy, resource)).collect(),
            host: redirect.host(),
            is_local: is_on_this_device(redirect),
            lasts: lasts(client, policy),
            csrf,
        }
    }
}

/// Returns the name under which people see a resource. This server itself is called by the provider's name.
fn resource_name(policy: &Policy, resource: &str) -> String {
    let named = policy.resource_names.iter().find(|(own, _)| own == resource).map(|(_, name)| name.clone());
    let is_own = resource.trim_end_matches('/') == policy.issuer.trim_end_matches('/');
    named.or_else(|| is_own.then(|| policy.issuer_name.clone())).unwrap_or_else(|| resource.to_owned())
}

/// Returns true if the redirect URI leads to an application on the user's device: a private-use scheme or a loopback
/// address.
fn is_on_this_device(redirect: &VerifiedRedirect) -> bool {
    let text = redirect.as_str();
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    !is_web || ["http://127.0.0.1", "http://[::1]", "http://localhost"].iter().any(|origin| text.starts_with(origin))
}

/// Returns the text about how long the application has access, which OWASP ASVS 5.0 V10.7.2 asks for.
fn lasts(client: &Client, policy: &Policy) -> String {
    let name = &client.name;
    let access_ttl_s = client.access_ttl_s.or(policy.access.ttl_s);
    let refresh_ttl_s = client.refresh_ttl_s.or(policy.refresh.ttl_s);
    let is_refreshed =
        client.refresh != RefreshMode::None && client.grants.contains(&protocol::model::GrantType::RefreshToken);
    match (is_refreshed, access_ttl_s, refresh_ttl_s, policy.refresh_absolute_ttl_s) {
        (false, Some(ttl_s), _, _) => {
            format!("{name} has this access for {}, then it has to come back here.", words::span(ttl_s))
        }
        (true, _, Some(idle_s), Some(end_s)) => format!(
            "{name} keeps this access until it has not used it for {}, and for {} at most.",
            words::span(idle_s),
            words::span(end_s)
        ),
        (true, _, Some(idle_s), None) => {
            format!("{name} keeps this access until it has not used it for {}.", words::span(idle_s))
        }
        (true, _, None, Some(end_s)) => format!("{name} keeps this access for {}.", words::span(end_s)),
        (false, None, _, _) | (true, _, None, None) => format!("{name} keeps this access until you take it back."),
    }
}

impl Page for Consent {
    const FILE: &'static str = "consent.html";

    fn samples() -> Vec<(&'static str, Self)> {
        let now = UnixTime(1_795_600_000);
        let ago = |seconds: i64| Moment::new(UnixTime(now.0 - seconds), now);
        let behind = |owner: Option<&str>, checked: Option<i64>| Behind {
            owner: owner.map(ToOwned::to_owned),
            since: ago(9_000_000),
            checked: checked.filter(|_| owner.is_some()).map(ago),
            users: words::people(1_204),
            privacy_policy: None,
            terms: None,
        };
        let page = |application, scopes: &[(&str, bool)], resources: &[&str], host: &str| Self {
            application,
            logo: None,
            is_unchecked: false,
            behind: behind(None, Some(900_000)),
            person: Person::sample(),
            scopes: scopes
                .iter()
                .map(|(sentence, is_new)| Sentence { sentence: (*sentence).to_owned(), is_new: *is_new })
                .collect(),
            is_more: scopes.iter().any(|(_, is_new)| *is_new),
            resources: resources.iter().map(|resource| (*resource).to_owned()).collect(),
            host: host.to_owned(),
            is_local: host.starts_with("127."),
            lasts: "Importer keeps this access until it has not used it for 30 days, and for 365 days at most."
                .to_owned(),
            csrf: "seal".to_owned(),
        };
        let first = [("See your name", false), ("See your e-mail address", false), ("Read your links", false)];
        let more = [("See your name", false), ("Read your links", false), ("Create and change your links", true)];
        let resources = ["https://api.example/", "https://files.example/v2/"];
        let unchecked = page(Application::sample(), &first, &[], "app.importer.example");
        vec![
            (
                "consent_unchecked",
                Self {
                    is_unchecked: true,
                    logo: Some(Logo::sample()),
                    behind: Behind {
                        since: ago(200),
                        users: words::people(0),
                        privacy_policy: Some("https://importer.example/privacy".to_owned()),
                        terms: Some("https://importer.example/terms".to_owned()),
                        ..behind(Some("Bob Ross (bob)"), None)
                    },
                    ..unchecked
                },
            ),
            (
                "consent_checked",
                Self {
                    behind: behind(Some("Bob Ross (bob)"), Some(900_000)),
                    ..page(Application::terse_sample(), &first, &[], "app.importer.example")
                },
            ),
            ("consent", page(Application::sample(), &first, &[], "app.importer.example")),
            ("consent_more", page(Application::sample(), &more, &resources, "app.importer.example")),
            ("consent_terse", page(Application::terse_sample(), &[], &[], "127.0.0.1:51004")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use protocol::redirect;
    use serde_json::json;

    use super::*;

    fn client(redirect_uri: &str, refresh: &str) -> Client {
        serde_json::from_value(json!({
            "key": 1, "client_id": "importer", "dialect": "standard", "name": "Importer", "kind": "public",
            "auth_methods": ["none"], "grants": ["authorization_code", "refresh_token"], "scope": "", "pkce": "required",
            "refresh": refresh, "redirect_uris": [redirect_uri], "created_at": 0, "version": 1,
        }))
        .unwrap()
    }

    #[test]
    fn resources_are_called_by_their_names_and_this_server_by_the_providers() {
        let mut policy = Policy::standard("https://auth.example");
        policy.resource_names = vec![("https://api.example/v1".to_owned(), "Files".to_owned())];
        let names = ["https://api.example/v1", "https://auth.example/", "https://other.example"];
        let names = names.map(|resource| resource_name(&policy, resource));
        assert_eq!(names, ["Files", "Grantry", "https://other.example"]);
    }

    #[test]
    fn the_lifetime_is_told_as_the_policy_has_it_asvs_10_7_2() {
        let mut policy = Policy::standard("https://auth.example");
        let told = |refresh: &str, policy: &Policy| lasts(&client("https://importer.example/cb", refresh), policy);
        assert_eq!(told("none", &policy), "Importer has this access for 1 hour, then it has to come back here.");
        assert_eq!(
            told("rotate", &policy),
            "Importer keeps this access until it has not used it for 30 days, and for 365 days at most."
        );
        policy.refresh_absolute_ttl_s = None;
        assert_eq!(told("rotate", &policy), "Importer keeps this access until it has not used it for 30 days.");
        policy.access.ttl_s = None;
        assert_eq!(told("none", &policy), "Importer keeps this access until you take it back.");
    }

    #[test]
    fn an_application_on_the_device_is_told_from_one_on_the_web() {
        for (uri, expected) in [
            ("https://importer.example/cb", false),
            ("https://localhost.importer.example/cb", false),
            ("http://127.0.0.1:4000/cb", true),
            ("http://[::1]/cb", true),
            ("com.example.importer:/cb", true),
        ] {
            let to = redirect::verify(&client(uri, "none"), None).unwrap();
            assert_eq!(is_on_this_device(&to), expected, "{uri}");
        }
    }

    #[test]
    fn an_application_that_its_developer_registered_is_told_from_those_of_the_operator() {
        let own = client("https://importer.example/cb", "none");
        let owner = Some(protocol::model::UserKey(7));
        for (owner, is_first_party, expected) in
            [(None, false, false), (owner, false, true), (owner, true, false), (None, true, false)]
        {
            let client = Client { owner, is_first_party, ..own.clone() };
            assert_eq!(page_of(&client, &Scope::default(), &Scope::default()).is_unchecked, expected);
        }
    }

    fn page_of(client: &Client, scope: &Scope, added: &Scope) -> Consent {
        let user: User = serde_json::from_value(json!({
            "key": 1, "sub": "a", "name": "Alice", "created_at": 0, "version": 1,
        }))
        .unwrap();
        let to = redirect::verify(client, None).unwrap();
        let question = Question { client, user: &user, scope, added, audience: &[], redirect: &to };
        Consent::new(&question, Behind::nobody(), &Policy::standard("https://auth.example"), String::new())
    }

    #[test]
    fn an_owner_cannot_pass_for_the_provider_or_a_company_by_a_name_of_their_own() {
        let reserved = ReservedNames::new("Linkhaven", &["Google".to_owned()]);
        let named = |name: &str, username: Option<&str>| {
            let user: User = serde_json::from_value(json!({
                "key": 1, "sub": "a", "name": name, "username": username, "email": "bob@example.com", "created_at": 0,
                "version": 1,
            }))
            .unwrap();
            owner_name(&user, &reserved)
        };
        assert_eq!(named("Bob Ross", Some("bob")), "Bob Ross (bob)");
        assert_eq!(named("bob", Some("bob")), "bob");
        assert_eq!(named("Linkhaven Security", Some("bob")), "bob");
        assert_eq!(named("Bob", Some("g00gle")), "Bob");
        assert_eq!(named("Goog1e", None), "a person with an account here");
        assert_eq!(named("bob@example.com", None), "a person with an account here");
    }

    #[test]
    fn new_scopes_are_marked_only_beside_old_ones() {
        let client = client("https://importer.example/cb", "none");
        let scope = Scope::of(["profile", "links:read"]);
        let marks = |added: &Scope| {
            let page = page_of(&client, &scope, added);
            (page.is_more, page.scopes.iter().map(|scope| scope.is_new).collect::<Vec<_>>())
        };
        assert_eq!(marks(&scope), (false, vec![false, false]));
        assert_eq!(marks(&Scope::of(["links:read"])), (true, vec![false, true]));
        assert_eq!(marks(&Scope::default()), (false, vec![false, false]));
    }
}
