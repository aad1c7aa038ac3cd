//! From answers and refusals to the wire: templates are filled, words are changed, and nothing is decided.

use protocol::browser::{ResponseMode, Return};
use protocol::call::{Reply, ReplyKind};
use protocol::endpoint::Endpoint;
use protocol::model::GrantType;
use protocol::refusal::{ErrorKind, Refusal};
use protocol::wire::{Field, Fields, Param};
use serde_json::{Value, json};

use crate::rules::{At, Challenge, Delivery, Dialect, Place, ReplyRules, Shape};
use crate::template::{Escape, write_percent};
use crate::value::Values;

/// An answer, ready for the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body; `None` when there is none.
    pub content_type: Option<String>,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// The body. It may hold tokens.
    pub body: Vec<u8>,
}

/// What an answer is made for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Identifies the request in the logs; empty for none.
    pub request_id: &'a str,
    /// The grant behind a token reply, for surfaces that answer grants differently.
    pub grant: Option<GrantType>,
    /// Did the request have an `Authorization` header?
    pub had_authorization: bool,
}

/// An answer on its way to the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// The URL to send the browser to. It may hold a code or a token: not for logs.
    Location(String),
    /// A form for the browser to post.
    FormPost {
        /// Where to.
        action: String,
        /// Hidden inputs: names and values, unescaped.
        inputs: Vec<(String, String)>,
    },
}

const FORM: &str = "application/x-www-form-urlencoded";

impl Dialect {
    /// Spells a yes.
    #[must_use]
    pub fn encode(&self, at: At, reply: &Reply, context: &Context<'_>) -> Outgoing {
        let of_grant = context.grant.and_then(|grant| self.words_of(grant)).and_then(|own| own.reply);
        let of_address = self.address(at).reply.filter(|_| reply.kind != ReplyKind::Inactive);
        let named = of_grant.filter(|_| reply.kind == ReplyKind::Token).or(of_address);
        let rules = named.map(|at| &self.replies[at]).or_else(|| self.reply(reply.kind));
        // The loader made sure of every reply that an endpoint of this surface can come to give.
        let Some(rules) = rules else { return self.missing(context) };
        let mut out = self.fill(rules, rules.status.unwrap_or(200), &reply.fields, context);
        if at.endpoint != Endpoint::Metadata {
            no_store(&mut out);
        }
        out
    }

    /// Sends a browser on by the reply that the dialect has for its authorization endpoint; `None` when this server shows
    /// its pages there. `query` is the request's own, and goes along.
    #[must_use]
    pub fn hand_off(&self, at: At, query: &str, context: &Context<'_>) -> Option<Outgoing> {
        let rules = &self.replies[self.address(at).reply?];
        let page = self.screen.at.as_deref()?;
        let fields = Fields::new().with(Field::RedirectUrl, format!("{page}?{query}"));
        let mut out = self.fill(rules, rules.status.unwrap_or(302), &fields, context);
        no_store(&mut out);
        Some(out)
    }

    /// Spells a no. `at` is absent where there is no such address.
    #[must_use]
    pub fn refuse(&self, at: Option<At>, refusal: &Refusal, context: &Context<'_>) -> Outgoing {
        let kind = refusal.row().kind;
        let error = self.error(kind);
        let fields = self.refusal_fields(at, refusal);
        let mut out = self.fill(&self.replies[error.reply], error.status, &fields, context);
        no_store(&mut out);
        if let Some(challenge) = self.challenge(at, refusal, out.status, context) {
            out.headers.push(("WWW-Authenticate".to_owned(), challenge));
        }
        if let (ErrorKind::MethodNotAllowed, Some(at)) = (kind, at) {
            // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
            out.headers.push(("Allow".to_owned(), self.address(at).methods.join(", ")));
        }
        if let Some(seconds) = refusal.retry_after_s {
            out.headers.push(("Retry-After".to_owned(), seconds.to_string()));
        }
        out
    }

    /// Spells an answer that goes back through the browser.
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
            // The loader refuses a dialect in which this could be. Back to the application, without an answer.
            return Redirect::Location(back.to.as_str().to_owned());
        };
        let target = back.to.as_str();
        let mut location = target.to_owned();
        match back.mode.unwrap_or_else(|| self.usual_mode(*delivery)) {
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

    fn usual_mode(&self, delivery: Delivery) -> ResponseMode {
        match delivery {
            Delivery::Query => ResponseMode::Query,
            Delivery::Fragment => ResponseMode::Fragment,
            Delivery::FormPost => ResponseMode::FormPost,
            Delivery::Same => {
                let kind = if self.grants.contains(&GrantType::AuthorizationCode) {
                    ReplyKind::Code
                } else {
                    ReplyKind::Implicit
                };
                match self.reply(kind).map(|reply| &reply.shape) {
                    Some(Shape::Redirect(Delivery::Fragment, _)) => ResponseMode::Fragment,
                    Some(Shape::Redirect(Delivery::FormPost, _)) => ResponseMode::FormPost,
                    _ => ResponseMode::Query,
                }
            }
        }
    }

    fn fill(&self, rules: &ReplyRules, status: u16, fields: &Fields, context: &Context<'_>) -> Outgoing {
        let values = Values { fields, status, request_id: context.request_id, sep: &self.sep };
        let mut out = Outgoing { status, ..Outgoing::default() };
        let mut text = String::new();
        match &rules.shape {
            Shape::Json(json) => {
                out.content_type = Some("application/json".to_owned());
                out.body.reserve(512);
                json.fill(&values, &mut out.body);
            }
            Shape::Form(pairs) => {
                out.content_type = Some(FORM.to_owned());
                pairs.fill(&values, &mut text);
                out.body = text.into_bytes();
            }
            Shape::Text(media_type, template) => {
                let is_markup = ["xml", "html"].iter().any(|word| media_type.contains(word));
                template.fill(&values, if is_markup { Escape::Xml } else { Escape::Plain }, &mut text);
                out.content_type = Some(media_type.clone());
                out.body = text.into_bytes();
            }
            Shape::Redirect(..) | Shape::Empty => {}
        }
        for (name, template) in &rules.headers {
            let mut value = String::new();
            template.fill(&values, Escape::Plain, &mut value);
            // A line break in a value would begin a header of somebody's choice.
            if value.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
                out.headers.push((name.clone(), value));
            }
        }
        out
    }

    fn refusal_fields(&self, at: Option<At>, refusal: &Refusal) -> Fields {
        let row = refusal.row();
        let error = self.error(row.kind);
        let param = refusal.param.or(usual_param(row.kind));
        let wire_name = param.map(|param| at.map_or(param.as_str(), |at| self.address(at).wire_name(param)));
        let text = row.text.replace("{}", wire_name.unwrap_or_default());
        let faults: Vec<Value> = wire_name.map(|name| json!({"name": name, "error": text})).into_iter().collect();
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
            Place::Scheme(scheme) => Some(scheme.as_str()),
            _ => None,
        });
        let mut text = format!("{} realm=\"{}\"", scheme.unwrap_or("Bearer"), self.name);
        // RFC 6750 §3.1: "If the request lacks any authentication information […], the resource server SHOULD NOT
        // include an error code or other error information."
        if refusal.no == protocol::refusal::No::TokenMissing {
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

    fn missing(&self, context: &Context<'_>) -> Outgoing {
        self.refuse(None, &protocol::refusal::No::Broken.into(), context)
    }
}

/// RFC 6749 §5.1: "The authorization server MUST include the HTTP "Cache-Control" response header field with a value of
/// "no-store" in any response containing tokens, credentials, or other sensitive information, as well as the "Pragma"
/// response header field with a value of "no-cache"."
fn no_store(out: &mut Outgoing) {
    out.headers.push(("Cache-Control".to_owned(), "no-store".to_owned()));
    out.headers.push(("Pragma".to_owned(), "no-cache".to_owned()));
}

/// The parameter that a kind of refusal is about, where the refusal itself names none.
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

/// Appends pairs to a query, escaped; for whoever builds a URL of this surface.
pub fn append_query(out: &mut String, pairs: &[(&str, &str)]) {
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        write_percent(name, out);
        out.push('=');
        write_percent(value, out);
    }
}
