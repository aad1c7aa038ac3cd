//! What one surface does otherwise than the RFCs is tried at every address of all surfaces.

use dialect::At;
use protocol::endpoint::Endpoint;
use protocol::line::{Key, Wants};
use protocol::model::AccessId;
use serde_json::{Map, Value};

use super::all::*;

/// Something that a surface may do otherwise than the RFCs.
#[derive(Clone, Copy, Debug)]
enum Deviation {
    /// Nothing: what every address with the role does.
    None,
    /// The client's secret stands in the query.
    SecretInQuery,
    /// The body is JSON.
    JsonBody,
    /// The code is redeemed by GET.
    TokenByGet,
    /// No `grant_type`.
    GrantTypeMissing,
    /// No `redirect_uri`, though the authorization request named one.
    RedirectUriMissing,
    /// No client says who it is.
    Anybody,
    /// The access token stands in the query.
    BearerInQuery,
    /// The access token stands in the form.
    BearerInForm,
    /// The access token comes without its scheme.
    BareToken,
    /// The access token comes with another scheme.
    OtherScheme,
    /// The token itself comes back from the authorization endpoint.
    Implicit,
}

use Deviation as D;

/// Who may do what, and nobody else. Each is tried at all addresses of the role.
const DEVIATIONS: &[(Endpoint, Deviation, &[&str])] = &[
    (
        Endpoint::Token,
        D::None,
        &["paced/token", "php-endpoints/token", "standard/token", "tinyemail/token", "tinyrebrand/token"],
    ),
    (Endpoint::Token, D::SecretInQuery, &["tinyemail/token"]),
    (Endpoint::Token, D::JsonBody, &["tinyrebrand/token"]),
    (Endpoint::Token, D::TokenByGet, &[]),
    (Endpoint::Token, D::GrantTypeMissing, &["php-endpoints/token"]),
    (Endpoint::Token, D::RedirectUriMissing, &["php-endpoints/token"]),
    (Endpoint::Token, D::Anybody, &[]),
    (Endpoint::Introspect, D::None, EVERY_INTROSPECT),
    (Endpoint::Introspect, D::Anybody, &["tinyrebrand/introspect"]),
    (Endpoint::Introspect, D::SecretInQuery, &[]),
    (Endpoint::Introspect, D::JsonBody, &["tinyrebrand/introspect"]),
    (Endpoint::Revoke, D::None, EVERY_REVOKE),
    (Endpoint::Revoke, D::Anybody, &["tinyrebrand/revoke"]),
    (Endpoint::Revoke, D::SecretInQuery, &[]),
    (Endpoint::Revoke, D::JsonBody, &["tinyrebrand/revoke"]),
    (Endpoint::Userinfo, D::None, EVERY_USERINFO),
    (Endpoint::Userinfo, D::BearerInQuery, &[]),
    (Endpoint::Userinfo, D::BearerInForm, &["standard/userinfo"]),
    (Endpoint::Userinfo, D::BareToken, &["tinyplus/userinfo"]),
    (Endpoint::Userinfo, D::OtherScheme, &[]),
    (Endpoint::Authorize, D::Implicit, &["tinyplus/authorize"]),
];
const EVERY_INTROSPECT: &[&str] = &[
    "paced/introspect",
    "php-endpoints/introspect",
    "standard/introspect",
    "tinyemail/introspect",
    "tinyplus/introspect",
    "tinyrebrand/introspect",
];
const EVERY_REVOKE: &[&str] = &[
    "paced/revoke",
    "php-endpoints/revoke",
    "standard/revoke",
    "tinyemail/revoke",
    "tinyplus/revoke",
    "tinyrebrand/revoke",
];
const EVERY_USERINFO: &[&str] = &[
    "paced/userinfo",
    "php-endpoints/userinfo",
    "standard/userinfo",
    "tinyemail/userinfo",
    "tinyplus/userinfo",
    "tinyrebrand/userinfo",
];

impl All {
    /// Does an address do this?
    async fn does(&self, name: &str, at: At, deviation: Deviation) -> bool {
        match at.endpoint {
            Endpoint::Token => self.redeems(name, at, deviation).await,
            Endpoint::Introspect | Endpoint::Revoke => self.serves(name, at, deviation).await,
            Endpoint::Userinfo => self.opens(name, at, deviation).await,
            Endpoint::Authorize => self.gives_token(name, at).await,
            Endpoint::Par | Endpoint::Metadata | Endpoint::Discovery | Endpoint::Jwks => false,
        }
    }

    /// Does it give a token for a code?
    async fn redeems(&self, name: &str, at: At, deviation: Deviation) -> bool {
        let client = &self.own(name).confidential;
        let code = self.code(name, client).await;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.text.reveal()),
            ("redirect_uri", CALLBACK),
            ("client_id", client.client_id.as_str()),
            ("client_secret", SECRET),
        ];
        match deviation {
            D::GrantTypeMissing => fields.retain(|(name, _)| *name != "grant_type"),
            D::RedirectUriMissing => fields.retain(|(name, _)| *name != "redirect_uri"),
            D::Anybody => fields.retain(|(name, _)| !name.starts_with("client_")),
            _ => {}
        }
        let Told(status, body) = self.ask(name, at, &placed(&fields, deviation)).await;
        status == 200 && body.contains("\"access_token\"")
    }

    /// Does it say what a token is worth, or end it?
    async fn serves(&self, name: &str, at: At, deviation: Deviation) -> bool {
        let own = self.own(name);
        let spare = self.access(name, &own.confidential).await;
        let mut fields = credentials(&own.confidential, &[("token", spare.text.reveal())]);
        if matches!(deviation, D::Anybody) {
            fields.retain(|(name, _)| !name.starts_with("client_"));
        }
        let Told(status, body) = self.ask(name, at, &placed(&fields, deviation)).await;
        let key = Key::Access(AccessId(spare.id));
        let is_ended = self.store.load(Wants::of([key.clone()])).await.unwrap().row(&key).is_none();
        assert!(status == 200 || !is_ended, "what is refused has no effect");
        if at.endpoint == Endpoint::Revoke { is_ended } else { body.contains("\"active\":true") }
    }

    /// Does it say who the token speaks for?
    async fn opens(&self, name: &str, at: At, deviation: Deviation) -> bool {
        let token = self.own(name).access.text.reveal();
        let (bearer, other) = (format!("Bearer {token}"), format!("Token {token}"));
        let fields = [("access_token", token)];
        let ask = match deviation {
            D::BearerInQuery => Ask { is_get: true, query: &fields, ..Ask::default() },
            D::BearerInForm => Ask::form(&fields),
            D::BareToken => Ask::bearer(token),
            D::OtherScheme => Ask::bearer(&other),
            _ => Ask::bearer(&bearer),
        };
        let Told(status, body) = self.ask(name, at, &ask).await;
        status == 200 && body.contains("alice@example.com")
    }

    /// Does a token come back, or is the browser sent on to where it would?
    async fn gives_token(&self, name: &str, at: At) -> bool {
        let client = &self.own(name).confidential;
        let query = [("response_type", "token"), ("client_id", &client.client_id), ("redirect_uri", CALLBACK)];
        let answer = self.answer(name, at, &Ask::visit(&query)).await;
        let location = answer.location.unwrap_or_default();
        location.contains("access_token=") || (answer.told.0 == 302 && !location.starts_with(CALLBACK))
    }
}

/// The fields where a deviation has them.
fn placed<'a>(fields: &'a [(&'a str, &'a str)], deviation: Deviation) -> Ask<'a> {
    match deviation {
        D::SecretInQuery => Ask { query: fields, ..Ask::default() },
        D::TokenByGet => Ask { is_get: true, query: fields, ..Ask::default() },
        D::JsonBody => {
            let members: Map<String, Value> =
                fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
            Ask { json: Some(members.into()), ..Ask::default() }
        }
        _ => Ask::form(fields),
    }
}

#[tokio::test]
async fn each_deviation_is_off_everywhere_but_on_the_surfaces_that_declare_it() {
    let all = All::start().await;
    for (endpoint, deviation, allowed) in DEVIATIONS {
        let mut done = Vec::new();
        for (name, at) in all.everywhere(*endpoint) {
            if all.does(name, at, *deviation).await {
                done.push(all.called(name, at));
            }
        }
        done.sort();
        assert_eq!(done, *allowed, "{deviation:?}");
    }
}
