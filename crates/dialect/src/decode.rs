//! From a request to canonical parameters: places are read, names are changed, and nothing is decided but whether the
//! request can be read at all.

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use protocol::model::GrantType;
use protocol::refusal::{No, Refusal};
use protocol::secret::Secret;
use protocol::wire::{Param, Params};

use crate::authorization;
use crate::places::{self, Slots};
use crate::rules::{Address, At, Auth, Dialect, Place};

/// How many parameters a request may have, known or not. The largest real request has about twenty.
pub const PARAMETERS_MAX: usize = 64;
/// The longest name of a parameter, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// The longest value of a parameter, in bytes: a JWT of a careful issuer fits.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;

/// A request as it came, without the world around it.
#[derive(Clone, Copy)]
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

/// The method only: everything else may be secret.
impl std::fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Incoming({}, …)", self.method)
    }
}

impl Dialect {
    /// Reads a request that came for the address `at`.
    ///
    /// # Errors
    /// What cannot be read, what is there twice, what is too large, and what must be there and is not. Of an authorization
    /// request, a fault that its application can be told about is no error here, but stands in [`Params::fault`].
    pub fn decode(&self, at: At, incoming: &Incoming<'_>) -> Result<Params, Refusal> {
        let address = self.address(at);
        let row = address.endpoint.row();
        // RFC 9110 §9.3.2: HEAD is "identical to GET except that the server MUST NOT send content in the response".
        let method = if incoming.method == "HEAD" { "GET" } else { incoming.method };
        if !address.methods.iter().any(|own| own == method) {
            return Err(No::MethodUnknown.into());
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
        let in_query: Vec<&str> = accepted().filter_map(Place::query).collect();
        let in_form: Vec<&str> = accepted().filter_map(Place::form).collect();
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
        } else if address.from.json && media_type.eq_ignore_ascii_case("application/json") {
            places::read_json(incoming.body, slots)
        } else {
            Err(No::BodyTypeUnknown.into())
        }
    }

    /// The access token, from whichever place has one. `placed` are those of the query and the body.
    fn bearer(&self, incoming: &Incoming<'_>, placed: Vec<Secret>) -> Result<Option<Secret>, Refusal> {
        let headers = incoming.headers;
        let mut found = placed;
        found.extend(authorization::bearer(&self.bearer.accept, headers)?);
        for place in &self.bearer.accept {
            let Place::Header(name) = place else { continue };
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

    /// The access tokens in those places of RFC 6750 §2 that this surface does not read.
    fn unread_tokens(&self, incoming: &Incoming<'_>) -> Vec<Secret> {
        const NAME: &str = "access_token";
        let accepts = |is: &dyn Fn(&Place) -> bool| self.bearer.accept.iter().any(is);
        let mut unread = Vec::new();
        if !accepts(&|place| matches!(place, Place::Scheme(own) if own.eq_ignore_ascii_case("Bearer"))) {
            let bearer = [Place::Scheme("Bearer".to_owned())];
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

    /// The surface's own words for grants become those of the RFCs. A word that is not of this surface is refused here,
    /// or else the RFC's own word would work beside the surface's.
    fn rename_words(&self, params: &mut Params) -> Result<(), Refusal> {
        if let Some(sent) = params.value(Param::GrantType) {
            let own = self.words.iter().find(|own| own.word.as_deref() == Some(sent));
            let own = own.ok_or(Refusal::of(No::GrantTypeUnknown, Param::GrantType))?;
            replace(params, Param::GrantType, own.grant.as_str());
        }
        if let Some(sent) = params.value(Param::ResponseType) {
            let own = self.words.iter().find(|own| own.response_type.as_deref() == Some(sent));
            let is_ours = |grant: &GrantType| grant.row().response_type == Some(sent);
            match own.and_then(|own| own.grant.row().response_type) {
                Some(meant) => replace(params, Param::ResponseType, meant),
                // The judge refuses it, and tells the client by a redirect: RFC 6749 §4.1.2.1.
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
        // It is absent now, so that it cannot be there twice.
        let _ = params.push(param, value.to_owned());
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// The media type of the body, without its parameters.
fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

fn check_need(address: &Address, params: &mut Params) -> Result<(), Refusal> {
    for param in &address.need {
        let is_there = match param {
            Param::ClientId | Param::ClientSecret => params.value(*param).is_some() || params.basic.is_some(),
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
    let is_client_silent = params.basic.is_none() && params.value(Param::ClientSecret).is_none();
    let auth = address.auth;
    if address.endpoint.row().takes_client && is_client_silent && !auth.none && !auth.anybody {
        let no = if params.value(Param::ClientId).is_some() { No::ClientSecretMissing } else { No::ClientMissing };
        return Err(no.into());
    }
    Ok(())
}

/// The client credentials of the header alone, for addresses that are no dialect's.
///
/// # Errors
/// [`No::ClientHeaderMalformed`], or [`No::AuthorizationMalformed`] when there are several.
pub fn client_header(headers: &HeaderMap) -> Result<Params, Refusal> {
    let mut params = Params::default();
    authorization::client(Auth { basic: true, ..Auth::default() }, headers, &mut params)?;
    Ok(params)
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
        // A state goes back as it came, whatever RFC 6749 appendix A.5 says of its characters. The parser of scopes
        // refuses what no scope can have.
        Param::State | Param::Scope => true,
        Param::LoginHint | Param::Prompt => !value.chars().any(char::is_control),
        _ => value.bytes().all(|b| (0x20..=0x7e).contains(&b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Ask, loaded, standard, standard_with};
    use expect_test::expect;
    use proptest::prelude::*;
    use protocol::endpoint::{self, Endpoint};

    /// JSON in, other names, another word for the grant.
    fn json_token() -> Dialect {
        loaded(
            "odd",
            r#"
grants = ["authorization_code"]
waives = ["secret-in-query"]
[scope]
sep = ","
[endpoint.authorize]
[endpoint.token]
from   = ["json", "query"]
need   = ["code", "client_id"]
names  = { client_id = "app_id", client_secret = "secret", otp = "token" }
assume = { grant_type = "authorization_code" }
auth   = ["params"]
[grant]
authorization_code = { word = "web" }
"#,
        )
    }

    #[test]
    fn a_form_is_read_and_unknown_parameters_are_ignored_rfc_6749_3_2() {
        let ask = Ask::form(
            "grant_type=authorization_code&code=a%2Bb+c&x=%&redirect_uri=https%3A%2F%2Fa.example%2Fcb&state=s",
        );
        expect![[r#"
            grant_type = authorization_code
            code = a+b c
            redirect_uri = https://a.example/cb
        "#]]
        .assert_eq(&ask.read(&standard(), Endpoint::Token));
    }

    #[test]
    fn a_parameter_sent_twice_is_refused_rfc_6749_3_1() {
        let read = |ask: Ask<'_>| ask.read(&standard(), Endpoint::Authorize);
        let request = "response_type=code&client_id=web";
        expect!["no: ParameterRepeated client_id\n"].assert_eq(&read(Ask::get(&format!("{request}&client_id=web"))));
        let same = Ask { query: Some(request), ..Ask::form("client_id=web") };
        expect![[r#"
            response_type = code
            client_id = web
        "#]]
        .assert_eq(&read(same));
        let other = Ask { query: Some(request), ..Ask::form("client_id=other") };
        expect!["no: ParameterRepeated client_id\n"].assert_eq(&read(other));
        let unknown = Ask::get("response_type=code&client_id=web&x=1&x=2");
        assert!(read(unknown).starts_with("response_type"));
    }

    #[test]
    fn a_parameter_without_a_value_is_not_there_rfc_6749_3_1() {
        let ask = Ask::get("response_type=code&client_id=&client_id=web&state=&scope");
        expect![[r#"
            response_type = code
            client_id = web
        "#]]
        .assert_eq(&ask.read(&standard(), Endpoint::Authorize));
    }

    #[test]
    fn a_resource_may_be_named_twice_rfc_8707_2() {
        let ask = Ask::get("response_type=code&client_id=web&resource=https://a&resource=https://b");
        expect![[r#"
            response_type = code
            client_id = web
            resource = https://a
            resource = https://b
        "#]]
        .assert_eq(&ask.read(&standard(), Endpoint::Authorize));
    }

    #[test]
    fn a_redirect_uri_need_not_be_escaped_and_a_state_comes_through_byte_for_byte() {
        let ask = Ask::get("client_id=web&response_type=code&redirect_uri=https://a.b/cb&state=%20a%26%3D%2B~%7E");
        expect![[r#"
            client_id = web
            response_type = code
            redirect_uri = https://a.b/cb
            state =  a&=+~~
        "#]]
        .assert_eq(&ask.read(&standard(), Endpoint::Authorize));
    }

    #[test]
    fn characters_that_a_value_cannot_have_are_refused_rfc_6749_appendix_a() {
        let read = |value: &str| {
            Ask::get(&format!("response_type=code&client_id=web&{value}")).read(&standard(), Endpoint::Authorize)
        };
        let request = "response_type = code\nclient_id = web\n";
        for (value, param) in [
            ("nonce=%00", "nonce"),
            ("nonce=a%0Ab", "nonce"),
            ("response_mode=%C3%A4", "response_mode"),
            ("prompt=%7F", "prompt"),
        ] {
            assert_eq!(read(value), format!("{request}fault: ParameterMalformed {param}\n"), "{value}");
        }
        assert_eq!(read("redirect_uri=https://a.b/c%20d"), "no: ParameterMalformed redirect_uri\n");
        assert_eq!(read("%ff=1"), format!("{request}fault: QueryMalformed\n"));
        assert!(read("login_hint=Zo%C3%AB").ends_with("login_hint = Zoë\n"));
        let token =
            |value: &str| Ask::form(&format!("grant_type=refresh_token&{value}")).read(&standard(), Endpoint::Token);
        for value in ["code=%00", "code=a%0Ab", "code=%C3%A4", "code=%7F", "code=%", "code=%4", "code=%zz", "code=%ff"]
        {
            assert_eq!(token(value), "no: ParameterMalformed code\n", "{value}");
        }
    }

    #[test]
    fn a_state_is_any_text_and_one_that_is_none_is_told_to_the_application_without_it() {
        let read = |value: &str| {
            Ask::get(&format!("response_type=code&client_id=web&state={value}")).read(&standard(), Endpoint::Authorize)
        };
        let request = "response_type = code\nclient_id = web\n";
        for (value, state) in [
            ("%00", "\0"),
            ("a%0Ab", "a\nb"),
            ("%C3%A4", "ä"),
            ("%E6%97%A5", "日"),
            ("%7F", "\u{7f}"),
            ("+", " "),
            ("日", "日"),
        ] {
            assert_eq!(read(value), format!("{request}state = {state}\n"), "{value}");
        }
        assert_eq!(read(""), request);
        for value in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(read(value), format!("{request}fault: ParameterMalformed state\n"), "{value}");
        }
        let longest = "s".repeat(VALUE_BYTES_MAX);
        assert_eq!(read(&longest), format!("{request}state = {longest}\n"));
        assert_eq!(read(&(longest + "s")), format!("{request}fault: ParameterTooLong state\n"));
        // Of two states nobody knows which one is meant; the same one twice is a fault all the same.
        assert_eq!(read("a&state=b"), format!("{request}fault: ParameterRepeated state\n"));
        assert_eq!(read("a&state=a"), format!("{request}state = a\nfault: ParameterRepeated state\n"));
    }

    #[test]
    fn what_the_application_can_be_told_is_no_error_before_client_and_redirect_uri_are_known_rfc_6749_4_1_2_1() {
        let read = |dialect: &Dialect, ask: Ask<'_>| ask.read(dialect, Endpoint::Authorize);
        let standard = standard();
        let fault = |ask: Ask<'_>| read(&standard, ask).lines().last().unwrap_or_default().to_owned();
        let request = "client_id=web&response_type=code";
        assert_eq!(fault(Ask::get(&format!("{request}&scope=a&scope=b"))), "fault: ParameterRepeated scope");
        let other = Ask { query: Some("prompt=none"), ..Ask::form("client_id=web&prompt=login") };
        assert_eq!(fault(other), "fault: ParameterRepeated prompt");
        let many = format!("{request}{}", "&x=1".repeat(PARAMETERS_MAX));
        assert_eq!(fault(Ask::get(&many)), "fault: RequestTooLarge");
        assert_eq!(
            read(&standard, Ask::get("client_id=a&client_id=b&prompt=%00")),
            "no: ParameterRepeated client_id\n"
        );
        let long = format!("{request}&redirect_uri=https://a/{}", "x".repeat(VALUE_BYTES_MAX));
        assert_eq!(read(&standard, Ask::get(&long)), "no: ParameterTooLong redirect_uri\n");
        let odd = standard_with("[endpoint.authorize]\nfrom = [\"json\"]\nneed = [\"client_id\", \"state\"]\n");
        let json = r#"{"client_id":"web","scope":["a"],"nonce":"n"}"#;
        assert_eq!(read(&odd, Ask::json(json)), "client_id = web\nnonce = n\nfault: ParameterMalformed scope\n");
        let bare = r#"{"client_id":"web"}"#;
        assert_eq!(read(&odd, Ask::json(bare)), "client_id = web\nfault: ParameterMissing state\n");
    }

    #[test]
    fn a_challenge_method_in_lower_case_is_spelling_rfc_7636_4_3() {
        let read = |method: &str| {
            Ask::get(&format!("client_id=web&code_challenge_method={method}")).read(&standard(), Endpoint::Authorize)
        };
        assert_eq!(read("s256"), "client_id = web\ncode_challenge_method = S256\n");
        assert_eq!(read("Plain"), "client_id = web\ncode_challenge_method = Plain\n");
    }

    #[test]
    fn what_must_be_there_is_asked_for_by_name() {
        assert_eq!(
            Ask::get("response_type=code").read(&standard(), Endpoint::Authorize),
            "no: ParameterMissing client_id\n"
        );
        // Where the application can be told, the judge of the request tells it.
        assert_eq!(Ask::get("client_id=web").read(&standard(), Endpoint::Authorize), "client_id = web\n");
        assert_eq!(Ask::form("").read(&standard(), Endpoint::Token), "no: ParameterMissing grant_type\n");
        assert_eq!(Ask::form("token=t").read(&standard(), Endpoint::Introspect), "no: ClientMissing\n");
        assert_eq!(
            Ask::form("token=t&client_id=a").read(&standard(), Endpoint::Introspect),
            "no: ClientSecretMissing\n"
        );
        assert_eq!(Ask::form("token=t&client_id=a").read(&standard(), Endpoint::Revoke), "token = t\nclient_id = a\n");
    }

    #[test]
    fn limits_are_held() {
        let standard = standard();
        let read = |ask: Ask<'_>| ask.read(&standard, Endpoint::Token);
        let many = "x=1&".repeat(PARAMETERS_MAX + 1);
        assert_eq!(read(Ask::form(&many)), "no: RequestTooLarge\n");
        let long_name = format!("{}=1", "n".repeat(NAME_BYTES_MAX + 1));
        assert_eq!(read(Ask::form(&long_name)), "no: RequestTooLarge\n");
        let long_value = format!("code={}", "v".repeat(VALUE_BYTES_MAX + 1));
        assert_eq!(read(Ask::form(&long_value)), "no: ParameterTooLong code\n");
        let largest = format!("grant_type=authorization_code&code={}", "v".repeat(VALUE_BYTES_MAX));
        assert!(read(Ask::form(&largest)).contains("code = vvv"));
    }

    #[test]
    fn other_places_than_the_listed_are_not_read() {
        let standard = standard();
        let in_query = Ask { query: Some("client_id=web&client_secret=s"), ..Ask::form("grant_type=refresh_token") };
        assert_eq!(in_query.read(&standard, Endpoint::Token), "grant_type = refresh_token\n");
        assert_eq!(Ask::json("{}").read(&standard, Endpoint::Token), "no: BodyTypeUnknown\n");
        let untyped = Ask { headers: vec![], ..Ask::form("grant_type=refresh_token") };
        assert_eq!(untyped.read(&standard, Endpoint::Token), "no: BodyTypeUnknown\n");
        let with_charset =
            Ask { headers: vec![("content-type", "Application/X-WWW-form-urlencoded ; charset=UTF-8")], ..untyped };
        assert_eq!(with_charset.read(&standard, Endpoint::Token), "grant_type = refresh_token\n");
    }

    #[test]
    fn a_method_that_is_not_listed_is_refused_and_head_is_get_rfc_9110_9_3_2() {
        let standard = standard();
        assert_eq!(Ask::get("grant_type=x").read(&standard, Endpoint::Token), "no: MethodUnknown\n");
        let head = Ask { method: "HEAD", ..Ask::get("") };
        assert_eq!(head.read(&standard, Endpoint::Metadata), "");
    }

    #[test]
    fn json_becomes_text_and_names_and_words_become_canonical() {
        let ask =
            Ask::json(r#"{"code":"c","app_id":42,"secret":true,"scope":"a,b","x":{"y":[1]},"state":null,"token":0.5}"#);
        expect![[r#"
            code = c
            client_id = 42
            client_secret = true
            otp = 0.5
            scope = a b
            grant_type = authorization_code
        "#]]
        .assert_eq(&ask.read(&json_token(), Endpoint::Token));
    }

    #[test]
    fn json_that_is_not_an_object_of_scalars_is_refused() {
        let dialect = json_token();
        let read = |body: &str| Ask::json(body).read(&dialect, Endpoint::Token);
        assert_eq!(read(r#"{"code":["c"]}"#), "no: ParameterMalformed code\n");
        assert_eq!(read(r#"{"code":{"c":{}}}"#), "no: ParameterMalformed code\n");
        assert_eq!(read(r#"{"code":"c","code":"c"}"#), "no: ParameterRepeated code\n");
        assert_eq!(read(r#"{"code":"\u0000"}"#), "no: ParameterMalformed code\n");
        for body in ["[]", "1", "{", "{}x", "\"a\"", "{\"code\":\"\\ud800\"}"] {
            assert_eq!(read(body), "no: BodyMalformed\n", "{body}");
        }
        // Depth costs nothing where it is ignored, and a refusal where it is not.
        let deep = "[".repeat(50_000);
        assert_eq!(read(&format!("{{\"x\":{deep}")), "no: BodyMalformed\n");
        assert_eq!(read(&format!("{{\"code\":{deep}")), "no: BodyMalformed\n");
    }

    #[test]
    fn a_word_of_another_surface_is_unknown() {
        let dialect = json_token();
        let read = |word: &str| {
            Ask::json(&format!(r#"{{"code":"c","app_id":"a","secret":"s","grant_type":"{word}"}}"#))
                .read(&dialect, Endpoint::Token)
        };
        assert_eq!(read("authorization_code"), "no: GrantTypeUnknown grant_type\n");
        assert!(read("web").ends_with("grant_type = authorization_code\n"));
    }

    #[test]
    fn a_name_that_was_given_away_is_unknown() {
        let ask = Ask::json(r#"{"code":"c","client_id":"a","client_secret":"s"}"#);
        assert_eq!(ask.read(&json_token(), Endpoint::Token), "no: ParameterMissing client_id\n");
    }

    #[test]
    fn a_token_comes_from_the_listed_places_and_from_one_at_a_time_rfc_6750_2() {
        let dialect = standard_with(
            "waives = [\"token-in-query\"]\n[bearer]\naccept = [\"Bearer\", \"token\", \"raw\", \"header:X-Token\", \"query:access_token\", \"form:access_token\"]\n",
        );
        let read = |ask: Ask<'_>| ask.read(&dialect, Endpoint::Userinfo);
        for ask in [
            Ask::get("").with("authorization", "bearer  abc"),
            Ask::get("").with("authorization", "TOKEN abc"),
            Ask::get("").with("authorization", "abc"),
            Ask::get("").with("x-token", "abc"),
            Ask::get("access_token=abc"),
            Ask::form("access_token=abc"),
        ] {
            assert_eq!(read(ask), "bearer abc\n");
        }
        assert_eq!(read(Ask::get("access_token=abc").with("x-token", "abd")), "no: TokenSentTwice\n");
        // The same token in two places that are both accepted is one token.
        assert_eq!(read(Ask::get("access_token=abc").with("x-token", "abc")), "bearer abc\n");
        assert_eq!(read(Ask::form("access_token=abc").with("authorization", "Bearer abc")), "bearer abc\n");
        assert_eq!(read(Ask::get("access_token=a&access_token=a")), "no: TokenSentTwice\n");
        assert_eq!(read(Ask::get("").with("authorization", "Basic YTpi")), "");
        assert_eq!(read(Ask::get("").with("authorization", "Bearer a b")), "no: AuthorizationMalformed\n");
        let only_header = standard();
        assert_eq!(Ask::get("access_token=abc").read(&only_header, Endpoint::Userinfo), "");
        assert_eq!(Ask::get("").with("authorization", "abc").read(&only_header, Endpoint::Userinfo), "");
    }

    #[test]
    fn a_token_in_a_place_that_is_not_read_is_a_second_one_rfc_6750_2() {
        let odd = |accept: &str| {
            loaded("odd", &format!("grants = []\n[endpoint.userinfo]\n[bearer]\naccept = [\"{accept}\"]\n"))
        };
        let twice = "no: TokenSentTwice\n";
        let standard = standard();
        let query = Ask::get("x=%&access%5Ftoken=abc&y").with("authorization", "Bearer abc");
        let body = Ask::form("access_token=abc").with("authorization", "Bearer abc");
        let both = Ask { query: Some("access_token=abc"), ..Ask::form("access_token=abc") };
        for ask in [&query, &body, &both] {
            assert_eq!(ask.read(&standard, Endpoint::Userinfo), twice);
        }
        for ask in [&query, &body] {
            assert_eq!(ask.read(&odd("Bearer"), Endpoint::Userinfo), twice);
        }
        let header = odd("header:X-Token");
        let own = Ask::get("").with("x-token", "abc");
        for bearer in ["Bearer abc", "Bearer abd"] {
            assert_eq!(own.clone().with("authorization", bearer).read(&header, Endpoint::Userinfo), twice);
        }
        let other = Ask { query: Some("access_token=abd"), ..own };
        assert_eq!(other.read(&header, Endpoint::Userinfo), twice);
        // An empty parameter is none, and one token in a place that is not read is no token.
        let empty = Ask::get("access_token=&access_token").with("authorization", "Bearer abc");
        assert_eq!(empty.read(&standard, Endpoint::Userinfo), "bearer abc\n");
        assert_eq!(Ask::form("access_token=abc").read(&standard, Endpoint::Userinfo), "");
    }

    #[test]
    fn the_redirect_uri_is_assumed_at_the_address_that_says_so_and_at_no_other() {
        let dialect = loaded(
            "odd",
            r#"
grants = ["authorization_code", "refresh_token"]
waives = ["code-without-redirect-uri"]
[endpoint.authorize]
[endpoint.token]
assume = { redirect_uri = "$authorized" }
[endpoint.renew]
role = "token"
path = "/renew"
[endpoint.strict]
role = "token"
path = "/strict"
need = ["redirect_uri"]
assume = { redirect_uri = "$authorized" }
"#,
        );
        let headers = HeaderMap::new();
        let incoming = Incoming { method: "POST", query: None, headers: &headers, body: b"" };
        let assumed = dialect.addresses().filter(|(at, own)| {
            own.name != "authorize"
                && dialect
                    .decode(*at, &incoming)
                    .map_or_else(|_| dialect.is_redirect_uri_waived_at(own), |params| params.is_redirect_uri_assumed)
        });
        assert_eq!(assumed.map(|(_, own)| own.name.as_str()).collect::<Vec<_>>(), ["token"]);
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_refused_and_nothing_panics(
            method in prop::sample::select(vec!["GET", "POST", "HEAD", "BREW"]),
            query in prop::option::of("[ -~]{0,80}"),
            content_type in prop::sample::select(vec!["application/x-www-form-urlencoded", "application/json", "", "text/plain"]),
            authorization in prop::option::of("(Basic|Bearer|)[ -~]{0,40}"),
            body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
            if let Some(value) = &authorization {
                headers.insert(AUTHORIZATION, value.parse().unwrap());
            }
            for dialect in [standard(), json_token()] {
                for row in endpoint::TABLE {
                    let Some(at) = dialect.at(row.endpoint) else { continue };
                    let incoming = Incoming { method, query: query.as_deref(), headers: &headers, body: &body };
                    let _ = dialect.decode(at, &incoming);
                }
            }
        }

        #[test]
        fn a_value_comes_through_a_form_and_through_json_unchanged(state in "(?s).{1,60}") {
            let mut form = "response_type=code&client_id=web".to_owned();
            form.push_str("&state=");
            crate::template::write_percent(&state, &mut form);
            let expected = format!("response_type = code\nclient_id = web\nstate = {state}\n");
            prop_assert_eq!(Ask::form(&form).read(&standard(), Endpoint::Authorize), &*expected);
            let odd = standard_with("[endpoint.authorize]\nfrom = [\"json\"]\n");
            let json = serde_json::json!({"response_type": "code", "client_id": "web", "state": state}).to_string();
            prop_assert_eq!(Ask::json(&json).read(&odd, Endpoint::Authorize), expected);
        }
    }
}
