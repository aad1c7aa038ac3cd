//! Writes refusals: the surface's error words, its parameter names, and the challenge of a 401 response.

use protocol::refusal::{ErrorKind, No, Refusal};
use protocol::wire::{Field, Fields, Param};
use serde_json::{Value, json};

use crate::encode::{Context, Outgoing, no_store};
use crate::rules::{At, Challenge, Dialect, TokenLocation};

impl Dialect {
    /// Writes a refusal. `at` is `None` if the request is for no known endpoint.
    #[must_use]
    pub fn refuse(&self, at: Option<At>, refusal: &Refusal, context: &Context<'_>) -> Outgoing {
        let kind = refusal.row().kind;
        let error = self.error(kind);
        let fields = self.refusal_fields(at, refusal);
        let mut out = self.fill(&self.replies[error.reply], error.status, &fields, context);
        no_store(&mut out);
        if let Some(challenge) = self.challenge(at, refusal, out.status, context) {
            out.headers.push(("WWW-Authenticate".into(), challenge.into()));
        }
        if let (ErrorKind::MethodNotAllowed, Some(at)) = (kind, at) {
            // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
            out.headers.push(("Allow".into(), self.address(at).methods.join(", ").into()));
        }
        if let Some(seconds) = refusal.retry_after_s {
            out.headers.push(("Retry-After".into(), seconds.to_string().into()));
        }
        out
    }

    pub(crate) fn refusal_fields(&self, at: Option<At>, refusal: &Refusal) -> Fields {
        let row = refusal.row();
        let error = self.error(row.kind);
        let param = refusal.param.or(usual_param(row.kind));
        let wire_name = param.map(|param| at.map_or(param.as_str(), |at| self.address(at).wire_name(param)));
        let text = refusal.text_with(wire_name.unwrap_or_default());
        let place = wire_name.or(part_at_fault(refusal.no));
        let faults: Vec<Value> = place.map(|name| json!({"name": name, "error": text})).into_iter().collect();
        let message = error.text.clone().unwrap_or(text);
        Fields::new().with(Field::Error, error.word.as_str()).with(Field::Message, message).with(Field::Fields, faults)
    }

    /// RFC 9110 §15.5.2: "The server generating a 401 response MUST send a WWW-Authenticate header field".
    fn challenge(&self, at: Option<At>, refusal: &Refusal, status: u16, context: &Context<'_>) -> Option<String> {
        let address = self.address(at?);
        let row = refusal.row();
        if address.endpoint.row().takes_client {
            // RFC 6749 §5.2: "If the client attempted to authenticate via the "Authorization" request header field, the
            // authorization server MUST respond with an HTTP 401 […] and include the "WWW-Authenticate" response header
            // field matching the authentication scheme used by the client."
            let is_due = match self.bearer.challenge {
                Challenge::On401 => address.auth.basic,
                Challenge::IfAuthorization => address.auth.basic && context.had_authorization,
                Challenge::Never => false,
            };
            return (status == 401 && is_due).then(|| format!("Basic realm=\"{}\", charset=\"UTF-8\"", self.name));
        }
        let is_due = match self.bearer.challenge {
            Challenge::On401 => true,
            Challenge::IfAuthorization => context.had_authorization,
            Challenge::Never => false,
        };
        if !address.endpoint.row().takes_bearer || !is_due {
            return None;
        }
        let scheme = self.bearer.accept.iter().find_map(|place| match place {
            TokenLocation::Scheme(scheme) => Some(scheme.as_str()),
            _ => None,
        });
        let mut text = format!("{} realm=\"{}\"", scheme.unwrap_or("Bearer"), self.name);
        // RFC 6750 §3.1: "If the request lacks any authentication information […], the resource server SHOULD NOT
        // include an error code or other error information."
        if refusal.no == No::TokenMissing {
            return (status == 401).then_some(text);
        }
        let word = match row.kind {
            ErrorKind::InvalidToken => "invalid_token",
            ErrorKind::InsufficientScope => "insufficient_scope",
            ErrorKind::InvalidRequest => "invalid_request",
            _ => return None,
        };
        text.push_str(&format!(", error=\"{word}\", error_description=\"{}\"", row.text.replace(['"', '\\'], "'")));
        if row.kind == ErrorKind::InsufficientScope && !address.scope.is_empty() {
            text.push_str(&format!(", scope=\"{}\"", address.scope));
        }
        Some(text)
    }
}

/// Returns the parameter that a kind of refusal usually concerns. Used if the refusal itself names none.
fn usual_param(kind: ErrorKind) -> Option<Param> {
    match kind {
        ErrorKind::UnsupportedGrantType => Some(Param::GrantType),
        ErrorKind::UnsupportedResponseType => Some(Param::ResponseType),
        ErrorKind::InvalidScope => Some(Param::Scope),
        ErrorKind::InvalidTarget => Some(Param::Resource),
        ErrorKind::OtpNeeded => Some(Param::Otp),
        _ => None,
    }
}

/// Returns the name of the faulty part of a request if no parameter is at fault, so that a list of faults is never
/// empty.
fn part_at_fault(no: No) -> Option<&'static str> {
    match no {
        No::BodyMalformed | No::BodyTypeUnknown | No::RequestTooLarge => Some("body"),
        No::QueryMalformed => Some("query"),
        No::AuthorizationMalformed | No::TokenSentTwice | No::ClientAuthTwice | No::ClientIdsDiffer => {
            Some("authorization")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{loaded, standard, standard_with, wire};
    use expect_test::expect;
    use protocol::endpoint::Endpoint;

    fn refuse(dialect: &Dialect, endpoint: Endpoint, refusal: impl Into<Refusal>, had_authorization: bool) -> String {
        let context = Context { had_authorization, ..Context::default() };
        wire(&dialect.refuse(dialect.at(endpoint), &refusal.into(), &context))
    }

    #[test]
    fn a_failed_client_is_challenged_rfc_6749_5_2() {
        expect![[r#"
            401
            Content-Type: application/json
            Cache-Control: no-store
            Pragma: no-cache
            WWW-Authenticate: Basic realm="standard", charset="UTF-8"

            {"error":"invalid_client","error_description":"Client authentication failed."}
        "#]]
        .assert_eq(&refuse(&standard(), Endpoint::Token, No::ClientSecretWrong, true));
    }

    #[test]
    fn every_401_says_what_would_be_accepted_rfc_9110_15_5_2() {
        let standard = standard();
        for row in protocol::refusal::TABLE {
            for endpoint in [Endpoint::Token, Endpoint::Introspect, Endpoint::Revoke] {
                let told = refuse(&standard, endpoint, row.no, false);
                assert_eq!(told.starts_with("401"), told.contains("\nWWW-Authenticate: Basic "), "{}", row.name);
            }
            let told = refuse(&standard, Endpoint::Userinfo, row.no, false);
            if row.kind == ErrorKind::InvalidToken {
                assert!(told.starts_with("401") && told.contains("\nWWW-Authenticate: Bearer "), "{}", row.name);
            }
        }
    }

    #[test]
    fn a_challenge_can_wait_for_a_header_or_never_come() {
        let polite = standard_with("[bearer]\nchallenge = \"if-authorization\"\n");
        assert!(!refuse(&polite, Endpoint::Token, No::ClientUnknown, false).contains("WWW-Authenticate"));
        assert!(refuse(&polite, Endpoint::Token, No::ClientUnknown, true).contains("WWW-Authenticate: Basic"));
        let silent = standard_with("[bearer]\nchallenge = \"never\"\n");
        assert!(!refuse(&silent, Endpoint::Userinfo, No::TokenUnknown, true).contains("WWW-Authenticate"));
    }

    #[test]
    fn a_missing_token_is_challenged_without_an_error_and_a_bad_one_with_rfc_6750_3_1() {
        let header = |no: No| {
            let told =
                refuse(&standard_with("[endpoint.userinfo]\nscope = \"profile\"\n"), Endpoint::Userinfo, no, false);
            told.lines().find(|line| line.starts_with("WWW-")).map(ToOwned::to_owned).unwrap_or_default()
        };
        expect![[r#"WWW-Authenticate: Bearer realm="standard""#]].assert_eq(&header(No::TokenMissing));
        expect![[r#"WWW-Authenticate: Bearer realm="standard", error="invalid_token", error_description="The access token is invalid, expired or revoked.""#]].assert_eq(&header(No::TokenExpired));
        expect![[r#"WWW-Authenticate: Bearer realm="standard", error="insufficient_scope", error_description="The access token does not have the scope that this address requires.", scope="profile""#]].assert_eq(&header(No::TokenScopeTooSmall));
        expect![[r#"WWW-Authenticate: Bearer realm="standard", error="invalid_request", error_description="The access token was sent in more than one way.""#]].assert_eq(&header(No::TokenSentTwice));
    }

    #[test]
    fn a_limit_says_when_to_come_back_and_a_wrong_method_which_are_right_rfc_9110_15_5_6() {
        let busy = Refusal { retry_after_s: Some(7), ..No::TooManyRequests.into() };
        expect![[r#"
            429
            Content-Type: application/json
            Cache-Control: no-store
            Pragma: no-cache
            Retry-After: 7

            {"error":"too_many_requests","error_description":"Too many requests. Wait and try again."}
        "#]]
        .assert_eq(&refuse(&standard(), Endpoint::Token, busy, false));
        let told = refuse(&standard(), Endpoint::Userinfo, No::MethodUnknown, false);
        assert!(told.starts_with("405\n") && told.contains("\nAllow: GET, POST\n"), "{told}");
    }

    #[test]
    fn every_refusal_has_an_answer_at_every_endpoint_and_where_there_is_none() {
        let standard = standard();
        for row in protocol::refusal::TABLE {
            let places = protocol::endpoint::TABLE.iter().map(|row| standard.at(row.endpoint)).chain([None]);
            for at in places {
                let out = standard.refuse(at, &row.no.into(), &Context::default());
                assert!(out.status >= 400 && !out.body.is_empty(), "{}", row.name);
            }
        }
    }

    #[test]
    fn a_surface_words_refusals_in_its_own_way_and_names_parameters_as_it_calls_them() {
        let dialect = loaded(
            "odd",
            r#"
grants = ["authorization_code"]
[endpoint.authorize]
[endpoint.token]
names = { code = "auth_code" }
[reply.fields]
as   = "json"
body = '{"status":"$status","code":"$error","message":"$message","errors":"$fields","id":"$request_id"}'
[error]
invalid_request = { status = 422, word = "VALIDATION_ERROR", text = "Validation failed", reply = "fields" }
"#,
        );
        let context = Context { request_id: "r-1", ..Context::default() };
        let refusal = Refusal::of(No::ParameterMissing, Param::Code);
        let out = dialect.refuse(dialect.at(Endpoint::Token), &refusal, &context);
        expect![[r#"{"status":422,"code":"VALIDATION_ERROR","message":"Validation failed","errors":[{"name":"auth_code","error":"The parameter auth_code is missing."}],"id":"r-1"}"#]]
            .assert_eq(std::str::from_utf8(&out.body).unwrap());
    }
}
