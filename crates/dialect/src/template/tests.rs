use super::*;
use expect_test::expect;
use protocol::wire::{Field, Fields};
use serde_json::json;

fn fields() -> Fields {
    Fields::new()
        .with(Field::AccessToken, "a\"t&")
        .with(Field::ExpiresIn, 3600)
        .with(Field::Scope, "b a")
        .with(Field::User, json!({"id": "u1", "limits": {"used": 2}}))
}

fn values(fields: &Fields) -> Values<'_> {
    Values { fields, status: 200, request_id: "", sep: "," }
}

fn json_of(body: &str) -> String {
    let mut out = Vec::new();
    Json::compile(body).unwrap().fill(&values(&fields()), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_name_takes_its_own_type_and_an_absent_member_is_dropped_in_order() {
    let body = r#"{"ok":true, "z":"$access_token","r":"$refresh_token","n":"$expires_in","s":"$scope","l":"$scopes"}"#;
    expect![[r#"{"ok":true,"z":"a\"t&","n":3600,"s":"b,a","l":["b","a"]}"#]].assert_eq(&json_of(body));
}

#[test]
fn objects_nest_and_stay_when_all_their_members_are_dropped() {
    let body =
        r#"{"a":{"x":"$state"},"u":{"id":"$user.id","used":"$user.limits.used","limit":"$user.limits.limit|3"}}"#;
    expect![[r#"{"a":{},"u":{"id":"u1","used":2,"limit":3}}"#]].assert_eq(&json_of(body));
}

#[test]
fn the_first_name_that_has_a_value_stands_and_a_member_with_an_alternative_is_not_dropped() {
    let body = r#"{"a":"$state|$user.id|null","b":"$state|$iss|null","c":"$state|$iss","d":"$user.id|$scope"}"#;
    expect![[r#"{"a":"u1","b":null,"c":null,"d":"u1"}"#]].assert_eq(&json_of(body));
    let names = Json::compile(r#"{"a":"$state|$user.id"}"#).unwrap();
    assert!(names.names().iter().any(|name| matches!(name, Name::User(_))));
}

#[test]
fn two_dollars_are_one() {
    assert_eq!(json_of(r#"{"price":"$$5"}"#), r#"{"price":"$5"}"#);
    assert_eq!(
        json_of(r#"{"a":"x$$user.id","b":"5 $ or $5","c":"$$a$$"}"#),
        r#"{"a":"x$user.id","b":"5 $ or $5","c":"$a$"}"#
    );
}

#[test]
fn a_name_inside_of_a_longer_text_is_refused_and_not_sent_as_it_is_written() {
    let told = Json::compile(r#"{"url":"https://x/$user.id"}"#).unwrap_err();
    expect!["`$user.id` stands inside of the text `https://x/$user.id`, where it would be sent as it is written: a name must be the whole value, such as \"$user.id\". Write `$$` for a dollar sign"].assert_eq(&told);
    for body in [r#"{"a":["x$scope"]}"#, r#"{"a":"$user.id/x"}"#, r#"{"a":"$user.id x"}"#, r#"{"a":"$scope $iss"}"#] {
        assert!(Json::compile(body).unwrap_err().contains("stands inside of the text"), "{body}");
    }
    assert!(Json::compile(r#"{"$scope":1}"#).unwrap_err().contains("is a key"));
    assert!(Json::compile(r#"{"$schema":1,"$$scope":2}"#).is_ok());
    for body in [
        r#"{"x$scope":1}"#,
        r#"{"$scope x":1}"#,
        r#"{"a":{"x-$user.id-y":1}}"#,
        r#"{"${user.id}":1}"#,
        r#"{"a":"${user.id}"}"#,
        r#"{"a":"x ${user.id}"}"#,
        r#"{"a":"${ scope }"}"#,
        r#"{"a":"$scope|${iss}"}"#,
    ] {
        let told = Json::compile(body).unwrap_err();
        assert!(told.contains("stands inside of the text"), "{body}: {told}");
    }
    assert_eq!(json_of(r#"{"x$$scope":"$${scope}","$schema":1}"#), r#"{"x$scope":"${scope}","$schema":1}"#);
    assert!(Pairs::compile("a=${scope}").unwrap_err().contains("stands inside of the text"));
    assert!(Text::compile("x ${scope}", Some(Language::Plain)).unwrap_err().contains("without braces"));
    assert!(Pairs::compile("a=x$scope").unwrap_err().contains("stands inside of the text"));
    assert!(Pairs::compile("x$scope=a").unwrap_err().contains("stands inside of the text"));
    assert!(Pairs::compile("a=$$scope&b=5$").is_ok());
}

#[test]
fn a_template_without_names_is_one_literal() {
    let compiled = Json::compile(r#"{ "a" : [1, {"b": null}] }"#).unwrap();
    assert_eq!(compiled, Json::Literal(br#"{"a":[1,{"b":null}]}"#.to_vec()));
}

#[test]
fn an_unknown_name_is_refused_with_a_suggestion() {
    let told = Json::compile(r#"{"a":"$acces_token"}"#).unwrap_err();
    expect!["unknown name `$acces_token`, did you mean `access_token`?"].assert_eq(&told);
}

#[test]
fn text_is_escaped_for_its_kind() {
    let text = "<t a=\"$$\">$access_token</t>$state$user.id.";
    let template = Text::compile(text, Some(Language::Xml)).unwrap();
    let fields = fields();
    let mut out = String::new();
    template.fill(&values(&fields), &mut out);
    expect![[r#"<t a="$">a&quot;t&amp;</t>u1."#]].assert_eq(&out);
}

#[test]
fn xml_that_browsers_run_has_the_rules_of_html() {
    let told = |body: &str| Text::compile(body, Some(Language::Xml)).map(drop);
    for body in [
        "<svg xmlns='http://www.w3.org/2000/svg'><a href='$scope'/></svg>",
        "<p onclick='$scope' xmlns='http://www.w3.org/1999/xhtml'/>",
    ] {
        assert!(told(body).is_err(), "{body}");
    }
    assert_eq!(told("<p onclick='$scope'/>"), Ok(()));
    assert_eq!(told("<p title='$scope' xmlns='http://www.w3.org/1999/xhtml'>$scope</p>"), Ok(()));
}

#[test]
fn a_text_of_json_is_json_whatever_its_names_stand_for() {
    let told = |body: &str| Text::compile(body, Some(Language::Json)).and_then(|text| text.check_json());
    for body in ["{\"a\":$scope}", "{\"a\":\"x$scope\",\"b\":[$expires_in,null]}", "$scope", "{}"] {
        assert_eq!(told(body), Ok(()), "{body}");
    }
    for body in [
        "",
        "{\"a\":$scope",
        "{\"a\":x$scope}",
        "{\"a\":1$expires_in}",
        "{$scope:1}",
        "{'a':$scope}",
        "{\"a\":\"\n$scope\"}",
        "{\"a\":$scope,}",
        "{\"a\":\"\\q$scope\"}",
    ] {
        assert!(told(body).is_err(), "{body}");
    }
}

#[test]
fn pairs_are_escaped_and_dropped_when_absent() {
    let template = Pairs::compile("access_token=$access_token&state=$state&token_type=bearer&scope=$scope").unwrap();
    let fields = fields();
    let mut out = String::new();
    template.fill(&values(&fields), &mut out);
    expect!["access_token=a%22t%26&token_type=bearer&scope=b%2Ca"].assert_eq(&out);
}
