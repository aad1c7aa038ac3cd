//! From a request to canonical parameters: places are read, names are changed, and nothing is decided but whether the
//! request can be read at all.

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use protocol::refusal::{No, Refusal};
use protocol::secret::Secret;
use protocol::wire::{Param, Params};

use crate::authorization;
use crate::places::{self, Slots};
use crate::rules::{Address, At, Dialect, Place};

/// How many parameters a request may have, known or not. The largest real request has about twenty.
pub const PARAMETERS_MAX: usize = 64;
/// The longest name of a parameter, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// The longest value of a parameter, in bytes: a JWT of a careful issuer fits.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;

/// A request as it came, without the world around it.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The method.
    pub method: &'a str,
    /// What follows the question mark, undecoded.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, which the caller has already cut off at a limit of its own.
    pub body: &'a [u8],
}

impl Dialect {
    /// Reads a request that came for the address `at`.
    ///
    /// # Errors
    /// What cannot be read, what is there twice, what is too large, and what must be there and is not.
    pub fn decode(&self, at: At, incoming: &Incoming<'_>) -> Result<Params, Refusal> {
        let address = self.address(at);
        let row = address.endpoint.row();
        // RFC 9110 §9.3.2: HEAD is "identical to GET except that the server MUST NOT send content in the response".
        let method = if incoming.method == "HEAD" { "GET" } else { incoming.method };
        if !address.methods.iter().any(|own| own == method) {
            return Err(No::MethodUnknown.into());
        }
        let mut slots = Slots::new(address, self.bearer_names(row.takes_bearer));
        self.read_places(address, method, incoming, &mut slots)?;
        let (mut params, placed) = slots.finish()?;
        params.bearer = if row.takes_bearer { self.bearer(incoming.headers, placed)? } else { None };
        if row.takes_client {
            authorization::client(address.auth, incoming.headers, &mut params)?;
        }
        self.rename_words(&mut params)?;
        for (param, value) in &address.assume {
            if params.value(*param).is_none() {
                // It is absent, so that it cannot be there twice.
                let _ = params.push(*param, value.clone());
            }
        }
        check_need(address, &params)?;
        Ok(params)
    }

    fn read_places(
        &self,
        address: &Address,
        method: &str,
        incoming: &Incoming<'_>,
        slots: &mut Slots<'_>,
    ) -> Result<(), Refusal> {
        let takes_bearer = address.endpoint.row().takes_bearer;
        let has_bearer_in = |is: fn(&Place) -> bool| takes_bearer && self.bearer.accept.iter().any(is);
        let reads_query = address.from.query || has_bearer_in(|place| matches!(place, Place::Query(_)));
        if let Some(query) = incoming.query.filter(|_| reads_query) {
            places::read_form(query.as_bytes(), No::QueryMalformed, slots)?;
            slots.next_place();
        }
        let reads_form = address.from.form || has_bearer_in(|place| matches!(place, Place::Form(_)));
        let reads_body = reads_form || address.from.json;
        if method == "GET" || incoming.body.is_empty() || !reads_body {
            return Ok(());
        }
        let media_type = incoming.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if reads_form && media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            places::read_form(incoming.body, No::BodyMalformed, slots)
        } else if address.from.json && media_type.eq_ignore_ascii_case("application/json") {
            places::read_json(incoming.body, slots)
        } else {
            Err(No::BodyTypeUnknown.into())
        }
    }

    fn bearer_names(&self, takes_bearer: bool) -> impl Iterator<Item = &str> {
        self.bearer.accept.iter().filter(move |_| takes_bearer).filter_map(|place| match place {
            Place::Query(name) | Place::Form(name) => Some(name.as_str()),
            Place::Scheme(_) | Place::Raw | Place::Header(_) => None,
        })
    }

    /// The access token, from whichever place has one.
    fn bearer(&self, headers: &HeaderMap, placed: Option<Secret>) -> Result<Option<Secret>, Refusal> {
        let mut found: Vec<Secret> = placed.into_iter().collect();
        found.extend(authorization::bearer(&self.bearer.accept, headers)?);
        for place in &self.bearer.accept {
            let Place::Header(name) = place else { continue };
            for value in headers.get_all(name) {
                found.push(authorization::bearer_text(value.to_str().unwrap_or_default())?);
            }
        }
        // RFC 6750 §2: "Clients MUST NOT use more than one method to transmit the token in each request."
        if found.len() > 1 { Err(No::TokenSentTwice.into()) } else { Ok(found.pop()) }
    }

    /// The surface's own words for grants become those of the RFCs. A word that is not of this surface is refused here,
    /// or else the RFC's own word would work beside the surface's.
    fn rename_words(&self, params: &mut Params) -> Result<(), Refusal> {
        if let Some(sent) = params.take(Param::GrantType) {
            let own = self.words.iter().find(|own| own.word.as_deref() == Some(sent.as_str()));
            let own = own.ok_or(Refusal::of(No::GrantTypeUnknown, Param::GrantType))?;
            let _ = params.push(Param::GrantType, own.grant.as_str().to_owned());
        }
        if let Some(sent) = params.take(Param::ResponseType) {
            let own = self.words.iter().find(|own| own.response_type.as_deref() == Some(sent.as_str()));
            let word = match own.map(|own| own.grant) {
                Some(protocol::model::GrantType::AuthorizationCode) => "code".to_owned(),
                Some(protocol::model::GrantType::Implicit) => "token".to_owned(),
                // The judge refuses it, and tells the client by a redirect: RFC 6749 §4.1.2.1.
                _ if matches!(sent.as_str(), "code" | "token") => format!("unknown {sent}"),
                _ => sent,
            };
            let _ = params.push(Param::ResponseType, word);
        }
        if self.sep != " "
            && let Some(scope) = params.take(Param::Scope)
        {
            let _ = params.push(Param::Scope, scope.replace(&self.sep, " "));
        }
        Ok(())
    }
}

fn check_need(address: &Address, params: &Params) -> Result<(), Refusal> {
    for param in &address.need {
        let is_there = match param {
            Param::ClientId | Param::ClientSecret => params.value(*param).is_some() || params.basic.is_some(),
            _ => params.value(*param).is_some(),
        };
        if !is_there {
            return Err(Refusal::of(No::ParameterMissing, *param));
        }
    }
    let is_client_silent = params.basic.is_none() && params.value(Param::ClientSecret).is_none();
    let auth = address.auth;
    if address.endpoint.row().takes_client && is_client_silent && !auth.none && !auth.anybody {
        let no = if params.value(Param::ClientId).is_some() { No::ClientSecretMissing } else { No::ClientMissing };
        return Err(no.into());
    }
    Ok(())
}

/// Did the client send an `Authorization` header? A refusal then asks for another in the same scheme.
#[must_use]
pub fn has_authorization(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION)
}

/// May a value have this character? RFC 6749 appendix A: most are `VSCHAR`, printable ASCII; names and passwords are
/// `UNICODECHARNOCRLF`. What no RFC narrows down may be any text without control characters.
pub(crate) fn is_allowed(param: Param, value: &str) -> bool {
    match param {
        Param::Username | Param::Password => !value.chars().any(|c| c.is_control() && c != '\t'),
        Param::RedirectUri => value.bytes().all(|b| b.is_ascii_graphic()),
        Param::LoginHint | Param::Scope | Param::Prompt => !value.chars().any(char::is_control),
        _ => value.bytes().all(|b| (0x20..=0x7e).contains(&b)),
    }
}
