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
                replace(&mut params, *param, value);
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
        if let Some(sent) = params.value(Param::GrantType) {
            let own = self.words.iter().find(|own| own.word.as_deref() == Some(sent));
            let own = own.ok_or(Refusal::of(No::GrantTypeUnknown, Param::GrantType))?;
            replace(params, Param::GrantType, own.grant.as_str());
        }
        if let Some(sent) = params.value(Param::ResponseType) {
            let own = self.words.iter().find(|own| own.response_type.as_deref() == Some(sent));
            match own.map(|own| own.grant) {
                Some(GrantType::AuthorizationCode) => replace(params, Param::ResponseType, "code"),
                Some(GrantType::Implicit) => replace(params, Param::ResponseType, "token"),
                // The judge refuses it, and tells the client by a redirect: RFC 6749 §4.1.2.1.
                _ if matches!(sent, "code" | "token") => replace(params, Param::ResponseType, "of another surface"),
                _ => {}
            }
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
        Param::LoginHint | Param::Scope | Param::Prompt => !value.chars().any(char::is_control),
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
        for value in
            ["state=%00", "state=a%0Ab", "state=%C3%A4", "state=%7F", "state=%", "state=%4", "state=%zz", "state=%ff"]
        {
            assert_eq!(read(value), "no: ParameterMalformed state\n", "{value}");
        }
        assert_eq!(read("redirect_uri=https://a.b/c%20d"), "no: ParameterMalformed redirect_uri\n");
        assert_eq!(read("%ff=1"), "no: QueryMalformed\n");
        assert!(read("login_hint=Zo%C3%AB").ends_with("login_hint = Zoë\n"));
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
        assert_eq!(read(Ask::form(&long_value)), "no: RequestTooLarge\n");
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
        assert_eq!(read(Ask::get("access_token=abc").with("x-token", "abc")), "no: TokenSentTwice\n");
        assert_eq!(read(Ask::get("access_token=a&access_token=a")), "no: TokenSentTwice\n");
        assert_eq!(read(Ask::get("").with("authorization", "Basic YTpi")), "");
        assert_eq!(read(Ask::get("").with("authorization", "Bearer a b")), "no: AuthorizationMalformed\n");
        let only_header = standard();
        assert_eq!(Ask::get("access_token=abc").read(&only_header, Endpoint::Userinfo), "");
        assert_eq!(Ask::get("").with("authorization", "abc").read(&only_header, Endpoint::Userinfo), "");
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
        fn a_value_comes_through_a_form_and_through_json_unchanged(state in "[ -~]{1,60}") {
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
