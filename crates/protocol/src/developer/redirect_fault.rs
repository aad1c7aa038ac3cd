//! The page about a redirect URI that is not registered: what it tells to whom. Everybody learns the name of the application,
//! as on the consent page. Only its signed-in owner learns which redirect URIs are registered.

use std::sync::Arc;

use crate::line::{AccountKey, Call, Facts, Key, Turn, Wants};
use crate::model::{Client, SessionId, User};
use crate::person::browser::Caller;
use crate::person::sign_in::Signed;
use crate::redirect;
use crate::refusal::{No, Refusal};

/// A question about an authorization request whose redirect URI was refused.
#[derive(Debug)]
pub struct RedirectFaultCall {
    /// The browser.
    pub caller: Caller,
    /// The client_id of the request.
    pub client_id: String,
}

/// What may be told about the request.
#[derive(Debug)]
pub struct RedirectFault {
    /// The client of the request.
    pub client: Arc<Client>,
    /// The owner of the client, if it is the owner who is signed in.
    pub owner: Option<Arc<User>>,
}

impl Call for RedirectFaultCall {
    type Yes = RedirectFault;

    fn wants(&self) -> Wants {
        let mut wants = Wants::of([Key::Client(self.client_id.clone())]);
        wants.account(self.caller.session.map(|own| AccountKey::Session(SessionId(own.id))));
        wants
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<RedirectFault, Refusal> {
        let client = facts.client(&self.client_id);
        let client = client.filter(|client| !client.is_disabled && client.dialect == turn.policy.dialect);
        let client = client.ok_or(No::AuthorizeClientUnknown)?;
        let signed = Signed::find(&self.caller, facts, turn).filter(|signed| !signed.lacks_second_factor());
        let owner = signed.filter(|signed| client.owner == Some(signed.user.key)).map(|signed| signed.user);
        Ok(RedirectFault { client: Arc::clone(client), owner })
    }
}

impl RedirectFault {
    /// Whether the owner can register `uri` for this client.
    ///
    /// # Errors
    /// The reason why not.
    pub fn may_add(&self, uri: &str) -> Result<(), No> {
        if self.client.is_first_party {
            return Err(No::ApplicationOfOperator);
        }
        redirect::may_register(uri, self.client.kind)
    }

    /// Explains where `sent` begins to differ from the registered redirect URI that is most like it, and names that URI. `None`
    /// if no redirect URI is registered.
    #[must_use]
    pub fn difference(&self, sent: &str) -> Option<(&str, String)> {
        let like = |uri: &&String| (common(uri, sent), std::cmp::Reverse(uri.len().abs_diff(sent.len())));
        let nearest = self.client.redirect_uris.iter().max_by_key(like)?;
        Some((nearest, explained(nearest, sent)))
    }
}

/// The number of characters that two texts have in common at their beginnings.
fn common(left: &str, right: &str) -> usize {
    left.chars().zip(right.chars()).take_while(|(left, right)| left == right).count()
}

/// Says where `sent` begins to differ from `registered`, and how.
fn explained(registered: &str, sent: &str) -> String {
    let from = common(registered, sent);
    let rest = |text: &str| text.chars().skip(from).collect::<String>();
    let (own, other) = (rest(registered), rest(sent));
    let how = match (own.as_str(), other.as_str()) {
        ("", "") => return "It is the same as the registered one.".to_owned(),
        ("", "/") => "the request has a slash at the end that the registered URI does not have".to_owned(),
        ("/", "") => "the request lacks the slash at the end of the registered URI".to_owned(),
        ("", more) => format!("the request goes on with {more}"),
        (more, "") => format!("the request ends there, and the registered URI goes on with {more}"),
        _ if registered.eq_ignore_ascii_case(sent) => "the letters are the same, but in another case".to_owned(),
        _ => match (scheme(registered), scheme(sent), host(registered), host(sent)) {
            (own, other, ..) if own != other => format!("the request has the scheme {other}, not {own}"),
            (_, _, own, other) if own != other => format!("the request has the host {other}, not {own}"),
            _ => format!("the request goes on with {other}, and the registered URI with {own}"),
        },
    };
    format!("It differs at character {}: {how}.", from + 1)
}

fn scheme(uri: &str) -> &str {
    uri.split_once(':').map_or(uri, |(scheme, _)| scheme)
}

/// The host of a URI, with its port.
fn host(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn told(registered: &[&str], sent: &str) -> Option<(String, String)> {
        let redirect_uris = registered.iter().map(|uri| (*uri).to_owned()).collect();
        let client = Arc::new(Client { redirect_uris, ..sample::client() });
        let fault = RedirectFault { client, owner: None };
        fault.difference(sent).map(|(uri, how)| (uri.to_owned(), how))
    }

    #[test]
    fn the_first_difference_from_the_nearest_uri_is_explained() {
        let own = ["https://app.example/cb", "http://localhost:3000/cb", "https://app.example/callback/"];
        for (sent, nearest, how) in [
            (
                "https://app.example/cb/",
                0,
                "It differs at character 23: the request has a slash at the end that the registered URI does not have.",
            ),
            (
                "https://app.example/callback",
                2,
                "It differs at character 29: the request lacks the slash at the end of the registered URI.",
            ),
            ("https://app.example/CB", 0, "It differs at character 21: the letters are the same, but in another case."),
            (
                "http://127.0.0.1:3000/cb",
                1,
                "It differs at character 8: the request has the host 127.0.0.1:3000, not localhost:3000.",
            ),
            ("https://app.example/cb?x=1", 0, "It differs at character 23: the request goes on with ?x=1."),
            (
                "https://app.example/c",
                0,
                "It differs at character 22: the request ends there, and the registered URI goes on with b.",
            ),
            (
                "https://app.example/cx",
                0,
                "It differs at character 22: the request goes on with x, and the registered URI with b.",
            ),
        ] {
            assert_eq!(told(&own, sent), Some((own[nearest].to_owned(), how.to_owned())), "{sent}");
        }
        let how = "It differs at character 5: the request has the scheme http, not https.".to_owned();
        assert_eq!(told(&own[..1], "http://app.example/cb"), Some((own[0].to_owned(), how)));
        assert_eq!(told(&[], "https://app.example/cb"), None);
    }
}
