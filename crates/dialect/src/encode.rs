//! Writes answers in the surface's own spelling. Fills templates and translates words; decides nothing.

use std::borrow::Cow;
use std::fmt;

use protocol::endpoint::Endpoint;
use protocol::line::Reply;
use protocol::model::GrantType;
use protocol::person::browser::{ResponseMode, Return};
use protocol::wire::{Field, Fields, Params, ReplyKind};

use crate::rules::{At, Delivery, Dialect, ReplyRules, Shape};
use crate::template::write_percent;
use crate::value::Values;

/// An HTTP response, ready to be sent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body; `None` if the response has no body.
    pub content_type: Option<Cow<'static, str>>,
    /// Further headers, as names and values.
    pub headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// The body. It may contain tokens, so it must not be logged.
    pub body: Vec<u8>,
}

/// Shows the status and the length of the body only, because body and headers may contain tokens.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({}, {} bytes)", self.status, self.body.len())
    }
}

/// The parts of a request that its answer depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// The request ID, as in the logs; empty if there is none.
    pub request_id: &'a str,
    /// The grant type of a token response. Some surfaces use another template for some grants.
    pub grant: Option<GrantType>,
    /// True if the request had an `Authorization` header.
    pub had_authorization: bool,
}

/// An authorization response, which the browser takes to the application.
#[derive(Clone, PartialEq, Eq)]
pub enum Redirect {
    /// The URL to redirect the browser to. It may contain a code or a token, so it must not be logged.
    Location(String),
    /// A form that the browser posts to the application (`response_mode=form_post`).
    FormPost {
        /// The URL that the form is posted to.
        action: String,
        /// The hidden inputs of the form: names and values, not escaped.
        inputs: Vec<(String, String)>,
    },
}

/// Shows none of the content, because it may contain codes and tokens.
impl fmt::Debug for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Location(_) => "Location(…)",
            Self::FormPost { .. } => "FormPost(…)",
        })
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

impl Dialect {
    /// Writes a positive answer by the template that the dialect has for it.
    #[must_use]
    pub fn encode(&self, at: At, reply: &Reply, context: &Context<'_>) -> Outgoing {
        let of_grant = context.grant.and_then(|grant| self.words_of(grant)).and_then(|own| own.reply);
        let of_address = self.address(at).reply.filter(|_| reply.kind != ReplyKind::Inactive);
        let named = of_grant.filter(|_| reply.kind == ReplyKind::Token).or(of_address);
        let rules = named.map(|at| &self.replies[at]).or_else(|| self.reply(reply.kind));
        // The loader has checked that every reply which an endpoint of this surface can give exists.
        let Some(rules) = rules else { return self.missing(context) };
        let mut out = self.fill(rules, rules.status.unwrap_or(200), &reply.fields, context);
        if !at.endpoint.is_metadata() {
            no_store(&mut out);
        }
        out
    }

    /// Writes the reply that sends a browser from the authorization endpoint to the provider's own page, along with the
    /// `query` of the request. Returns `None` if this server shows its own pages at that endpoint.
    #[must_use]
    pub fn hand_off(&self, at: At, query: &str, context: &Context<'_>) -> Option<Outgoing> {
        let rules = &self.replies[self.address(at).reply?];
        let page = self.screen.at.as_deref()?;
        let fields = Fields::new().with(Field::RedirectUrl, format!("{page}?{query}"));
        let mut out = self.fill(rules, rules.status.unwrap_or(302), &fields, context);
        no_store(&mut out);
        Some(out)
    }

    /// Formats the parameters of an authorization request as the query string of the page to which the browser is
    /// handed off.
    #[must_use]
    pub fn page_query(&self, params: &Params) -> String {
        let page = self.addresses().map(|(_, own)| own).find(|own| own.has_screens);
        let mut query = String::new();
        for (param, value) in params.iter() {
            if !query.is_empty() {
                query.push('&');
            }
            write_percent(page.map_or(param.as_str(), |page| page.wire_name(param)), &mut query);
            query.push('=');
            write_percent(value, &mut query);
        }
        query
    }

    /// Writes an authorization response, which travels to the application through the browser.
    #[must_use]
    pub fn redirect(&self, back: &Return) -> Redirect {
        let (kind, mut fields) = match &back.answer {
            Ok(reply) => (reply.kind, reply.fields.clone()),
            Err(refusal) => (ReplyKind::Denied, self.refusal_fields(self.at(Endpoint::Authorize), refusal)),
        };
        for (field, value) in back.fields.iter() {
            fields.set(field, value.clone());
        }
        let values = Values { fields: &fields, status: 302, request_id: "", sep: &self.sep };
        let Some(Shape::Redirect(delivery, pairs)) = self.reply(kind).map(|reply| &reply.shape) else {
            // Unreachable with a dialect that the loader accepted. Send the browser back to the application, without an
            // answer.
            return Redirect::Location(back.to.as_str().to_owned());
        };
        let target = back.to.as_str();
        let mut location = target.to_owned();
        match back.mode.unwrap_or_else(|| self.usual_mode(*delivery, back.asked)) {
            ResponseMode::FormPost => {
                return Redirect::FormPost { action: target.to_owned(), inputs: pairs.filled(&values) };
            }
            // RFC 6749 §3.1.2: the redirect URI "MAY include an "application/x-www-form-urlencoded" formatted […] query
            // component […], which MUST be retained when adding additional query parameters."
            ResponseMode::Query if !target.contains('?') => location.push('?'),
            ResponseMode::Query if target.ends_with(['?', '&']) => {}
            ResponseMode::Query => location.push('&'),
            ResponseMode::Fragment => location.push('#'),
        }
        pairs.fill(&values, &mut location);
        Redirect::Location(location)
    }

    fn usual_mode(&self, delivery: Delivery, asked: ReplyKind) -> ResponseMode {
        match delivery {
            Delivery::Query => ResponseMode::Query,
            Delivery::Fragment => ResponseMode::Fragment,
            Delivery::FormPost => ResponseMode::FormPost,
            Delivery::Same => {
                // Only grants that the surface offers can have a response mode of their own.
                let offers = |grant| self.grants.contains(&grant);
                let kind = match asked {
                    ReplyKind::Implicit if offers(GrantType::Implicit) => ReplyKind::Implicit,
                    _ if offers(GrantType::AuthorizationCode) => ReplyKind::Code,
                    _ => ReplyKind::Implicit,
                };
                match self.reply(kind).map(|reply| &reply.shape) {
                    Some(Shape::Redirect(Delivery::Fragment, _)) => ResponseMode::Fragment,
                    Some(Shape::Redirect(Delivery::FormPost, _)) => ResponseMode::FormPost,
                    _ => ResponseMode::Query,
                }
            }
        }
    }

    pub(crate) fn fill(&self, rules: &ReplyRules, status: u16, fields: &Fields, context: &Context<'_>) -> Outgoing {
        let values = Values { fields, status, request_id: context.request_id, sep: &self.sep };
        let mut out = Outgoing { status, ..Outgoing::default() };
        let mut text = String::new();
        match &rules.shape {
            Shape::Json(json) => {
                out.content_type = Some("application/json".into());
                out.body.reserve(512);
                json.fill(&values, &mut out.body);
            }
            Shape::Form(pairs) => {
                out.content_type = Some(FORM.into());
                pairs.fill(&values, &mut text);
                out.body = text.into_bytes();
            }
            Shape::Text(media_type, template) => {
                template.fill(&values, &mut text);
                out.content_type = Some(media_type.clone().into());
                out.body = text.into_bytes();
            }
            Shape::Redirect(..) | Shape::Empty => {}
        }
        for (name, template) in &rules.headers {
            let mut value = String::new();
            template.fill(&values, &mut value);
            // A line break in a value would let its author add a header to the response.
            if value.bytes().all(|b| b == b'\t' || (0x20..=0x7e).contains(&b)) {
                out.headers.push((name.clone().into(), value.into()));
            }
        }
        out
    }

    fn missing(&self, context: &Context<'_>) -> Outgoing {
        self.refuse(None, &protocol::refusal::No::Broken.into(), context)
    }
}

/// RFC 6749 §5.1: "The authorization server MUST include the HTTP "Cache-Control" response header field with a value of
/// "no-store" in any response containing tokens, credentials, or other sensitive information, as well as the "Pragma"
/// response header field with a value of "no-cache"."
pub(crate) fn no_store(out: &mut Outgoing) {
    out.headers.push(("Cache-Control".into(), "no-store".into()));
    out.headers.push(("Pragma".into(), "no-cache".into()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{back, loaded, standard, standard_with, way, wire};
    use expect_test::expect;
    use proptest::prelude::*;
    use protocol::refusal::{No, Refusal};
    use serde_json::{Value, json};

    fn token_reply() -> Reply {
        let fields = Fields::new()
            .with(Field::AccessToken, "at")
            .with(Field::ExpiresIn, 3600)
            .with(Field::RefreshToken, "rt")
            .with(Field::Scope, "profile email");
        Reply::new(ReplyKind::Token, fields)
    }

    fn encode(dialect: &Dialect, endpoint: Endpoint, reply: &Reply) -> String {
        wire(&dialect.encode(dialect.at(endpoint).unwrap(), reply, &Context::default()))
    }

    #[test]
    fn tokens_are_answered_as_rfc_6749_5_1_has_it() {
        expect![[r#"
            200
            Content-Type: application/json
            Cache-Control: no-store
            Pragma: no-cache

            {"access_token":"at","token_type":"Bearer","expires_in":3600,"refresh_token":"rt","scope":"profile email"}
        "#]]
        .assert_eq(&encode(&standard(), Endpoint::Token, &token_reply()));
    }

    #[test]
    fn an_inactive_token_is_that_and_no_more_rfc_7662_2_2() {
        let reply = Reply::new(ReplyKind::Inactive, Fields::new().with(Field::Active, false));
        expect![[r#"
            200
            Content-Type: application/json
            Cache-Control: no-store
            Pragma: no-cache

            {"active":false}
        "#]]
        .assert_eq(&encode(&standard(), Endpoint::Introspect, &reply));
    }

    #[test]
    fn a_live_token_is_described_rfc_7662_2_2() {
        let fields = Fields::new()
            .with(Field::Active, true)
            .with(Field::TokenKind, "refresh_token")
            .with(Field::Scope, "profile")
            .with(Field::ClientId, "web")
            .with(Field::Exp, 1000)
            .with(Field::Aud, json!(["https://api.example/"]));
        let body = encode(&standard(), Endpoint::Introspect, &Reply::new(ReplyKind::Introspect, fields));
        expect![[r#"{"active":true,"scope":"profile","client_id":"web","exp":1000,"aud":["https://api.example/"]}"#]]
            .assert_eq(body.lines().last().unwrap());
    }

    #[test]
    fn a_revocation_is_answered_with_an_empty_object_rfc_7009_2_2() {
        expect![[r#"
            200
            Content-Type: application/json
            Cache-Control: no-store
            Pragma: no-cache

            {}
        "#]]
        .assert_eq(&encode(&standard(), Endpoint::Revoke, &Reply::new(ReplyKind::Revoke, Fields::new())));
    }

    #[test]
    fn replies_come_as_forms_and_as_text_of_any_media_type() {
        let form = standard_with(
            "grants = [\"authorization_code\"]\n[reply.token]\nas = \"form\"\nbody = \"access_token=$access_token&scope=$scope\"\n[scope]\nsep = \",\"\n",
        );
        let told = encode(&form, Endpoint::Token, &token_reply());
        assert!(told.contains("Content-Type: application/x-www-form-urlencoded"), "{told}");
        assert!(told.ends_with("access_token=at&scope=profile%2Cemail\n"), "{told}");
        let xml = standard_with(
            "grants = [\"authorization_code\"]\n[reply.token]\nas = \"application/xml\"\nheaders = { X-Scope = \"<$scope>\" }\nbody = \"<t>$access_token</t>\"\n",
        );
        let told = encode(&xml, Endpoint::Token, &token_reply());
        assert!(told.contains("X-Scope: <profile email>\n") && told.ends_with("<t>at</t>\n"), "{told}");
    }

    #[test]
    fn a_grant_can_have_a_reply_of_its_own() {
        let dialect = standard_with(
            "[grant]\nrefresh_token = { reply = \"again\" }\n[reply.again]\nas = \"json\"\nbody = '{\"message\":\"Token refreshed\",\"token\":\"$access_token\"}'\n",
        );
        let body = |grant| {
            let context = Context { grant, ..Context::default() };
            let out = dialect.encode(dialect.at(Endpoint::Token).unwrap(), &token_reply(), &context);
            String::from_utf8(out.body).unwrap()
        };
        assert_eq!(body(Some(GrantType::RefreshToken)), "{\"message\":\"Token refreshed\",\"token\":\"at\"}");
        assert!(body(Some(GrantType::AuthorizationCode)).contains("access_token"));
    }

    fn code() -> Result<Reply, Refusal> {
        Ok(Reply::new(ReplyKind::Code, Fields::new().with(Field::Code, "c")))
    }

    fn state() -> Fields {
        Fields::new().with(Field::State, "a b&c").with(Field::Iss, "https://auth.example")
    }

    #[test]
    fn a_code_goes_back_in_the_query_with_state_and_issuer_rfc_6749_4_1_2_rfc_9207() {
        let go = |uri: &str, mode| way(&standard().redirect(&back(uri, mode, code(), state())));
        expect!["https://a.example/cb?code=c&state=a%20b%26c&iss=https%3A%2F%2Fauth.example"]
            .assert_eq(&go("https://a.example/cb", None));
        expect!["https://a.example/cb?x=1&code=c&state=a%20b%26c&iss=https%3A%2F%2Fauth.example"]
            .assert_eq(&go("https://a.example/cb?x=1", Some(ResponseMode::Query)));
        expect!["https://a.example/cb?code=c&state=a%20b%26c&iss=https%3A%2F%2Fauth.example"]
            .assert_eq(&go("https://a.example/cb?", None));
        expect![[r#"post https://a.example/cb [("code", "c"), ("state", "a b&c"), ("iss", "https://auth.example")]"#]]
            .assert_eq(&go("https://a.example/cb", Some(ResponseMode::FormPost)));
    }

    #[test]
    fn a_denial_goes_the_way_of_what_it_takes_the_place_of_rfc_6749_4_1_2_1() {
        let denied = || Err(No::UserDenied.into());
        let go =
            |dialect: &Dialect| way(&dialect.redirect(&back("https://a.example/cb", None, denied(), Fields::new())));
        expect!["https://a.example/cb?error=access_denied&error_description=The%20user%20denied%20the%20request."]
            .assert_eq(&go(&standard()));
        let implicit = loaded("i", "grants = [\"implicit\"]\nwaives = [\"implicit-grant\"]\n[endpoint.authorize]\n");
        expect!["https://a.example/cb#error=access_denied&error_description=The%20user%20denied%20the%20request."]
            .assert_eq(&go(&implicit));
    }

    #[test]
    fn printing_an_answer_shows_no_token() {
        let standard = standard();
        let out = standard.encode(standard.at(Endpoint::Token).unwrap(), &token_reply(), &Context::default());
        assert_eq!(format!("{out:?}"), format!("Outgoing(200, {} bytes)", out.body.len()));
        let redirect = standard.redirect(&back("https://a.example/cb", None, code(), state()));
        assert_eq!(format!("{redirect:?}"), "Location(…)");
    }

    #[test]
    fn a_header_that_would_break_the_line_is_left_out() {
        let dialect = standard_with("[reply.token]\nheaders = { X-Scope = \"$scope\" }\n");
        let reply = Reply::new(ReplyKind::Token, Fields::new().with(Field::Scope, "a\r\nSet-Cookie: x=1"));
        assert!(!encode(&dialect, Endpoint::Token, &reply).contains("X-Scope"));
    }

    proptest! {
        #[test]
        fn whatever_a_client_is_told_it_can_read_again(value in any::<String>()) {
            let answer = Ok(Reply::new(ReplyKind::Code, Fields::new().with(Field::Code, value.clone())));
            let location = way(&standard().redirect(&back("https://a.example/cb", None, answer, Fields::new())));
            let read = location.strip_prefix("https://a.example/cb?code=").map(|text| crate::form_text::unescape(text.as_bytes()));
            prop_assert!(value.is_empty() || read.flatten().as_deref() == Some(value.as_str()));
            let reply = Reply::new(ReplyKind::Token, Fields::new().with(Field::AccessToken, value.clone()));
            let out = standard().encode(standard().at(Endpoint::Token).unwrap(), &reply, &Context::default());
            let json: Value = serde_json::from_slice(&out.body).unwrap();
            prop_assert!(value.is_empty() || json["access_token"].as_str() == Some(&*value));
        }
    }
}
