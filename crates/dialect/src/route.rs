//! The dialects of an installation. Finds the one that a request is for, by host and then by path.

use std::borrow::Cow;
use std::collections::HashMap;

use protocol::endpoint::Endpoint;

use crate::problem::{Problem, suggestion};
use crate::rules::{At, Dialect};

/// The dialects that the operator enabled.
#[derive(Debug)]
pub struct Dialects {
    all: Vec<Dialect>,
    /// Endpoints by host, and then by path.
    hosts: HashMap<String, Paths>,
    /// The dialect that words the refusal if no path of a host matches.
    speakers: HashMap<String, usize>,
    /// The issuer's host. It is a configured host even if no dialect is mounted on it.
    issuer_host: String,
    /// The paths of the dialect that answers on every host that no other dialect claims.
    anywhere: Option<(usize, Paths)>,
}

/// Index of the dialect in `Dialects::all`, and the endpoint, by path.
type Paths = HashMap<String, (usize, At)>;

/// The destination of a request.
#[derive(Clone, Copy, Debug)]
pub enum Route<'a> {
    /// An endpoint of a dialect.
    Endpoint(&'a Dialect, At),
    /// A configured host, but a path that no dialect has. The dialect is the one that words the refusal; `None` if
    /// several dialects share the host.
    UnknownPath(Option<&'a Dialect>),
    /// A host that this server does not answer for.
    UnknownHost,
}

impl Dialects {
    /// Mounts dialects. `issuer` is the one public base URL of the installation; `accept` is the list of waivers that the
    /// operator accepts.
    ///
    /// A dialect with `hosts` answers there; one without answers on the issuer's host, below its `prefix` (the standard
    /// dialect: below the issuer's own path; others: below their name). One that has no hosts and an empty prefix answers
    /// on every host that no other dialect claims; there can be only one such.
    ///
    /// # Errors
    /// Two addresses in one place, and waivers that nobody accepted.
    pub fn new(issuer: &str, dialects: Vec<Dialect>, accept: &[String]) -> Result<Self, Vec<Problem>> {
        let issuer_host = host_and_path(issuer).0.to_ascii_lowercase();
        let (hosts, speakers) = (HashMap::new(), HashMap::new());
        let mut built = Self { all: Vec::new(), hosts, speakers, issuer_host, anywhere: None };
        let mut problems = Vec::new();
        for (index, mut dialect) in dialects.into_iter().enumerate() {
            problems.extend(unaccepted(&dialect, accept));
            problems.extend(built.mount(index, &mut dialect, issuer));
            built.all.push(dialect);
        }
        if problems.is_empty() { Ok(built) } else { Err(problems) }
    }

    fn mount(&mut self, index: usize, dialect: &mut Dialect, issuer: &str) -> Vec<Problem> {
        let scheme = issuer.split_once("://").map_or("https", |(scheme, _)| scheme);
        let (issuer_host, issuer_path) = host_and_path(issuer);
        let issuer_path = issuer_path.trim_end_matches('/');
        let is_anywhere =
            dialect.hosts.is_empty() && dialect.prefix.as_deref() == Some("") && dialect.name != "standard";
        let prefix = match &dialect.prefix {
            Some(prefix) => prefix.clone(),
            None if !dialect.hosts.is_empty() => String::new(),
            None if dialect.name == "standard" => issuer_path.to_owned(),
            None => format!("/{}", dialect.name),
        };
        let hosts =
            if dialect.hosts.is_empty() { vec![issuer_host.to_ascii_lowercase()] } else { dialect.hosts.clone() };
        dialect.base_url = format!("{scheme}://{}{prefix}", hosts[0]);
        // This server shows that page, so the page must be on a host that the server answers for, even if the operator
        // configured other hosts.
        if let Some(at) = &mut dialect.screen.at {
            let (_, rest) = at.split_once("://").unwrap_or(("", at));
            let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
            if !hosts.iter().any(|own| own == host) {
                *at = format!("{}{path}", dialect.base_url);
            }
        }
        let paths: Vec<(String, At)> = dialect
            .addresses()
            .flat_map(|(at, own)| full_paths(&prefix, at.endpoint, &own.path).map(move |path| (path, at)))
            .collect();
        if is_anywhere {
            if let Some((other, _)) = &self.anywhere {
                let text = format!(
                    "`{}` and `{}` would both answer on every host: give one of them `hosts` or a `prefix`",
                    self.all[*other].name, dialect.name
                );
                return vec![problem(dialect, text)];
            }
            self.anywhere = Some((index, paths.into_iter().map(|(path, at)| (path, (index, at))).collect()));
            return Vec::new();
        }
        let mut problems = Vec::new();
        for host in hosts {
            let own = self.hosts.entry(host.clone()).or_default();
            for (path, at) in &paths {
                if let Some((other, _)) = own.get(path) {
                    let text = format!(
                        "`{}` and `{}` would both answer at {host}{path}: give one of them other `hosts` or a `prefix`",
                        self.all[*other].name, dialect.name
                    );
                    problems.push(problem(dialect, text));
                }
                own.insert(path.clone(), (index, *at));
            }
            // The dialect with an empty prefix words the refusals of the host. If two dialects qualify, none does.
            if prefix.is_empty() || dialect.name == "standard" {
                self.speakers.insert(host, index);
            }
        }
        problems
    }

    /// Finds the destination of a request. `host` is the value of the Host header, `path` the path, not decoded.
    #[must_use]
    pub fn route(&self, host: &str, path: &str) -> Route<'_> {
        let host = normal(host);
        let Some((found, paths)) = self.paths(&host) else {
            return match &self.anywhere {
                Some((speaker, paths)) => self.pick(paths, path, Some(*speaker)),
                None => Route::UnknownHost,
            };
        };
        self.pick(paths, path, self.speakers.get(found).copied())
    }

    /// Returns the configured host that a request is for, as the configuration spells it: the issuer's host, or one of
    /// the `hosts` of a dialect. Links are built from this text, because the sender controls the `Host` header. Returns
    /// `None` for every other host, even if a dialect answers there.
    #[must_use]
    pub fn configured_host(&self, host: &str) -> Option<&str> {
        let host = normal(host);
        let known = |host: &str| self.hosts.get_key_value(host).map(|(own, _)| own.as_str());
        let issuer = |host: &str| (host == self.issuer_host).then_some(self.issuer_host.as_str());
        spellings(&host).find_map(|host| known(host).or_else(|| issuer(host)))
    }

    /// Returns all configured hosts. The issuer's host is included only if a dialect answers on it.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(String::as_str)
    }

    /// Returns the paths of a host.
    fn paths<'s, 'h>(&'s self, host: &'h str) -> Option<(&'h str, &'s Paths)> {
        spellings(host).find_map(|host| Some((host, self.hosts.get(host)?)))
    }

    fn pick<'s>(&'s self, paths: &Paths, path: &str, speaker: Option<usize>) -> Route<'s> {
        match paths.get(path) {
            Some((index, at)) => Route::Endpoint(&self.all[*index], *at),
            None => Route::UnknownPath(speaker.map(|index| &self.all[index])),
        }
    }

    /// Returns every dialect.
    pub fn iter(&self) -> impl Iterator<Item = &Dialect> {
        self.all.iter()
    }

    /// Returns the dialect with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Dialect> {
        self.all.iter().find(|dialect| dialect.name == name)
    }
}

/// Splits a base URL into its host with port, and its path.
fn host_and_path(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or((rest, ""), |at| rest.split_at(at))
}

/// Returns the host as it was sent, and without the default port of a scheme.
fn spellings(host: &str) -> impl Iterator<Item = &str> {
    let without = host.strip_suffix(":443").or_else(|| host.strip_suffix(":80"));
    [Some(host), without].into_iter().flatten()
}

/// Returns the full paths of an endpoint below a prefix. RFC 8414 §3.1 inserts the well-known path between the issuer's
/// host and path. RFC 8414 §5 mentions clients that append it, and a proxy that forwards only one folder needs that
/// form. Both are answered.
fn full_paths(prefix: &str, endpoint: Endpoint, path: &str) -> impl Iterator<Item = String> + use<> {
    let is_inserted = endpoint.is_metadata() && path.starts_with("/.well-known/") && !prefix.is_empty();
    let inserted = is_inserted.then(|| format!("{path}{prefix}"));
    std::iter::once(format!("{prefix}{path}")).chain(inserted)
}

/// Returns the host in lower case, because host names are case-insensitive (RFC 9110 §4.2.3). Copies nothing if the
/// host already is in lower case.
fn normal(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

fn unaccepted(dialect: &Dialect, accept: &[String]) -> Vec<Problem> {
    let missing = dialect.waives.iter().filter(|waiver| !accept.contains(waiver));
    missing
        .map(|waiver| {
            let meaning = crate::hazard::hazard(waiver).map_or("", |hazard| hazard.meaning);
            let near = suggestion(waiver, accept.iter().map(String::as_str));
            let near = if near.starts_with(", did") { near } else { ".".to_owned() };
            let text = format!(
                "the dialect `{}` waives `{waiver}` and `dialects.accept` does not list it{near} {meaning}",
                dialect.name
            );
            problem(dialect, text)
        })
        .collect()
}

fn problem(dialect: &Dialect, text: String) -> Problem {
    let (file, line, column) = dialect.waives_at.clone();
    Problem { file, line, column, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{lines, loaded, standard, standard_with};
    use expect_test::expect;

    const ISSUER: &str = "https://auth.example";

    fn odd(name: &str, more: &str) -> Dialect {
        loaded(name, &format!("grants = [\"client_credentials\"]\n{more}\n[endpoint.token]\n"))
    }

    fn told(dialects: &Dialects, host: &str, path: &str) -> String {
        match dialects.route(host, path) {
            Route::Endpoint(dialect, at) => format!("{} {}", dialect.name, dialect.address(at).name),
            Route::UnknownPath(Some(dialect)) => format!("{} nothing", dialect.name),
            Route::UnknownPath(None) => "nothing".to_owned(),
            Route::UnknownHost => "stranger".to_owned(),
        }
    }

    #[test]
    fn the_standard_dialect_answers_on_the_issuers_host_and_nobody_on_another() {
        let dialects = Dialects::new(ISSUER, vec![standard()], &[]).unwrap();
        for (host, path, expected) in [
            ("auth.example", "/oauth/token", "standard token"),
            ("AUTH.example", "/oauth/token", "standard token"),
            ("auth.example:443", "/.well-known/oauth-authorization-server", "standard metadata"),
            ("auth.example", "/oauth/token/", "standard nothing"),
            ("auth.example", "/OAuth/token", "standard nothing"),
            ("auth.example:8443", "/oauth/token", "stranger"),
            ("evil.example", "/oauth/token", "stranger"),
            ("", "/oauth/token", "stranger"),
        ] {
            assert_eq!(told(&dialects, host, path), expected, "{host}{path}");
        }
    }

    #[test]
    fn an_issuer_with_a_path_has_its_addresses_below_it_and_its_metadata_beside_it_rfc_8414_3_1() {
        let dialects = Dialects::new("http://localhost:8080/sso/", vec![standard()], &[]).unwrap();
        assert_eq!(told(&dialects, "localhost:8080", "/sso/oauth/token"), "standard token");
        let well_known = "/.well-known/oauth-authorization-server/sso";
        assert_eq!(told(&dialects, "localhost:8080", well_known), "standard metadata");
        let appended = "/sso/.well-known/oauth-authorization-server";
        assert_eq!(told(&dialects, "localhost:8080", appended), "standard metadata");
        assert_eq!(told(&dialects, "localhost:8080", "/.well-known/oauth-authorization-server"), "standard nothing");
        let url = dialects.named("standard").and_then(|dialect| dialect.url(Endpoint::Token));
        assert_eq!(url.as_deref(), Some("http://localhost:8080/sso/oauth/token"));
    }

    #[test]
    fn a_host_decides_before_a_path_does() {
        let a = odd("a", "hosts = [\"api.a.example\"]");
        let b = odd("b", "hosts = [\"api.b.example:8080\", \"b.example\"]");
        let c = odd("c", "");
        let dialects = Dialects::new(ISSUER, vec![standard(), a, b, c], &[]).unwrap();
        for (host, path, expected) in [
            ("api.a.example", "/oauth/token", "a token"),
            ("api.a.example", "/oauth/introspect", "a nothing"),
            ("api.b.example:8080", "/oauth/token", "b token"),
            ("api.b.example", "/oauth/token", "stranger"),
            ("b.example", "/oauth/token", "b token"),
            ("auth.example", "/c/oauth/token", "c token"),
            ("auth.example", "/oauth/token", "standard token"),
        ] {
            assert_eq!(told(&dialects, host, path), expected, "{host}{path}");
        }
        let base = |name: &str| dialects.named(name).unwrap().base_url.clone();
        assert_eq!(
            [base("a"), base("b"), base("c")],
            ["https://api.a.example", "https://api.b.example:8080", "https://auth.example/c"]
        );
    }

    #[test]
    fn one_dialect_may_answer_wherever_nobody_else_does() {
        let anywhere = |name: &str| odd(name, "prefix = \"\"");
        let dialects = Dialects::new(ISSUER, vec![standard(), anywhere("a")], &[]).unwrap();
        assert_eq!(told(&dialects, "any.example", "/oauth/token"), "a token");
        assert_eq!(told(&dialects, "auth.example", "/oauth/token"), "standard token");
        let told = Dialects::new(ISSUER, vec![anywhere("a"), anywhere("b")], &[]).unwrap_err();
        expect![[r#"
            x.toml:1:1: `a` and `b` would both answer on every host: give one of them `hosts` or a `prefix`
        "#]]
        .assert_eq(&lines(told));
    }

    #[test]
    fn a_link_is_made_of_a_configured_host_and_never_of_the_one_that_came() {
        let anywhere = odd("a", "prefix = \"\"");
        let elsewhere = odd("b", "hosts = [\"api.b.example:8080\", \"b.example\"]");
        let dialects = Dialects::new(ISSUER, vec![anywhere, elsewhere], &[]).unwrap();
        for (host, expected) in [
            ("auth.example", Some("auth.example")),
            ("AUTH.Example:443", Some("auth.example")),
            ("b.example:443", Some("b.example")),
            ("api.b.example:8080", Some("api.b.example:8080")),
            ("api.b.example", None),
            ("auth.example:8443", None),
            ("auth.example.evil.example", None),
            ("evil.example", None),
            ("", None),
        ] {
            assert_eq!(dialects.configured_host(host), expected, "{host}");
            assert!(!matches!(dialects.route(host, "/sign-in"), Route::UnknownHost), "{host} is answered");
        }
    }

    #[test]
    fn two_addresses_in_one_place_are_refused() {
        let a = odd("a", "hosts = [\"auth.example\"]");
        let told = Dialects::new(ISSUER, vec![standard(), a], &[]).unwrap_err();
        expect![[r#"
            x.toml:1:1: `standard` and `a` would both answer at auth.example/oauth/token: give one of them other `hosts` or a `prefix`
        "#]]
        .assert_eq(&lines(told));
    }

    #[test]
    fn a_waiver_that_the_operator_did_not_accept_is_refused() {
        let open = || standard_with("waives = [\"open-introspection\"]\n[endpoint.introspect]\nauth = [\"anybody\"]\n");
        let told = Dialects::new(ISSUER, vec![open()], &["open-introspecton".to_owned()]).unwrap_err();
        expect![[r#"
            x.toml:1:10: the dialect `standard` waives `open-introspection` and `dialects.accept` does not list it, did you mean `open-introspecton`? Anybody who holds a token, or a guess, may ask what it is worth. Rate limits are what is left.
        "#]]
        .assert_eq(&lines(told));
        assert!(Dialects::new(ISSUER, vec![open()], &["open-introspection".to_owned()]).is_ok());
    }
}
