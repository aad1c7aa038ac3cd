use super::*;
use crate::sample::{Ask, loaded, standard, standard_with};
use expect_test::expect;
use proptest::prelude::*;
use protocol::endpoint::{self, Endpoint};

/// A dialect that reads JSON, under other parameter names and with another word for the grant.
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
    let ask =
        Ask::form("grant_type=authorization_code&code=a%2Bb+c&x=%&redirect_uri=https%3A%2F%2Fa.example%2Fcb&state=s");
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
    for value in ["code=%00", "code=a%0Ab", "code=%C3%A4", "code=%7F", "code=%", "code=%4", "code=%zz", "code=%ff"] {
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
    // With two different states it is unclear which one is meant. The same state twice is a fault, too.
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
    assert_eq!(read(&standard, Ask::get("client_id=a&client_id=b&prompt=%00")), "no: ParameterRepeated client_id\n");
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
    // The authorization endpoint reports this fault to the application.
    assert_eq!(Ask::get("client_id=web").read(&standard(), Endpoint::Authorize), "client_id = web\n");
    assert_eq!(Ask::form("").read(&standard(), Endpoint::Token), "no: ParameterMissing grant_type\n");
    assert_eq!(Ask::form("token=t").read(&standard(), Endpoint::Introspect), "no: ClientMissing\n");
    assert_eq!(Ask::form("token=t&client_id=a").read(&standard(), Endpoint::Introspect), "no: ClientSecretMissing\n");
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
    // Deep nesting in an ignored member costs nothing. In a known member it is refused.
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
    let odd =
        |accept: &str| loaded("odd", &format!("grants = []\n[endpoint.userinfo]\n[bearer]\naccept = [\"{accept}\"]\n"));
    let twice = "no: TokenSentTwice\n";
    let standard = standard();
    let query = Ask::get("x=%&access%5Ftoken=abc&y").with("authorization", "Bearer abc");
    let body = Ask::form("access_token=abc").with("authorization", "Bearer abc");
    let both = Ask { query: Some("access_token=abc"), ..Ask::form("access_token=abc") };
    let differs = Ask::form("access_token=abd").with("authorization", "Bearer abc");
    for ask in [&query, &differs, &both] {
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
    // An empty parameter counts as absent. A single token in a place that the surface does not read counts as no
    // token.
    let empty = Ask::get("access_token=&access_token").with("authorization", "Bearer abc");
    assert_eq!(empty.read(&standard, Endpoint::Userinfo), "bearer abc\n");
    assert_eq!(Ask::form("access_token=abc").read(&odd("Bearer"), Endpoint::Userinfo), "");
}

#[test]
fn the_standard_surface_takes_a_token_in_a_form_openid_connect_core_5_3_1() {
    assert_eq!(Ask::form("access_token=abc").read(&standard(), Endpoint::Userinfo), "bearer abc\n");
    // RFC 6750 §2.2: the method is one for which the body has a meaning.
    let by_get = Ask { method: "GET", ..Ask::form("access_token=abc") };
    assert_eq!(by_get.read(&standard(), Endpoint::Userinfo), "");
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
