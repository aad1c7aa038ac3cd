//! Tests of complete problem lists, as the operator sees them.

mod operation;
mod surfaces;

use expect_test::{Expect, expect};

use protocol::person::upstream::SignUp;
use protocol::policy::{AlsoRead, Policy};

use super::*;
use crate::config::settings::{Listen, Settings, UnixSocket};

fn told(outcome: Result<Loaded, Vec<Problem>>) -> String {
    let problems = outcome.map_or_else(|problems| problems, |loaded| loaded.warnings);
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

fn check(text: &str, expected: &Expect) {
    check_with(text, &[], expected);
}

fn check_with(text: &str, variables: &[(&str, &str)], expected: &Expect) {
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    expected.assert_eq(&told(of_text("g.toml", text.to_owned(), Path::new("/nowhere"), &variables)));
}

fn configuration(text: &str, variables: &[(&str, &str)]) -> Configuration {
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    of_text("g.toml", text.to_owned(), Path::new("/nowhere"), &variables).unwrap().configuration
}

#[test]
fn an_issuer_alone_is_a_configuration() {
    let configuration = configuration("issuer = \"https://auth.example.com\"\n", &[]);
    let defaults = Settings {
        brand: configuration.settings.brand.clone(),
        reserved_names: configuration.settings.reserved_names.clone(),
        ..Settings::new("https://auth.example.com")
    };
    assert_eq!(format!("{:?}", configuration.settings), format!("{defaults:?}"));
    assert_eq!(configuration.store_url, "sqlite:/nowhere/grantry.db");
    assert!(matches!(&configuration.master, Master::Absent(path) if path == Path::new("/nowhere/grantry.db.key")));
    let policy = configuration.policy("standard").unwrap();
    let (scope, reserved_names) = (policy.scope.clone(), policy.reserved_names.clone());
    let assertion_endpoints = policy.assertion_endpoints.clone();
    let own = Policy::standard("https://auth.example.com");
    let defaults = Policy { scope, reserved_names, assertion_endpoints, ..own };
    assert_eq!(*policy, defaults);
    assert_eq!(configuration.dialects.iter().map(|own| own.name.as_str()).collect::<Vec<_>>(), ["standard"]);
}

#[test]
fn all_problems_are_told_at_once_and_in_order() {
    check(
        r##"
isuer  = "https://auth.example.com"
listen = ":8080"
[store]
url    = "mysql://root:hunter2@db/x"
[session]
idle   = "10 minutes"
absolute = "1s"
[lockout]
account_failures = 1
window = 900
[proxy]
trusted = ["10.0.0.0/8", "0.0.0.0/0", "proxy.local"]
[brand]
name   = ""
accent = "blue"
support = "call me"
logo   = "logo.bmp"
[log]
format = "jsn"
level  = "loud"
[tls]
cert   = "cert.pem"
[dialects]
enable = ["standard", "standard"]
path   = "dialects"
[keys]
master = "c2hvcnQ"
[fetch]
allow  = ["10.0.0.7"]
"##,
        &expect![[r##"
            g.toml:2:1: unknown key `isuer`, did you mean `issuer`?
            g.toml:3:10: `listen` is ":8080", it must be host:port or unix:PATH; "0.0.0.0:8080" or "[::]:8080" is every interface
            g.toml:5:10: `store.url` must be "sqlite:FILE" or "postgres://USER@HOST/DATABASE"
            g.toml:7:10: `session.idle` is "10 minutes", it must be a duration such as "90s", "10m", "2h" or "30d"
            g.toml:8:12: `session.absolute` is "1s", it must be between "1m" and "366d"
            g.toml:10:20: `lockout.account_failures` is 1, it must be between 3 and 1000
            g.toml:11:10: `lockout.window` is a number, it must be a duration such as "90s", "10m", "2h" or "30d"
            g.toml:13:26: `proxy.trusted` trusts everybody with "0.0.0.0/0": anybody could claim any address
            g.toml:13:39: `proxy.trusted` has "proxy.local", it must be a network such as "10.0.0.0/8" or an address
            g.toml:15:10: `brand.name` must have between 1 and 60 characters
            g.toml:16:10: `brand.accent` is "blue", it must be a colour such as "#2f5fd0"
            g.toml:17:11: `brand.support` is "call me", it must be an e-mail address or an https URL
            g.toml:18:10: /nowhere/logo.bmp is not an svg, png, webp or jpeg file by its name
            g.toml:20:10: `log.format` cannot be "jsn", did you mean `json`?
            g.toml:21:10: `log.level` is "loud", and "loud" is no level; there are `error`, `warn`, `info`, `debug`, `trace`
            g.toml:23:10: /nowhere/cert.pem cannot be read: there is no such file
            g.toml:23:10: `tls.cert` needs `tls.key` beside it
            g.toml:25:23: `standard` is listed twice
            g.toml:26:10: there is no folder /nowhere/dialects
            g.toml:28:10: the master key cannot be used: it has 5 bytes and must have 32, which are 43 characters of base64url
            g.toml:28:10: warning: the master key is in the configuration itself; `keys.master_file` keeps it apart
            g.toml:30:11: `fetch.allow` has "10.0.0.7", it must be host:port
            g.toml: `issuer` is missing: the public base URL, such as issuer = "https://auth.example.com"
        "##]],
    );
}

#[test]
fn broken_toml_is_told_with_its_place_and_nothing_is_guessed_from_it() {
    check(
        "issuer = \"https://auth.example.com\nlisten = 8080\n",
        &expect![[r#"
        g.toml:1:35: invalid basic string, expected `"`
    "#]],
    );
}

#[test]
fn values_of_the_wrong_kind_are_told_with_what_they_are_and_should_be() {
    check(
        "issuer = 1\nlisten = [\"a\"]\nstore = \"sqlite:x\"\nlog = { level = true, colour = 1 }\nproxy.trusted = [1]\nlimits.connections = \"many\"\ndialect = 3\n",
        &expect![[r#"
            g.toml:1:10: `issuer` is a number, it must be a string
            g.toml:2:10: `listen` is a list, it must be a string
            g.toml:3:9: `store` is a string, it must be a table
            g.toml:4:17: `log.level` is true or false, it must be a string
            g.toml:4:23: unknown key `log.colour`; there are `level`, `format`, `file`, `audit`
            g.toml:5:17: `proxy.trusted` is a list, it must be a list of strings
            g.toml:6:22: `limits.connections` is a string, it must be a number
            g.toml:7:11: `dialect` is a number, it must be a table
        "#]],
    );
}

#[test]
fn what_the_operator_should_know_is_a_warning() {
    check(
        r##"
issuer = "http://localhost:8080"
admin_listen = "0.0.0.0:9090"
store.url = "memory:"
brand.accent = "#ffe680"
session = { idle = "30d", absolute = "1d" }
[keys]
master = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"
[dialect.standrad]
prefix = "/sso"
"##,
        &expect![[r#"
            g.toml:2:10: warning: the issuer is plain http: for development on this machine only. Cookies are then neither Secure nor __Host-, and everything can be read on its way
            g.toml:3:16: warning: 0.0.0.0:9090 can be reached from other machines; /metrics is not for the public
            g.toml:4:13: warning: everything is kept in memory and gone when the server stops
            g.toml:5:16: warning: `brand.accent` #ffe680 on white has a contrast of 1.2 to 1; WCAG asks for 4.5 of text. Buttons get black text
            g.toml:6:20: warning: `session.idle` is longer than `session.absolute` and has no effect
            g.toml:8:10: warning: the master key is in the configuration itself; `keys.master_file` keeps it apart
            g.toml:9:10: warning: [dialect.standrad] has no effect: `dialects.enable` does not list it, did you mean `standard`?
        "#]],
    );
}

#[test]
fn the_header_of_a_proxy_is_one_that_names_the_client() {
    let with = |header: &str| {
        format!("issuer = \"https://auth.example\"\n[proxy]\ntrusted = [\"10.0.0.1\"]\nheader = {header:?}\n")
    };
    for (written, read) in [
        ("x-forwarded-for", "x-forwarded-for"),
        ("X-Forwarded-For", "x-forwarded-for"),
        ("Forwarded", "forwarded"),
        ("X-Real-IP", "x-real-ip"),
        ("CF-Connecting-IP", "cf-connecting-ip"),
        ("x-shop-caller", "x-shop-caller"),
    ] {
        assert_eq!(configuration(&with(written), &[]).settings.proxy_header, read, "{written}");
    }
    for bad in
        ["", "x-forwaded-for", "x-forwarded-proto", "x forwarded for", "forwarded:", "host", "Cookie", "x-real-ıp"]
    {
        let problem = told(of_text("g.toml", with(bad), Path::new("/nowhere"), &[]));
        assert!(problem.starts_with("g.toml:4:10: `proxy.header` is "), "{bad}: {problem}");
    }
    check(
        &with("X-Forwaded-For"),
        &expect![[r#"
            g.toml:4:10: `proxy.header` is "X-Forwaded-For", it must name the header in which the proxy names the client, did you mean `x-forwarded-for`?
        "#]],
    );
    check(
        "issuer = \"https://auth.example\"\nproxy.header = \"forwarded\"\n",
        &expect![[r#"
            g.toml:2:16: warning: `proxy.header` has no effect without `proxy.trusted`: no peer may name the client
        "#]],
    );
}

#[test]
fn networks_of_proxies_are_those_that_peers_have() {
    let trusted = |text: &str| {
        let text = format!("issuer = \"https://auth.example\"\nproxy.trusted = [{text:?}]\n");
        configuration(&text, &[]).settings.trusted[0].to_string()
    };
    assert_eq!(trusted("::ffff:10.1.2.3/104"), "10.0.0.0/8");
    assert_eq!(trusted("::ffff:10.1.2.3"), "10.1.2.3/32");
    assert_eq!(trusted("fd00::1/8"), "fd00::/8");
    check(
        "issuer = \"https://auth.example\"\nproxy.trusted = [\"::ffff:0.0.0.0/96\"]\n",
        &expect![[r#"
            g.toml:2:18: `proxy.trusted` trusts everybody with "::ffff:0.0.0.0/96": anybody could claim any address
        "#]],
    );
}

#[test]
fn the_environment_wins_over_the_file_and_its_problems_name_the_variable() {
    let text = "issuer = \"https://auth.example.com\"\nlisten = \"127.0.0.1:1\"\n";
    let variables = [
        ("GRANTRY_LISTEN", "unix:/run/g.sock"),
        ("GRANTRY_STORE__URL", "sqlite:/var/g.db"),
        ("GRANTRY_PROXY__TRUSTED", "10.0.0.0/8, 192.0.2.1"),
        ("GRANTRY_LIMITS__CONNECTIONS", "7"),
        ("GRANTRY_BIN", "somebody else's"),
    ];
    let configuration = configuration(text, &variables);
    let socket = UnixSocket { path: "/run/g.sock".into(), mode: 0o660 };
    assert_eq!(configuration.settings.listen, Listen::Unix(socket));
    assert_eq!(configuration.store_url, "sqlite:/var/g.db");
    assert_eq!(configuration.settings.trusted.len(), 2);
    assert_eq!(configuration.settings.limits.connections_max, 7);
    check_with(
        text,
        &[
            ("GRANTRY_SESSION__IDEL", "1h"),
            ("GRANTRY_LIMITS__CONNECTIONS", "many"),
            ("GRANTRY_SESSION__RECENT", "soon"),
        ],
        &expect![[r#"
            environment GRANTRY_LIMITS__CONNECTIONS: `limits.connections` must be a number
            environment GRANTRY_SESSION__IDEL: there is no option `session.idel`, did you mean `idle`?
            environment GRANTRY_SESSION__RECENT: `session.recent` is "soon", it must be a duration such as "90s", "10m", "2h" or "30d"
        "#]],
    );
}

#[test]
fn a_value_may_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer");
    std::fs::write(&path, "https://file.example\n").unwrap();
    let variable = [("GRANTRY_ISSUER_FILE", path.to_str().unwrap())];
    assert_eq!(configuration("", &variable).settings.issuer, "https://file.example");
    check_with(
        "",
        &[("GRANTRY_ISSUER_FILE", "/nowhere/issuer")],
        &expect![[r#"
            environment GRANTRY_ISSUER_FILE: /nowhere/issuer cannot be read: there is no such file
        "#]],
    );
}

#[test]
fn no_secret_is_repeated_in_a_problem() {
    let text = "issuer = \"https://a.example\"\nstore.url = \"redis://u:hunter2@h\"\nkeys.master = \"hunter2\"\n";
    let told = told(of_text("g.toml", text.to_owned(), Path::new("/nowhere"), &[]));
    assert!(told.contains("store.url") && told.contains("master key"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn a_missing_file_says_what_to_do() {
    expect![[r#"
        /nowhere/grantry.toml: there is no such file; `grantry init` writes one, `--config FILE` names another, `grantry demo` needs none
    "#]].assert_eq(&told(load(Path::new("/nowhere/grantry.toml"), &[])));
}

#[test]
fn a_configuration_that_others_can_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("grantry.toml");
    std::fs::write(&config, "issuer = \"https://a.example\"\n").unwrap();
    for (mode, warnings) in [(0o644, 1), (0o640, 1), (0o600, 0)] {
        std::fs::set_permissions(&config, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(load(&config, &[]).unwrap().warnings.len(), warnings, "{mode:o}");
    }
}

#[test]
fn every_sample_of_the_table_can_be_read() {
    for row in options::TABLE {
        let mut problems = Vec::new();
        let text = format!("{} = {}\n", row.path, row.sample());
        let file = File::read("g.toml", text, &mut problems);
        assert_eq!(problems, [], "{}", row.path);
        assert!(file.written(row.path).is_some(), "{}", row.path);
    }
}

#[test]
fn the_links_of_the_footer_are_https_urls() {
    let text = "issuer = \"https://a.example\"\n[brand]\nterms = \"https://a.example/terms\"\n";
    let links = configuration(text, &[]).settings.brand.links;
    assert_eq!(links.iter().map(|own| own.href.as_str()).collect::<Vec<_>>(), ["https://a.example/terms"]);
    check(
        r#"
issuer  = "https://a.example"
[brand]
terms   = "javascript:alert(1)"
privacy = "http://a.example/privacy"
imprint = "https://a.example/a b"
logo_dark = "dark.gif"
icon    = "icon.bmp"
show_name = false
"#,
        &expect![[r#"
            g.toml:4:11: `brand.terms` is "javascript:alert(1)", it must be an https URL such as "https://example.com/page"
            g.toml:5:11: `brand.privacy` is "http://a.example/privacy", it must be an https URL such as "https://example.com/page"
            g.toml:6:11: `brand.imprint` is "https://a.example/a b", it must be an https URL such as "https://example.com/page"
            g.toml:7:13: /nowhere/dark.gif is not an svg, png, webp or jpeg file by its name
            g.toml:8:11: /nowhere/icon.bmp is not an svg, png, webp, jpeg or ico file by its name
            g.toml:9:13: `brand.show_name` is false, so `brand.logo` must name a logo that contains the name
        "#]],
    );
}

#[test]
fn templates_of_the_operators_are_tried_before_anybody_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let text = format!(
        "issuer = \"https://auth.example.com\"\n[brand]\ntemplates = {:?}\n",
        folder.path().display().to_string()
    );
    write("home.html", "<p>Welcome to {{ brand.name }}</p>");
    write("notes.txt", "not a template");
    let templates = configuration(&text, &[]).settings.brand.templates;
    assert_eq!(templates.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["home.html"]);
    write("home.html", "{% if %}");
    write("welcome.html", "");
    let told = told(of_text("g.toml", text, Path::new("/nowhere"), &[]));
    assert!(told.contains("home.html") && told.contains("welcome.html is the name of no template"), "{told}");
    assert!(told.starts_with("g.toml:3:"), "{told}");
}

#[test]
fn google_is_an_issuer_with_a_name_for_this_server() {
    let text = "issuer = \"https://a.example\"\n[upstream.google]\nclient_id = \"c\"\nclient_secret = \"s\"\n";
    let google = configuration(text, &[]).settings.google.unwrap();
    assert_eq!((google.issuer.as_str(), google.client_id.as_str()), ("https://accounts.google.com", "c"));
    assert_eq!((google.client_secret.unwrap().reveal(), google.sign_up), ("s", SignUp::Anybody));
    let written = format!("{text}sign_up = \"domains\"\ndomains = [\"Example.COM\"]\n");
    let sign_up = configuration(&written, &[]).settings.google.unwrap().sign_up;
    assert_eq!(sign_up, SignUp::Domains(vec!["example.com".into()]));
    let variables = [
        ("GRANTRY_UPSTREAM__GOOGLE__CLIENT_ID", "d"),
        ("GRANTRY_UPSTREAM__GOOGLE__ISSUER", "http://127.0.0.1:9999"),
        ("GRANTRY_FETCH__ALLOW", "127.0.0.1:9999"),
    ];
    let google = configuration(text, &variables).settings.google.unwrap();
    assert_eq!((google.issuer.as_str(), google.client_id.as_str()), ("http://127.0.0.1:9999", "d"));
    assert!(configuration("issuer = \"https://a.example\"\n[upstream.google]\n", &[]).settings.google.is_none());
}

#[test]
fn what_is_wrong_with_google_is_told_with_its_place() {
    let check_google = |section: &str, expected: &Expect| {
        check(&format!("issuer = \"https://a.example\"\n[upstream.google]\n{section}"), expected);
    };
    check_google(
        "client_idd = \"c\"\nissuer = \"http://idp.example\"\n",
        &expect![[r#"
            g.toml:3:1: unknown key `upstream.google.client_idd`, did you mean `client_id`?
            g.toml:4:10: `upstream.google.client_id` is missing: it is what this server is called at the issuer
        "#]],
    );
    check_google(
        "client_id = \"c d\"\nclient_secret = \"\"\nissuer = \"http://idp.example\"\n",
        &expect![[r#"
            g.toml:3:13: `upstream.google.client_id` is "c d", which is no client identifier
            g.toml:3:13: warning: everybody whom the issuer knows gets an account here by signing in with it; write `sign_up = "nobody"`, `"domains"` or `"anybody"` into [upstream.google]
            g.toml:4:17: `upstream.google.client_secret` is empty
            g.toml:5:10: `upstream.google.issuer` is not https; for a stand-in on this machine, list "idp.example:80" in `fetch.allow`
        "#]],
    );
    check_google(
        "client_id = \"c\"\nclient_secret_file = \"google.secret\"\nissuer = \"https://idp.example/?x\"\n",
        &expect![[r#"
            g.toml:3:13: warning: everybody whom the issuer knows gets an account here by signing in with it; write `sign_up = "nobody"`, `"domains"` or `"anybody"` into [upstream.google]
            g.toml:4:22: /nowhere/google.secret cannot be read: there is no such file
            g.toml:5:10: `upstream.google.issuer` is "https://idp.example/?x", it must be an https URL without a query
        "#]],
    );
    check_google(
        "client_id = \"c\"\nclient_secret = \"s\"\nsign_up = \"domains\"\n",
        &expect![[r#"
            g.toml:5:11: `upstream.google.sign_up` is "domains", and `upstream.google.domains` lists none
        "#]],
    );
    check_google(
        "client_id = \"c\"\nclient_secret = \"s\"\nsign_up = \"domains\"\ndomains = [\"example.com\", \"@example.org\"]\n",
        &expect![[r#"
            g.toml:6:11: `upstream.google.domains` has "@example.org", which is no domain: write it as it stands behind the @, in ASCII
        "#]],
    );
    check_google(
        "client_id = \"c\"\nclient_secret = \"s\"\nsign_up = \"nobody\"\ndomains = [\"example.com\"]\n",
        &expect![[r#"
            g.toml:6:11: `upstream.google.domains` counts only with `upstream.google.sign_up = "domains"`
        "#]],
    );
    check_google(
        "client_id = \"c\"\n",
        &expect![[r#"
            g.toml:3:13: warning: everybody whom the issuer knows gets an account here by signing in with it; write `sign_up = "nobody"`, `"domains"` or `"anybody"` into [upstream.google]
            g.toml:3:13: warning: without `client_secret` or `client_secret_file` ID tokens are verified, but people get no button to sign in with
        "#]],
    );
    check(
        "issuer = \"https://a.example\"\nupstream = 3\n",
        &expect![[r#"
            g.toml:2:12: `upstream` is a number, it must be a table
        "#]],
    );
    check_with(
        "issuer = \"https://a.example\"\n",
        &[("GRANTRY_UPSTREAM__GOOGLE__CLIENT_IDD", "c")],
        &expect![[r#"
            environment GRANTRY_UPSTREAM__GOOGLE__CLIENT_IDD: there is no option `upstream.google.client_idd`, did you mean `client_id`?
        "#]],
    );
}

#[test]
fn the_list_of_reserved_names_can_be_changed_and_the_provider_s_own_name_stays_reserved() {
    let of = |more: &str| {
        let text = format!("issuer = \"https://auth.example.com\"\nbrand.name = \"Linkhaven\"\n{more}");
        configuration(&text, &[])
    };
    let usual = of("");
    let imitated = |name: &str| usual.settings.reserved_names.imitated(name).map(ToOwned::to_owned);
    assert_eq!((imitated("Google"), imitated("L1nkhaven")), (Some("Google".into()), Some("Linkhaven".into())));
    let own = of("developer.reserved_names = [\"Acme\"]\n");
    let found = ["Google", "Acme Login", "Linkhaven"].map(|name| own.settings.reserved_names.imitated(name));
    assert_eq!(found, [None, Some("Acme"), Some("Linkhaven")]);
    for surface in &own.policies {
        assert_eq!(surface.reserved_names, own.settings.reserved_names);
    }
}
