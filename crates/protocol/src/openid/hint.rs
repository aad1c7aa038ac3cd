//! The `id_token_hint`: an ID token of this server that an application sends back, to say whom it asks for.

use serde::Deserialize;

use crate::jose::{Audience, Flaw, Jws};
use crate::line::Turn;
use crate::model::Client;
use crate::refusal::{No, Refusal};
use crate::wire::Param;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
}

/// Verifies an ID token that this server issued to `client`, and returns its subject. The token may have expired. OpenID
/// Connect Core §3.1.2.1: "The Authorization Server need not be listed as an audience of the ID Token when it is used as an
/// id_token_hint value."
///
/// # Errors
/// [`No::IdTokenHintInvalid`], also if the key of the token is no longer known.
pub fn subject(text: &str, client: &Client, turn: &Turn<'_>) -> Result<String, Refusal> {
    verified(text, client, turn).ok_or(Refusal::of(No::IdTokenHintInvalid, Param::IdTokenHint))
}

fn verified(text: &str, client: &Client, turn: &Turn<'_>) -> Option<String> {
    let jws = read(text).ok()?;
    jws.check_signature(turn.own_keys()?).ok()?;
    let Claims { iss, sub, aud } = jws.payload().ok()?;
    // A token of another client says who that client's user is, which is nothing that this one may test.
    (iss == turn.policy.issuer && aud.is_only(&client.client_id)).then_some(sub)
}

/// Returns the subject that a hint claims, without verifying it. It may be used only to ask the user to sign in.
#[must_use]
pub fn claimed_subject(text: &str) -> Option<String> {
    let claims: Claims = read(text).ok()?.payload().ok()?;
    Some(claims.sub)
}

fn read(text: &str) -> Result<Jws, Flaw> {
    Jws::read(text.to_owned(), "JWT")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::signed::{self, With};
    use crate::sample::{self, World};
    use serde_json::{Value, json};

    /// Returns what a hint with this header and these claims gives, signed by one of the server's own keys.
    fn judged(header: &Value, more: &Value) -> Result<String, No> {
        let mut claims = json!({"iss": "https://auth.example", "sub": "sub-alice", "aud": "web", "exp": 1, "iat": 0});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check(&signed::sign(header, &claims, With::Es256))
    }

    fn check(text: &str) -> Result<String, No> {
        let (world, keys) = (World::new(), signed::keys());
        subject(text, &sample::client(), &world.turn().with_own_keys(Some(&keys))).map_err(|refusal| refusal.no)
    }

    #[test]
    fn a_hint_is_good_after_it_has_expired_openid_connect_core_3_1_2_1() {
        let header = json!({"alg": "ES256", "kid": "es"});
        assert_eq!(judged(&header, &json!({})), Ok("sub-alice".to_owned()));
        assert_eq!(judged(&header, &json!({"aud": ["web"]})), Ok("sub-alice".to_owned()));
    }

    #[test]
    fn a_hint_of_another_client_issuer_kind_or_key_is_refused() {
        let good = json!({"alg": "ES256", "kid": "es"});
        let no = Err(No::IdTokenHintInvalid);
        for more in [json!({"aud": "spa"}), json!({"aud": ["web", "spa"]}), json!({"iss": "https://evil.example"})] {
            assert_eq!(judged(&good, &more), no, "{more}");
        }
        for header in [
            json!({"alg": "ES256", "kid": "es", "typ": "at+jwt"}),
            json!({"alg": "ES256", "kid": "es", "typ": "logout+jwt"}),
            json!({"alg": "ES256", "kid": "rs"}),
            json!({"alg": "none"}),
            json!({"alg": "HS256", "kid": "es"}),
            json!({"alg": "RS256", "kid": "es"}),
        ] {
            assert_eq!(judged(&header, &json!({})), no, "{header}");
        }
        for text in ["", "x", "a.b.c"] {
            assert_eq!(check(text), no, "{text}");
        }
        let text = signed::sign(&good, &json!({"iss": "https://auth.example", "sub": "s", "aud": "web"}), With::Es256);
        let world = World::new();
        let refused = subject(&text, &sample::client(), &world.turn()).unwrap_err();
        assert_eq!(refused.no, No::IdTokenHintInvalid, "a server that never signed has no token of its own");
        assert_eq!(claimed_subject(&text).as_deref(), Some("s"));
    }
}
