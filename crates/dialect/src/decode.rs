//! Decodes a request into canonical parameters. Reads the places that the dialect names and translates parameter names.
//! The only decision made here is whether the request can be read.

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use protocol::model::GrantType;
use protocol::refusal::{No, Refusal};
use protocol::secret::Secret;
use protocol::wire::{Param, Params};

use crate::authorization;
pub use crate::bounds::{NAME_BYTES_MAX, PARAMETERS_MAX, VALUE_BYTES_MAX};
use crate::places::{self, Slots};
use crate::rules::{Address, At, Auth, Dialect, TokenLocation};

/// An HTTP request as it was received.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The query string, without the question mark, not decoded.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body. The caller has already enforced a size limit.
    pub body: &'a [u8],
}

/// Shows the method only, because everything else may be secret.
impl std::fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Incoming({}, …)", self.method)
    }
}

impl Dialect {
    /// Decodes a request to the endpoint `at`.
    ///
    /// # Errors
    /// A request that is malformed or too large, or in which a parameter is repeated or missing. A fault in an
    /// authorization request that the application can be told about is not an error: it is noted in [`Params::fault`].
    pub fn decode(&self, at: At, incoming: &Incoming<'_>) -> Result<Params, Refusal> {
        let address = self.address(at);
        let row = address.endpoint.row();
        // RFC 9110 §9.3.2: HEAD is "identical to GET except that the server MUST NOT send content in the response".
        let method = if incoming.method == "HEAD" { "GET" } else { incoming.method };
        if !address.methods.iter().any(|own| own == method) {
            let right = address.methods.iter().map(String::as_str);
            return Err(Refusal::from(No::MethodUnknown).with_value(incoming.method).with_choices(right));
        }
        let mut slots = Slots::new(address);
        self.read_places(address, method, incoming, &mut slots)?;
        let (mut params, placed) = slots.finish()?;
        params.bearer = if row.takes_bearer { self.bearer(incoming, placed)? } else { None };
        params.is_redirect_uri_assumed = self.is_redirect_uri_waived_at(address);
        if row.takes_client {
            authorization::client(address.auth, incoming.headers, &mut params)?;
        }
        self.rename_words(&mut params)?;
        for (param, value) in &address.assume {
            if params.value(*param).is_none() {
                replace(&mut params, *param, value);
            }
        }
        check_need(address, &mut params)?;
        Ok(params)
    }

    fn read_places<'a>(
        &'a self,
        address: &Address,
        method: &str,
        incoming: &Incoming<'_>,
        slots: &mut Slots<'a>,
    ) -> Result<(), Refusal> {
        let takes_bearer = address.endpoint.row().takes_bearer;
        let accepted = || self.bearer.accept.iter().filter(|_| takes_bearer);
        let in_query: Vec<&str> = accepted().filter_map(TokenLocation::query).collect();
        let in_form: Vec<&str> = accepted().filter_map(TokenLocation::form).collect();
        let reads_query = address.from.query || !in_query.is_empty();
        let reads_form = address.from.form || !in_form.is_empty();
        if let Some(query) = incoming.query.filter(|_| reads_query) {
            slots.begin_place(in_query);
            places::read_form(query.as_bytes(), No::QueryMalformed, slots)?;
        }
        slots.begin_place(in_form);
        let reads_body = reads_form || address.from.json;
        if method == "GET" || incoming.body.is_empty() || !reads_body {
            return Ok(());
        }
        let media_type = media_type(incoming.headers);
        if reads_form && media_type.eq_ignore_ascii_case(FORM) {
            places::read_form(incoming.body, No::BodyMalformed, slots)
        } else if address.from.json && media_type.eq_ignore_ascii_case(JSON) {
            places::read_json(incoming.body, slots)
        } else {
            let read = [(reads_form, FORM), (address.from.json, JSON)];
            let read = read.into_iter().filter(|(is_read, _)| *is_read).map(|(_, name)| name);
            // An absent header is no value.
            let sent = Some(media_type).filter(|sent| !sent.is_empty());
            let refusal = Refusal::from(No::BodyTypeUnknown);
            let refusal = sent.map_or(refusal, |sent| refusal.with_value(sent));
            Err(refusal.with_choices(read))
        }
    }

    /// Returns the access token of the request. `placed` are the tokens found in the query and the body.
    fn bearer(&self, incoming: &Incoming<'_>, placed: Vec<Secret>) -> Result<Option<Secret>, Refusal> {
        let headers = incoming.headers;
        let mut found = placed;
        found.extend(authorization::bearer(&self.bearer.accept, headers)?);
        for place in &self.bearer.accept {
            let TokenLocation::Header(name) = place else { continue };
            for value in headers.get_all(name) {
                found.push(authorization::bearer_text(value.to_str().unwrap_or_default())?);
            }
        }
        let unread = self.unread_tokens(incoming);
        let mut all = found.iter().chain(&unread).map(Secret::reveal);
        let first = all.next();
        // RFC 6750 §2: "Clients MUST NOT use more than one method to transmit the token in each request." The same token in
        // two places that the surface accepts is one token, as some libraries send it. A place that the surface does not
        // read is a second method whatever is in it: a proxy or a log may keep what is sent there.
        let differs = all.any(|other| Some(other) != first);
        let is_outside = !unread.is_empty() && found.len() + unread.len() > 1;
        if differs || is_outside { Err(No::TokenSentTwice.into()) } else { Ok(found.into_iter().next()) }
    }

    /// Returns the access tokens in those places of RFC 6750 §2 that this surface does not read.
    fn unread_tokens(&self, incoming: &Incoming<'_>) -> Vec<Secret> {
        const NAME: &str = "access_token";
        let accepts = |is: &dyn Fn(&TokenLocation) -> bool| self.bearer.accept.iter().any(is);
        let mut unread = Vec::new();
        if !accepts(&|place| matches!(place, TokenLocation::Scheme(own) if own.eq_ignore_ascii_case("Bearer"))) {
            let bearer = [TokenLocation::Scheme("Bearer".to_owned())];
            unread.extend(authorization::bearer(&bearer, incoming.headers).ok().flatten());
        }
        if !accepts(&|place| place.query() == Some(NAME)) {
            unread.extend(incoming.query.and_then(|query| places::find(query.as_bytes(), NAME)));
        }
        let is_form_read = accepts(&|place| place.form() == Some(NAME)) && !matches!(incoming.method, "GET" | "HEAD");
        if !is_form_read && media_type(incoming.headers).eq_ignore_ascii_case(FORM) {
            unread.extend(places::find(incoming.body, NAME));
        }
        unread
    }

    /// Translates the surface's words for grants into those of the RFCs. Refuses any other word: otherwise the RFC's
    /// word would work beside the surface's own.
    fn rename_words(&self, params: &mut Params) -> Result<(), Refusal> {
        if let Some(sent) = params.value(Param::GrantType) {
            let own = self.words.iter().find(|own| own.word.as_deref() == Some(sent));
            let own = own.ok_or_else(|| {
                let offered = self.words.iter().filter(|own| self.grants.contains(&own.grant));
                let words = offered.filter_map(|own| own.word.as_deref());
                Refusal::of(No::GrantTypeUnknown, Param::GrantType).with_value(sent).with_choices(words)
            })?;
            replace(params, Param::GrantType, own.grant.as_str());
        }
        if let Some(sent) = params.value(Param::ResponseType) {
            let own = self.words.iter().find(|own| own.response_type.as_deref() == Some(sent));
            let is_ours = |grant: &GrantType| grant.row().response_type == Some(sent);
            match own.and_then(|own| own.grant.row().response_type) {
                Some(meant) => replace(params, Param::ResponseType, meant),
                // The authorization endpoint refuses the unknown word, and reports it to the client by a redirect: RFC
                // 6749 §4.1.2.1.
                None if GrantType::ALL.iter().any(is_ours) => {
                    replace(params, Param::ResponseType, "of another surface");
                }
                None => {}
            }
        }
        // RFC 7636 §4.2 spells the method `S256`. Some libraries send `s256` and mean the same.
        if params.value(Param::CodeChallengeMethod).is_some_and(|method| method.eq_ignore_ascii_case("S256")) {
            replace(params, Param::CodeChallengeMethod, "S256");
        }
        if self.sep != " "
            && let Some(scope) = params.value(Param::Scope)
        {
            let scope = scope.replace(&self.sep, " ");
            replace(params, Param::Scope, &scope);
        }
        Ok(())
    }
}

fn replace(params: &mut Params, param: Param, value: &str) {
    if params.value(param) != Some(value) {
        params.take(param);
        // The parameter is absent, so adding it cannot fail because of a duplicate.
        let _ = params.push(param, value.to_owned());
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Returns the media type of the body, without its parameters.
fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

fn check_need(address: &Address, params: &mut Params) -> Result<(), Refusal> {
    for param in &address.need {
        let is_there = match param {
            Param::ClientId | Param::ClientSecret => {
                [*param, Param::ClientAssertion].into_iter().any(|own| params.value(own).is_some())
                    || params.basic.is_some()
            }
            _ => params.value(*param).is_some(),
        };
        if !is_there {
            let missing = Refusal::of(No::ParameterMissing, *param);
            if !places::is_told_to_application(address, Some(*param)) {
                return Err(missing);
            }
            params.fault.get_or_insert(missing);
        }
    }
    let is_sent = |param| params.value(param).is_some();
    let is_client_silent = params.basic.is_none() && !is_sent(Param::ClientSecret) && !is_sent(Param::ClientAssertion);
    let auth = address.auth;
    if address.endpoint.row().takes_client && is_client_silent && !auth.none && !auth.anybody {
        let no = if params.value(Param::ClientId).is_some() { No::ClientSecretMissing } else { No::ClientMissing };
        return Err(no.into());
    }
    Ok(())
}

impl Dialect {
    /// Names a refusal more exactly by what stands in the query of a request whose endpoint reads the body only: a parameter is
    /// then in the wrong place, not missing.
    #[must_use]
    pub fn explain(&self, at: At, incoming: &Incoming<'_>, refusal: &Refusal) -> Refusal {
        let address = self.address(at);
        let is_in_query = |param: Param| {
            let query = incoming.query.filter(|_| !address.from.query).unwrap_or_default();
            places::find(query.as_bytes(), address.wire_name(param)).is_some()
        };
        let no = match (refusal.no, refusal.param) {
            (No::ParameterMissing, Some(param)) if is_in_query(param) => No::ParameterInQuery,
            (No::ClientMissing, _) if is_in_query(Param::ClientId) => No::ClientInQuery,
            (no, _) => no,
        };
        Refusal { no, ..*refusal }
    }
}

/// Reads client credentials from the header only. For endpoints that belong to no dialect.
///
/// # Errors
/// [`No::ClientHeaderMalformed`], or [`No::AuthorizationMalformed`] if the header occurs more than once.
pub fn client_header(headers: &HeaderMap) -> Result<Params, Refusal> {
    let mut params = Params::default();
    authorization::client(Auth { basic: true, ..Auth::default() }, headers, &mut params)?;
    Ok(params)
}

/// Returns true if the client sent an `Authorization` header. A refusal then carries a challenge with the same scheme.
#[must_use]
pub fn has_authorization(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION)
}

#[cfg(test)]
mod tests;
