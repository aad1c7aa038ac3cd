//! Five surfaces as public documentation describes them, from the dialects that are shipped: the format must be able to carry them.

use dialect::{Context, Dialect, Dialects, Incoming, Outgoing, Route};
use expect_test::{Expect, expect};
use http::{HeaderMap, HeaderValue};
use protocol::endpoint::Endpoint;
use protocol::line::Reply;
use protocol::model::GrantType;
use protocol::refusal::{No, Refusal};
use protocol::wire::{Field, Fields, Param, Params, ReplyKind};
use serde_json::json;

const FIVE: [&str; 5] = ["tinyemail", "tinyplus", "tinyrebrand", "php-endpoints", "paced"];

fn load(name: &str) -> Dialect {
    Dialect::shipped(name, &[]).expect("it is shipped").unwrap_or_else(|problems| {
        panic!("{name}: {}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

fn all() -> Dialects {
    let mut loaded = vec![Dialect::load("standard", &[]).unwrap()];
    loaded.extend(FIVE.iter().map(|name| load(name)));
    let accept = [
        "secret-in-query",
        "implicit-grant",
        "token-in-query",
        "password-grant",
        "open-introspection",
        "open-revocation",
        "code-without-redirect-uri",
        "refresh-without-expiry",
    ];
    Dialects::new("https://auth.example", loaded, &accept.map(ToOwned::to_owned)).unwrap()
}

fn ask(dialect: &Dialect, name: &str, method: &str, query: &str, json: bool, body: &str) -> Result<Params, Refusal> {
    let mut headers = HeaderMap::new();
    let media_type = if json { "application/json" } else { "application/x-www-form-urlencoded" };
    headers.insert("content-type", HeaderValue::from_static(media_type));
    let (at, _) = dialect.addresses().find(|(_, own)| own.name == name).unwrap();
    dialect.decode(at, &Incoming { method, query: Some(query), headers: &headers, body: body.as_bytes() })
}

fn told(asked: Result<Params, Refusal>) -> String {
    match asked {
        Ok(params) => params.iter().map(|(name, value)| format!("{name}={value} ")).collect(),
        Err(refusal) => format!("{refusal:?}"),
    }
}

fn tokens() -> Reply {
    Reply::new(
        ReplyKind::Token,
        Fields::new()
            .with(Field::AccessToken, "at_1")
            .with(Field::RefreshToken, "rt_1")
            .with(Field::ExpiresIn, 3600)
            .with(Field::Scope, "user:read links:read links:write")
            .with(Field::User, user()),
    )
}

fn user() -> serde_json::Value {
    json!({
        "id": "u1", "username": "alice", "email": "alice@example.com", "name": "Alice", "verified": true, "active": true,
        "created_at": 0, "limits": {"domains": {"used": 1}}
    })
}

fn check(out: &Outgoing, expected: &Expect) {
    expected.assert_eq(&format!("{} {}", out.status, String::from_utf8(out.body.clone()).unwrap()));
}

fn answer(dialect: &Dialect, name: &str, reply: &Reply, grant: Option<GrantType>) -> Outgoing {
    let (at, _) = dialect.addresses().find(|(_, own)| own.name == name).unwrap();
    dialect.encode(at, reply, &Context { grant, ..Context::default() })
}

fn refuse(dialect: &Dialect, endpoint: Endpoint, refusal: Refusal) -> Outgoing {
    dialect.refuse(dialect.at(endpoint), &refusal, &Context::default())
}

#[test]
fn all_five_live_beside_the_standard_dialect_and_the_host_decides() {
    let all = all();
    for (host, path, expected) in [
        ("api.tiny.plus", "/oauth/authorize", "tinyplus authorize"),
        ("www.paced.email", "/oauth/authorize", "paced authorize"),
        ("auth.example", "/oauth/authorize", "standard authorize"),
        ("api.tinyemail.com", "/api/authorization-server/oauth/token", "tinyemail token"),
        ("app.tinyrebrand.com", "/api/oauth/google", "tinyrebrand google"),
        ("example.com", "/api/userinfo.php", "php-endpoints userinfo"),
    ] {
        let Route::Endpoint(dialect, at) = all.route(host, path) else { panic!("{host}{path}") };
        assert_eq!(format!("{} {}", dialect.name, dialect.address(at).name), expected);
    }
    for (host, path) in [("api.tiny.plus", "/oauth/token"), ("www.paced.email", "/oauth/introspect")] {
        assert!(matches!(all.route(host, path), Route::UnknownPath(Some(_))), "{host}{path}");
    }
}

#[test]
fn no_surface_but_the_standard_one_sends_an_issuer() {
    for dialect in all().iter() {
        assert_eq!(dialect.policy("x").is_iss_sent, dialect.name == "standard", "{}", dialect.name);
    }
}

#[test]
fn tinyemail_takes_everything_from_the_query_of_a_post() {
    let asked = ask(
        &load("tinyemail"),
        "token",
        "POST",
        "response_type=token&client_id=c&client_secret=s&code=k&redirect_uri=https://a.b/cb&grant_type=authorization_code",
        false,
        "",
    );
    expect!["client_id=c client_secret=s code=k redirect_uri=https://a.b/cb grant_type=authorization_code "]
        .assert_eq(&told(asked));
}

#[test]
fn tinyemail_ignores_a_grant_type_at_authorize() {
    let query = "grant_type=authorization_code&response_type=code&client_id=c";
    expect!["response_type=code client_id=c "].assert_eq(&told(ask(
        &load("tinyemail"),
        "authorize",
        "GET",
        query,
        false,
        "",
    )));
}

#[test]
fn tinyplus_offers_implicit_and_needs_a_redirect_uri() {
    let dialect = load("tinyplus");
    let told_of = |query: &str| told(ask(&dialect, "authorize", "GET", query, false, ""));
    expect!["response_type=token client_id=c redirect_uri=https://a.b/cb state=x "]
        .assert_eq(&told_of("response_type=token&client_id=c&redirect_uri=https://a.b/cb&state=x"));
    expect!["Refusal { no: ParameterMissing, param: Some(RedirectUri), retry_after_s: None }"]
        .assert_eq(&told_of("response_type=token&client_id=c"));
    assert_eq!(dialect.policy("x").otp_digits, 7);
}

#[test]
fn tinyrebrand_reads_json_with_a_token_that_means_three_things() {
    let dialect = load("tinyrebrand");
    let body = r#"{"grant_type":"password","client_id":"web-client","username":"a@b","password":"p","token":123456}"#;
    expect!["grant_type=password client_id=web-client username=a@b password=p otp=123456 "]
        .assert_eq(&told(ask(&dialect, "token", "POST", "", true, body)));
    let body = r#"{"token":"ey.J.x","client_id":"web-client"}"#;
    expect!["assertion=ey.J.x client_id=web-client grant_type=assertion "]
        .assert_eq(&told(ask(&dialect, "google", "POST", "", true, body)));
    let body = r#"{"token":"at_1","token_type_hint":"access_token"}"#;
    expect!["token=at_1 token_type_hint=access_token "]
        .assert_eq(&told(ask(&dialect, "revoke", "POST", "", true, body)));
    expect!["token=at_1 "].assert_eq(&told(ask(&dialect, "introspect", "POST", "", false, "token=at_1")));
}

#[test]
fn tinyrebrand_writes_the_tokens_of_google_in_a_form_of_their_own() {
    let policy = load("tinyrebrand").policy("x");
    let forms = |grant| {
        let (access, refresh) = policy.spellings_of(grant);
        (access.prefix.clone(), refresh.prefix.clone())
    };
    assert_eq!(forms(GrantType::Password), ("at_".to_owned(), "rt_".to_owned()));
    assert_eq!(forms(GrantType::Assertion), ("at_google_".to_owned(), "rt_google_".to_owned()));
}

#[test]
fn tinyrebrand_answers_in_its_envelope() {
    let dialect = load("tinyrebrand");
    check(
        &answer(&dialect, "token", &tokens(), Some(GrantType::Password)),
        &expect![[
            r#"200 {"status":200,"code":"OK","message":"Login successful","data":{"access_token":"at_1","refresh_token":"rt_1","token_type":"Bearer","expires_in":3600,"scope":"user:read links:read links:write","user":{"id":"u1","email":"alice@example.com","name":"Alice"},"limits":{"domains":{"used":1,"limit":3},"links":{"used":0,"limit":500}}}}"#
        ]],
    );
    check(
        &answer(&dialect, "token", &tokens(), Some(GrantType::RefreshToken)),
        &expect![[
            r#"200 {"status":200,"code":"OK","message":"Token refreshed successfully","data":{"access_token":"at_1","refresh_token":"rt_1","token_type":"Bearer","expires_in":3600,"scope":"user:read links:read links:write","user":{"id":"u1","email":"alice@example.com","name":"Alice"},"limits":{"domains":{"used":1,"limit":3},"links":{"used":0,"limit":500}}}}"#
        ]],
    );
    check(
        &answer(&dialect, "google", &tokens(), Some(GrantType::Assertion)),
        &expect![[
            r#"200 {"status":200,"code":"OK","message":"Google login successful","data":{"access_token":"at_1","refresh_token":"rt_1","token_type":"Bearer","expires_in":3600,"scope":"user:read links:read links:write","user":{"id":"u1","email":"alice@example.com","name":"Alice"}}}"#
        ]],
    );
    let revoked = Reply::new(ReplyKind::Revoke, Fields::new());
    check(
        &answer(&dialect, "revoke", &revoked, None),
        &expect![[r#"200 {"status":200,"code":"OK","message":"Token revoked successfully","data":{"revoked":true}}"#]],
    );
    let live = Reply::new(
        ReplyKind::Introspect,
        Fields::new()
            .with(Field::Scope, "user:read")
            .with(Field::ClientId, "web-client")
            .with(Field::User, user())
            .with(Field::Exp, 1_764_000_000),
    );
    check(
        &answer(&dialect, "introspect", &live, None),
        &expect![[
            r#"200 {"status":200,"code":"OK","message":"Token introspected successfully","data":{"active":true,"token_type":"Bearer","scope":"user:read","client_id":"web-client","username":"alice@example.com","exp":1764000000}}"#
        ]],
    );
    let dead = Reply::new(ReplyKind::Inactive, Fields::new().with(Field::Active, false));
    check(
        &answer(&dialect, "introspect", &dead, None),
        &expect![[
            r#"200 {"status":200,"code":"OK","message":"Token introspected successfully","data":{"active":false}}"#
        ]],
    );
    let me = Reply::new(ReplyKind::Userinfo, Fields::new().with(Field::User, user()));
    check(
        &answer(&dialect, "userinfo", &me, None),
        &expect![[
            r#"200 {"status":200,"code":"OK","message":"User fetched successfully","data":{"id":"u1","email":"alice@example.com","name":"Alice","isVerified":true,"isActive":true,"createdAt":"1970-01-01T00:00:00Z"}}"#
        ]],
    );
}

#[test]
fn tinyrebrand_hands_the_browser_on_by_a_redirect_with_a_body() {
    let dialect = load("tinyrebrand");
    let at = dialect.at(Endpoint::Authorize).unwrap();
    let out = dialect.hand_off(at, "response_type=code&client_id=c", &Context::default()).unwrap();
    check(
        &out,
        &expect![[
            r#"302 {"status":302,"code":"OK","message":"Redirect to authorization page","data":{"redirect_url":"https://app.tinyrebrand.com/oauth/authorize?response_type=code&client_id=c"}}"#
        ]],
    );
    let (name, value) = &out.headers[0];
    assert_eq!(name, "Location");
    assert_eq!(value, "https://app.tinyrebrand.com/oauth/authorize?response_type=code&client_id=c");
}

#[test]
fn tinyrebrand_names_the_fields_at_fault() {
    let dialect = load("tinyrebrand");
    let token = |refusal| refuse(&dialect, Endpoint::Token, refusal);
    check(
        &token(Refusal::of(No::ParameterMissing, Param::ClientId)),
        &expect![[
            r#"400 {"status":400,"code":"VALIDATION_ERROR","message":"Validation failed","meta":{"errors":[{"name":"client_id","error":"The parameter client_id is missing."}]}}"#
        ]],
    );
    check(
        &token(No::GrantTypeUnknown.into()),
        &expect![[
            r#"400 {"status":400,"code":"VALIDATION_ERROR","message":"Validation failed","meta":{"errors":[{"name":"grant_type","error":"This grant_type is not supported."}]}}"#
        ]],
    );
    check(
        &token(No::SecondFactorMissing.into()),
        &expect![[
            r#"400 {"status":400,"code":"VALIDATION_ERROR","message":"Validation failed","meta":{"errors":[{"name":"token","error":"A code of the second factor is required."}]}}"#
        ]],
    );
    check(
        &token(No::CredentialsWrong.into()),
        &expect![[
            r#"401 {"status":401,"code":"INVALID_CREDENTIALS","message":"The user name or the password is wrong.","meta":{"message":"The user name or the password is wrong."}}"#
        ]],
    );
    check(
        &token(No::RefreshUnknown.into()),
        &expect![[
            r#"401 {"status":401,"code":"INVALID_OR_EXPIRED_TOKEN","message":"Invalid or expired token","meta":{"message":"Invalid or expired token"}}"#
        ]],
    );
    check(
        &token(No::TooManyRequests.into()),
        &expect![[
            r#"429 {"status":429,"code":"RATE_LIMIT_ERROR","message":"Too many requests from this IP, please try again later.","meta":{"message":"Too many requests from this IP, please try again later."}}"#
        ]],
    );
}

#[test]
fn php_needs_no_grant_type_and_no_redirect_uri() {
    let dialect = load("php-endpoints");
    let asked = |body: &str| told(ask(&dialect, "token", "POST", "", false, body));
    expect!["code=k client_id=c client_secret=s grant_type=authorization_code "]
        .assert_eq(&asked("code=k&client_id=c&client_secret=s"));
    expect!["Refusal { no: ParameterMissing, param: Some(Code), retry_after_s: None }"]
        .assert_eq(&asked("client_id=c&client_secret=s"));
    assert!(dialect.address(dialect.at(Endpoint::Userinfo).unwrap()).cors == ["*"]);
}

#[test]
fn php_answers_with_three_members_and_its_own_words() {
    let dialect = load("php-endpoints");
    check(
        &answer(&dialect, "token", &tokens(), None),
        &expect![[r#"200 {"access_token":"at_1","token_type":"Bearer","expires_in":3600}"#]],
    );
    let me = Reply::new(ReplyKind::Userinfo, Fields::new().with(Field::User, user()));
    check(
        &answer(&dialect, "userinfo", &me, None),
        &expect![[r#"200 {"username":"alice","email":"alice@example.com","full_name":"Alice"}"#]],
    );
    check(
        &refuse(&dialect, Endpoint::Token, No::CodeUnknown.into()),
        &expect![[
            r#"400 {"error":"invalid_code","error_description":"The code is invalid, expired, or was issued to another client."}"#
        ]],
    );
    check(
        &refuse(&dialect, Endpoint::Token, No::GrantTypeUnknown.into()),
        &expect![[r#"400 {"error":"invalid_request","error_description":"This grant_type is not supported."}"#]],
    );
    let missing = refuse(&dialect, Endpoint::Userinfo, No::TokenMissing.into());
    check(&missing, &expect![[r#"401 {"error":"invalid_token","error_description":"An access token is required."}"#]]);
    assert!(missing.headers.iter().any(|(name, value)| name == "WWW-Authenticate" && value.starts_with("Bearer")));
}

#[test]
fn paced_answers_with_exactly_four_members() {
    let dialect = load("paced");
    check(
        &answer(&dialect, "token", &tokens(), None),
        &expect![[r#"200 {"access_token":"at_1","refresh_token":"rt_1","expires_in":3600,"token_type":"bearer"}"#]],
    );
    let policy = dialect.policy("x");
    assert_eq!((policy.refresh.ttl_s, policy.refresh_absolute_ttl_s, policy.access.ttl_s), (None, None, Some(7200)));
    assert_eq!(policy.personal.spelling.prefix, "pt_secret_");
}

#[test]
fn a_grant_can_be_taken_away_though_its_reply_stays_behind() {
    let text = "grants = [\"password\", \"refresh_token\"]\n";
    let narrowed = Dialect::shipped("tinyrebrand", &[dialect::Source::file("g.toml", text)]).expect("it is shipped");
    let policy = narrowed.expect("it is sound").policy("https://auth.example");
    assert_eq!(policy.grants, [GrantType::Password, GrantType::RefreshToken]);
}
