//! The consent page, for [`protocol::person::browser::Page::Consent`]: asks the user whether an application may access
//! their account.

use protocol::model::{Client, RefreshMode, User};
use protocol::policy::Policy;
use protocol::redirect::VerifiedRedirect;
use protocol::scope::Scope;
use serde::Serialize;

use crate::render::face::{Application, Logo, Person};
use crate::render::page::Page;
use crate::render::words;

/// The values for the template of the page.
#[derive(Serialize)]
pub(crate) struct Consent {
    application: Application,
    logo: Option<Logo>,
    /// True for a self-registered application that the operator has not reviewed.
    is_unchecked: bool,
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
    pub(super) fn new(question: &Question<'_>, policy: &Policy, csrf: String) -> Self {
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
            is_unchecked: client.owner.is_some() && !client.is_first_party,
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
        let page = |application, scopes: &[(&str, bool)], resources: &[&str], host: &str| Self {
            application,
            logo: None,
            is_unchecked: false,
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
            ("consent_unchecked", Self { is_unchecked: true, logo: Some(Logo::sample()), ..unchecked }),
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
        Consent::new(&question, &Policy::standard("https://auth.example"), String::new())
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
