//! Reads what the log line of a refused request tells beside the name of the refusal: who claims to ask, which value was wrong,
//! which host was asked for. Codes, tokens, passwords and other secrets are never among it.

use ::http::header::{CONTENT_TYPE, HOST, HeaderValue};
use dialect::decode::client_header;
use dialect::{Address, Incoming, Route};
use protocol::client::registration::SECRET_PREFIX;
use protocol::refusal::{ErrorKind, No, Refusal};
use protocol::wire::{Param, Params};

use crate::answers;
use crate::app::App;
use crate::http::Request;
use crate::observe::details::{Details, cut};

/// Maximum length of a client ID that nobody has, in bytes. A UUID has 36.
const CLAIM_BYTES_MAX: usize = 40;
/// Maximum length of request text that a log line repeats, in bytes.
const TEXT_BYTES_MAX: usize = 200;
/// Maximum number of hosts that a log line lists.
const HOSTS_MAX: usize = 10;
/// Maximum length of a part of a path that is told. A longer one may be a token.
const SEGMENT_BYTES_MAX: usize = 24;

/// The parameters whose values are no secrets.
const TOLD: [Param; 10] = [
    Param::ResponseType,
    Param::RedirectUri,
    Param::Scope,
    Param::ResponseMode,
    Param::CodeChallengeMethod,
    Param::Resource,
    Param::Prompt,
    Param::MaxAge,
    Param::GrantType,
    Param::TokenTypeHint,
];

/// Reads the request again: a successful one does not pay for this.
pub(crate) fn details(app: &App, request: &Request, route: Option<Route<'_>>, refusal: &Refusal) -> Details {
    let no = refusal.no;
    let params = match route {
        Some(Route::Endpoint(dialect, at)) => {
            let decoded = dialect.decode(at, &incoming(request));
            Some(decoded.unwrap_or_else(|_| read_widely(request, dialect.address(at))))
        }
        _ => client_header(&request.headers).ok(),
    };
    let param = refusal.param.or_else(|| param_of(no));
    let is_endpoint = matches!(route, Some(Route::Endpoint(..)));
    let is_path_told = !is_endpoint && no != No::HostUnknown;
    let is_host_told = no == No::HostUnknown;
    // A header that cannot be read is in its refusal's name.
    let is_proof_told = no.row().kind == ErrorKind::InvalidClient && no != No::ClientHeaderMalformed;
    Details {
        claimed_client: params.as_ref().and_then(answers::claimed_client).map(claim),
        auth_method: params.as_ref().filter(|_| is_proof_told).map(auth_method),
        param: param.map(Param::as_str),
        value: value(refusal, param, params.as_ref()),
        path: is_path_told.then(|| path(request.uri.path())),
        content_type: (no == No::BodyTypeUnknown)
            .then(|| request.headers.get(CONTENT_TYPE))
            .flatten()
            .map(|own| cut(own.as_bytes(), TEXT_BYTES_MAX)),
        host: is_host_told.then(|| cut(&came_host(request), TEXT_BYTES_MAX)),
        hosts: is_host_told.then(|| own_hosts(app)),
    }
}

/// The client ID that a request claims. A secret in the wrong field is not told.
fn claim(client_id: &str) -> String {
    if client_id.starts_with(SECRET_PREFIX) {
        return format!("{SECRET_PREFIX}...");
    }
    cut(client_id.as_bytes(), CLAIM_BYTES_MAX)
}

fn incoming(request: &Request) -> Incoming<'_> {
    Incoming {
        method: request.method.as_str(),
        query: request.uri.query(),
        headers: &request.headers,
        body: &request.body,
    }
}

/// Reads what is told of a request that cannot be decoded: the client and the values that are no secrets, the first of each
/// name.
fn read_widely(request: &Request, address: &Address) -> Params {
    let mut params = client_header(&request.headers).unwrap_or_default();
    let query = request.uri.query().unwrap_or_default().as_bytes();
    let body = if request.has_form() { &request.body[..] } else { &[] };
    let all = TOLD.into_iter().chain([Param::ClientId]);
    for (name, value) in form_urlencoded::parse(query).chain(form_urlencoded::parse(body)) {
        if let Some(param) = all.clone().find(|param| address.wire_name(*param) == name) {
            // A parameter that is repeated is told once.
            let _ = params.push(param, value.into_owned());
        }
    }
    params
}

/// The parameter that a refusal is about, for refusals that name none.
fn param_of(no: No) -> Option<Param> {
    Some(match no {
        No::RedirectUriMissing | No::RedirectUriNotRepeated | No::RedirectUriMismatch | No::RedirectUriUnregistered => {
            Param::RedirectUri
        }
        No::ScopeUnknown | No::ScopeNotAllowed | No::ScopeWider => Param::Scope,
        No::ResourceUnknown | No::ResourceNotGranted => Param::Resource,
        No::GrantTypeUnknown | No::GrantTypeNotAllowed => Param::GrantType,
        No::ResponseTypeUnknown | No::ResponseTypeNotAllowed => Param::ResponseType,
        No::ResponseModeUnknown => Param::ResponseMode,
        No::ChallengeMissing => Param::CodeChallenge,
        No::ChallengeMethodUnknown => Param::CodeChallengeMethod,
        No::VerifierMissing | No::VerifierWrong | No::VerifierUnexpected => Param::CodeVerifier,
        No::PromptMalformed | No::PromptUnknown | No::LoginNeeded | No::SecondFactorNeeded | No::ConsentNeeded => {
            Param::Prompt
        }
        No::CodeUnknown | No::CodeExpired | No::CodeOfOtherClient | No::CodeReplayed => Param::Code,
        No::RefreshUnknown
        | No::RefreshExpired
        | No::RefreshOfOtherClient
        | No::RefreshReplayed
        | No::RefreshRetryDiffers
        | No::RefreshAhead => Param::RefreshToken,
        _ => return None,
    })
}

/// The value at fault: what the judge says of it, or else what came.
fn value(refusal: &Refusal, param: Option<Param>, params: Option<&Params>) -> Option<String> {
    let came = || {
        let param = param.filter(|param| TOLD.contains(param))?;
        let values: Vec<&str> = params?.values(param).collect();
        (!values.is_empty()).then(|| values.join(" "))
    };
    let said = || refusal.value.as_ref().map(|own| own.as_str().to_owned());
    // The judge's words are shorter than a redirect URI may be.
    let value = if param == Some(Param::RedirectUri) { came().or_else(said) } else { said().or_else(came) };
    value.map(|value| cut(value.as_bytes(), TEXT_BYTES_MAX))
}

fn auth_method(params: &Params) -> &'static str {
    if params.basic.is_some() {
        "client_secret_basic"
    } else if params.value(Param::ClientSecret).is_some() {
        "client_secret_post"
    } else if params.value(Param::ClientAssertion).is_some() {
        "client_assertion"
    } else {
        "none"
    }
}

/// Returns the host as the client sent it, even if it is malformed.
fn came_host(request: &Request) -> Vec<u8> {
    let authority = request.uri.authority().map(|own| own.as_str().as_bytes());
    let lines = request.headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    authority.into_iter().chain(lines).collect::<Vec<_>>().join(&b", "[..])
}

/// The hosts that this server answers for, as the configuration spells them.
fn own_hosts(app: &App) -> String {
    let issuer = app.settings.issuer.split_once("://").map_or("", |(_, rest)| rest);
    let issuer = issuer.split_once('/').map_or(issuer, |(host, _)| host);
    let mut hosts: Vec<&str> = app.dialects.hosts().chain([issuer]).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let dots = if hosts.len() > HOSTS_MAX { " ..." } else { "" };
    hosts.truncate(HOSTS_MAX);
    hosts.join(" ") + dots
}

/// A path with no part that may be a token.
fn path(path: &str) -> String {
    let told = |part: &str| if part.len() > SEGMENT_BYTES_MAX { "...".to_owned() } else { part.to_owned() };
    let parts: Vec<String> = path.split('/').map(told).collect();
    cut(parts.join("/").as_bytes(), TEXT_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_the_field_of_the_client_id_is_not_told() {
        assert_eq!(claim("gcs_kkkkkkkkkkkkkkkk"), "gcs_...");
        assert_eq!(claim("no such\nclient"), "no such\\nclient");
    }

    #[test]
    fn a_part_of_a_path_that_may_be_a_token_is_not_told() {
        assert_eq!(path("/oauth2/token"), "/oauth2/token");
        assert_eq!(path(&format!("/tokens/{}/x", "a".repeat(43))), "/tokens/.../x");
    }

    #[test]
    fn secrets_are_not_among_the_values_that_are_told() {
        let secret = [
            Param::ClientSecret,
            Param::Code,
            Param::CodeVerifier,
            Param::CodeChallenge,
            Param::RefreshToken,
            Param::Password,
            Param::Otp,
            Param::Assertion,
            Param::ClientAssertion,
            Param::Token,
            Param::State,
            Param::Nonce,
            Param::Username,
            Param::LoginHint,
        ];
        for param in secret {
            assert!(!TOLD.contains(&param), "{param}");
            let mut params = Params::default();
            params.push(param, "hush".to_owned()).unwrap();
            let refusal = Refusal::of(No::ParameterMalformed, param);
            assert_eq!(value(&refusal, Some(param), Some(&params)), None, "{param}");
        }
    }
}
