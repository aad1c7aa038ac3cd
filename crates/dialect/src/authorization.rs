//! Reads the `Authorization` header: client credentials (RFC 7617, encoded as RFC 6749 §2.3.1 requires) and access
//! tokens (RFC 6750 §2.1).

use std::borrow::Cow;

use data_encoding::BASE64;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use protocol::client::assertion;
use protocol::refusal::{No, Refusal};
use protocol::secret::Secret;
use protocol::wire::{Basic, Param, Params};

use crate::form_text::unescape;
use crate::rules::{Auth, TokenLocation};

/// Copies the client credentials of the header into `params`. Removes credentials from the parameters if the endpoint
/// does not accept them there.
pub(crate) fn client(auth: Auth, headers: &HeaderMap, params: &mut Params) -> Result<(), Refusal> {
    if !auth.params {
        params.take(Param::ClientSecret);
    }
    if !auth.assertion {
        params.take(Param::ClientAssertion);
        params.take(Param::ClientAssertionType);
    }
    // RFC 7521 §4.2: the client is "identified by the subject within the assertion", and may leave out its client_id.
    if params.value(Param::ClientId).is_none()
        && let Some(client_id) = params.value(Param::ClientAssertion).and_then(assertion::claimed_client)
    {
        let _ = params.push(Param::ClientId, client_id);
    }
    let Some(value) = only_value(headers)? else { return Ok(()) };
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if !auth.basic {
        // RFC 6749 §2.3: "The client MUST NOT use more than one authentication method in each request." This includes a
        // header that the endpoint does not read.
        let is_sent = [Param::ClientSecret, Param::ClientAssertion].into_iter().any(|own| params.value(own).is_some());
        let is_second = scheme.eq_ignore_ascii_case("Basic") && is_sent;
        return if is_second { Err(No::ClientAuthTwice.into()) } else { Ok(()) };
    }
    // RFC 6749 §5.2, of invalid_client: "unsupported authentication method".
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Err(No::ClientHeaderMalformed.into());
    }
    params.basic = Some(basic(rest.trim()).ok_or(No::ClientHeaderMalformed)?);
    Ok(())
}

/// RFC 6749 §2.3.1: "The client identifier is encoded using the "application/x-www-form-urlencoded" encoding algorithm
/// […], and the encoded value is used as the username; the client password is encoded using the same algorithm".
///
/// Many libraries send both without encoding them. The secret is therefore kept in both forms if they differ. An
/// identifier that decodes to an invalid one, because it would contain a space, is used undecoded.
fn basic(text: &str) -> Option<Basic> {
    let decoded = BASE64.decode(text.as_bytes()).ok()?;
    let at = decoded.iter().position(|byte| *byte == b':')?;
    let (raw_id, raw_secret) = (printable(&decoded[..at])?, printable(&decoded[at + 1..])?);
    let unescaped = |raw: &str| unescape(raw.as_bytes()).filter(|text| is_printable(text)).map(Cow::into_owned);
    let client_id = unescaped(raw_id).filter(|id| !id.contains(' ')).unwrap_or_else(|| raw_id.to_owned());
    if client_id.is_empty() {
        return None;
    }
    Some(match unescaped(raw_secret) {
        Some(secret) if secret != raw_secret => {
            Basic { client_id, secret: Secret::new(secret), raw_secret: Some(Secret::new(raw_secret)) }
        }
        _ => Basic::new(client_id, Secret::new(raw_secret)),
    })
}

/// RFC 6749 appendix A.1 and A.2: client identifier and secret are `*VSCHAR`, and so are their form-encoded forms.
fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

fn printable(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| is_printable(text))
}

/// Returns the access token in the header, if its scheme is accepted. A header with another scheme carries no token.
pub(crate) fn bearer(accept: &[TokenLocation], headers: &HeaderMap) -> Result<Option<Secret>, Refusal> {
    let Some(value) = only_value(headers)? else { return Ok(None) };
    let value = value.trim();
    match value.split_once(' ') {
        Some((scheme, rest)) => {
            let is_accepted =
                |place: &TokenLocation| matches!(place, TokenLocation::Scheme(own) if own.eq_ignore_ascii_case(scheme));
            if accept.iter().any(is_accepted) { bearer_text(rest.trim_start()).map(Some) } else { Ok(None) }
        }
        None if accept.contains(&TokenLocation::Raw) && !value.is_empty() => bearer_text(value).map(Some),
        None => Ok(None),
    }
}

/// RFC 6750 §2.1: `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
pub(crate) fn bearer_text(text: &str) -> Result<Secret, Refusal> {
    let core = text.trim_end_matches('=');
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    if core.is_empty() || !core.bytes().all(is_token) {
        return Err(No::AuthorizationMalformed.into());
    }
    Ok(Secret::new(text))
}

/// Returns the only value of `Authorization`. Several values are refused, because they would leave open who is asking.
fn only_value(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(No::AuthorizationMalformed.into());
    }
    value.to_str().map(Some).map_err(|_| No::AuthorizationMalformed.into())
}

#[cfg(test)]
mod tests {
    use crate::sample::{Ask, loaded, standard};
    use data_encoding::BASE64;
    use protocol::endpoint::Endpoint;

    fn read(credentials: &str) -> String {
        let value = format!("Basic {}", BASE64.encode(credentials.as_bytes()));
        Ask::form("grant_type=client_credentials").with("authorization", &value).read(&standard(), Endpoint::Token)
    }

    #[test]
    fn both_halves_are_form_encoded_rfc_6749_2_3_1() {
        assert_eq!(read("web:s%3Ae+c%2B"), "grant_type = client_credentials\nbasic web : s:e c+\n");
        assert_eq!(
            read("https%3A%2F%2Fa.example:a:b"),
            "grant_type = client_credentials\nbasic https://a.example : a:b\n"
        );
        assert_eq!(read("web:"), "grant_type = client_credentials\nbasic web : \n");
    }

    #[test]
    fn what_form_decoding_cannot_read_is_taken_as_it_came() {
        assert_eq!(read("web:100%sure"), "grant_type = client_credentials\nbasic web : 100%sure\n");
        assert_eq!(read("web:%00"), "grant_type = client_credentials\nbasic web : %00\n");
        assert_eq!(read("a+b:s"), "grant_type = client_credentials\nbasic a+b : s\n", "no identifier has a space");
        let both = super::basic(&BASE64.encode(b"old:abc+def%41ghi")).unwrap();
        assert_eq!(both.secret.reveal(), "abc defAghi");
        assert_eq!(both.raw_secret.unwrap().reveal(), "abc+def%41ghi");
        assert!(super::basic(&BASE64.encode(b"old:plain")).unwrap().raw_secret.is_none());
    }

    #[test]
    fn a_header_that_is_not_well_formed_basic_is_refused_rfc_6749_5_2() {
        for credentials in ["web", ":s", "web:\u{e4}", "w\u{1}:s"] {
            assert_eq!(read(credentials), "no: ClientHeaderMalformed\n", "{credentials}");
        }
        for value in ["Basic", "Basic !!!", "Basic d2ViOnM", "Bearer d2ViOnM=", "Digest x", ""] {
            let ask = Ask::form("grant_type=client_credentials").with("authorization", value);
            assert_eq!(ask.read(&standard(), Endpoint::Token), "no: ClientHeaderMalformed\n", "{value}");
        }
    }

    #[test]
    fn the_scheme_has_no_case_and_comes_once() {
        let ask = Ask::form("grant_type=client_credentials").with("authorization", "bAsIc d2ViOnM=");
        assert_eq!(ask.read(&standard(), Endpoint::Token), "grant_type = client_credentials\nbasic web : s\n");
        let twice = ask.with("authorization", "Basic d2ViOnM=");
        assert_eq!(twice.read(&standard(), Endpoint::Token), "no: AuthorizationMalformed\n");
    }

    #[test]
    fn a_way_that_is_not_listed_is_not_read() {
        let text = |auth: &str| {
            format!(
                "grants = [\"authorization_code\"]\n[endpoint.authorize]\n[endpoint.token]\nneed = [\"client_id\"]\nauth = [\"{auth}\"]\n"
            )
        };
        let ask = Ask::form("grant_type=authorization_code&client_id=a&client_secret=s");
        let params = loaded("x", &text("params"));
        let parameters = "grant_type = authorization_code\nclient_id = a\nclient_secret = s\n";
        assert_eq!(ask.read(&params, Endpoint::Token), parameters);
        let header_alone = Ask::form("grant_type=authorization_code").with("authorization", "Basic d2ViOnM=");
        assert_eq!(header_alone.read(&params, Endpoint::Token), "no: ParameterMissing client_id\n");
        let basic = loaded("x", &text("basic"));
        assert_eq!(ask.read(&basic, Endpoint::Token), "no: ClientSecretMissing\n");
    }

    /// An assertion of `web` without a signature that counts: {"alg":"ES256"}, {"iss":"web","sub":"web","jti":"j"}.
    const ASSERTION: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ3ZWIiLCJzdWIiOiJ3ZWIiLCJqdGkiOiJqIn0.AA";

    #[test]
    fn an_assertion_says_whose_it_is_and_is_read_only_where_it_is_listed_rfc_7521_4_2() {
        let body = format!("grant_type=client_credentials&client_assertion={ASSERTION}&client_assertion_type=t");
        let read = Ask::form(&body).read(&standard(), Endpoint::Token);
        assert!(read.contains("client_id = web\n") && read.contains("client_assertion = eyJ"), "{read}");
        let named = Ask::form(&format!("{body}&client_id=other")).read(&standard(), Endpoint::Token);
        assert!(named.contains("client_id = other\n"), "{named}");
        let broken = Ask::form("grant_type=client_credentials&client_assertion=x").read(&standard(), Endpoint::Token);
        assert!(!broken.contains("client_id"), "{broken}");
        let text = "grants = [\"authorization_code\"]\n[endpoint.authorize]\n[endpoint.token]\nauth = [\"params\"]\n";
        let body = body.replace("client_credentials", "authorization_code");
        assert_eq!(Ask::form(&body).read(&loaded("x", text), Endpoint::Token), "no: ClientMissing\n");
    }

    #[test]
    fn two_methods_at_once_are_refused_also_where_one_is_not_listed_rfc_6749_2_3() {
        let text = "grants = [\"authorization_code\"]\n[endpoint.authorize]\n[endpoint.token]\nneed = [\"client_id\"]\nauth = [\"params\"]\n";
        let params = loaded("x", text);
        let ask = Ask::form("grant_type=authorization_code&client_id=a&client_secret=s");
        let basic = ask.clone().with("authorization", "basic d2ViOnM=");
        assert_eq!(basic.read(&params, Endpoint::Token), "no: ClientAuthTwice\n");
        let other = ask.with("authorization", "Bearer t");
        assert!(other.read(&params, Endpoint::Token).contains("client_secret = s"));
    }
}
