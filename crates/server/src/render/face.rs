//! Applications, logos and users, as pages show them.

use protocol::model::{Client, User};
use serde::Serialize;
use url::Url;

/// An application, as pages show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Application {
    pub(crate) name: String,
    initial: String,
    publisher: Option<String>,
    homepage: Option<String>,
    homepage_host: Option<String>,
}

impl Application {
    /// The application of a client. The homepage is linked only if its address is https.
    pub(crate) fn new(client: &Client) -> Self {
        let homepage = client.homepage.as_deref().and_then(web_address);
        Self {
            name: client.name.clone(),
            initial: initial(&client.name),
            publisher: client.publisher.clone(),
            homepage_host: homepage.as_ref().and_then(|url| url.host_str().map(ToOwned::to_owned)),
            homepage: homepage.map(String::from),
        }
    }

    /// A sample with every value.
    pub(crate) fn sample() -> Self {
        Self {
            name: "Importer".to_owned(),
            initial: "I".to_owned(),
            publisher: Some("Moving Crates Ltd".to_owned()),
            homepage: Some("https://importer.example/".to_owned()),
            homepage_host: Some("importer.example".to_owned()),
        }
    }

    /// A sample without optional values, whose name contains HTML.
    pub(crate) fn terse_sample() -> Self {
        let name = "<b>Bold & \"quoted\"</b>".to_owned();
        Self { initial: initial(&name), name, publisher: None, homepage: None, homepage_host: None }
    }
}

/// The logo of an application. The browser loads it from a server that the application chose, so that server learns of
/// each view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Logo {
    url: String,
    alt: String,
    /// The origin from which the page must be allowed to load images.
    #[serde(skip)]
    pub(crate) origin: String,
}

impl Logo {
    /// The logo of a client, if it has one that can be shown.
    pub(crate) fn of(client: &Client) -> Option<Self> {
        let url = client.logo_uri.as_deref().and_then(web_address)?;
        let host = url.host_str()?;
        // The origin becomes part of the page's `Content-Security-Policy`, where other characters have a meaning.
        let is_plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
        if !is_plain || !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        Some(Self {
            alt: format!("Logo of {}", client.name),
            origin: url.origin().ascii_serialization(),
            url: url.into(),
        })
    }

    pub(crate) fn sample() -> Self {
        let url = "https://importer.example/logo.png".to_owned();
        Self { url, alt: "Logo of Importer".to_owned(), origin: "https://importer.example".to_owned() }
    }
}

/// A user, as pages show them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// The e-mail address or user name, by which users recognise their account.
    login: String,
    initial: String,
}

impl Person {
    /// The page's view of a user.
    pub(crate) fn new(user: &User) -> Self {
        let login = user.email.as_deref().or(user.username.as_deref()).or(user.email_hint.as_deref());
        let login = login.unwrap_or(&user.name);
        Self { name: user.name.clone(), login: login.to_owned(), initial: initial(&user.name) }
    }

    /// A sample.
    pub(crate) fn sample() -> Self {
        Self { name: "Alice Doe".to_owned(), login: "alice@example.com".to_owned(), initial: "A".to_owned() }
    }
}

/// An address that a page may link to: https alone.
pub(crate) fn web_address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| url.scheme() == "https")
}

pub(crate) fn initial(name: &str) -> String {
    let first = name.chars().find(|c| c.is_alphanumeric());
    first.map_or_else(|| "·".to_owned(), |c| c.to_uppercase().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(homepage: &str) -> Client {
        serde_json::from_value(serde_json::json!({
            "key": 1, "client_id": "importer", "dialect": "standard", "name": "Importer", "homepage": homepage,
            "kind": "public", "auth_methods": [], "grants": [], "scope": "", "pkce": "required",
            "refresh": "rotate", "created_at": 0, "version": 1,
        }))
        .unwrap()
    }

    #[test]
    fn a_script_is_no_homepage() {
        assert_eq!(Application::new(&client("javascript:alert(1)")).homepage, None);
        assert_eq!(Application::new(&client("https://importer.example")).homepage_host.unwrap(), "importer.example");
    }

    #[test]
    fn a_logo_is_shown_from_an_https_address_whose_origin_says_nothing_else() {
        let origin = |logo_uri: &str| {
            let client = Client { logo_uri: Some(logo_uri.to_owned()), ..client("https://importer.example") };
            Logo::of(&client).map(|logo| logo.origin)
        };
        assert_eq!(origin("https://cdn.example/a/b.png?c=d#e").unwrap(), "https://cdn.example");
        assert_eq!(origin("https://cdn.example:8443/logo.svg").unwrap(), "https://cdn.example:8443");
        assert_eq!(origin("https://b\u{fc}cher.example/l.png").unwrap(), "https://xn--bcher-kva.example");
        for bad in [
            "http://cdn.example/logo.png",
            "data:image/png;base64,AAAA",
            "https://*.example/logo.png",
            "https://a;script-src/logo.png",
            "https://a,b/logo.png",
            "https://'self'/logo.png",
            "https://user:word@cdn.example/logo.png",
            "//cdn.example/logo.png",
            "logo.png",
            "",
        ] {
            assert_eq!(origin(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_initial_is_the_first_letter_or_digit() {
        assert_eq!([initial("…importer"), initial("éclair"), initial("!?")], ["I", "É", "·"]);
    }
}
