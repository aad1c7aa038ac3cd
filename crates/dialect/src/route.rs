//! All dialects of an installation, and which of them a request is for: by Host, then by path.

use std::borrow::Cow;
use std::collections::HashMap;

use protocol::endpoint::Endpoint;

use crate::problem::{Problem, suggestion};
use crate::rules::{At, Dialect};

/// The dialects that are switched on.
#[derive(Debug)]
pub struct Dialects {
    all: Vec<Dialect>,
    /// By Host, and then by path.
    hosts: HashMap<String, Paths>,
    /// Which dialect speaks for a host where no path of any matches.
    speakers: HashMap<String, usize>,
    /// The paths of the dialect that answers for whatever host nobody claims.
    anywhere: Option<(usize, Paths)>,
}

/// Whose path it is, and which of its addresses.
type Paths = HashMap<String, (usize, At)>;

/// Where a request belongs.
#[derive(Clone, Copy, Debug)]
pub enum Route<'a> {
    /// To an address of a dialect.
    Endpoint(&'a Dialect, At),
    /// To a host that this server answers for, but to none of its dialects' paths. The dialect is the one whose way of
    /// saying no fits; absent when several share the host.
    UnknownPath(Option<&'a Dialect>),
    /// To a host that this server does not answer for.
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
        let mut built = Self { all: Vec::new(), hosts: HashMap::new(), speakers: HashMap::new(), anywhere: None };
        let mut problems = Vec::new();
        for (index, mut dialect) in dialects.into_iter().enumerate() {
            problems.extend(unaccepted(&dialect, accept));
            problems.extend(built.mount(index, &mut dialect, issuer));
            built.all.push(dialect);
        }
        if problems.is_empty() { Ok(built) } else { Err(problems) }
    }

    fn mount(&mut self, index: usize, dialect: &mut Dialect, issuer: &str) -> Vec<Problem> {
        let (scheme, rest) = issuer.split_once("://").unwrap_or(("https", issuer));
        let (issuer_host, issuer_path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
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
        let paths: Vec<(String, At)> =
            dialect.addresses().map(|(at, own)| (full_path(&prefix, at.endpoint, &own.path), at)).collect();
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
            // The dialect with the shortest prefix speaks for the host; two of the same kind, and nobody does.
            if prefix.is_empty() || dialect.name == "standard" {
                self.speakers.insert(host, index);
            }
        }
        problems
    }

    /// Finds out where a request belongs. `host` is the Host header as it came, `path` the path, undecoded.
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

    /// The paths of a host; a port that the scheme implies need not be said.
    fn paths<'s, 'h>(&'s self, host: &'h str) -> Option<(&'h str, &'s Paths)> {
        let without = host.strip_suffix(":443").or_else(|| host.strip_suffix(":80"));
        [Some(host), without].into_iter().flatten().find_map(|host| Some((host, self.hosts.get(host)?)))
    }

    fn pick<'s>(&'s self, paths: &Paths, path: &str, speaker: Option<usize>) -> Route<'s> {
        match paths.get(path) {
            Some((index, at)) => Route::Endpoint(&self.all[*index], *at),
            None => Route::UnknownPath(speaker.map(|index| &self.all[index])),
        }
    }

    /// Every dialect.
    pub fn iter(&self) -> impl Iterator<Item = &Dialect> {
        self.all.iter()
    }

    /// The dialect of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Dialect> {
        self.all.iter().find(|dialect| dialect.name == name)
    }
}

/// RFC 8414 §3.1: the well-known path comes between the host and the path of the issuer. All other addresses are below it.
fn full_path(prefix: &str, endpoint: Endpoint, path: &str) -> String {
    if endpoint == Endpoint::Metadata && path.starts_with("/.well-known/") {
        format!("{path}{prefix}")
    } else {
        format!("{prefix}{path}")
    }
}

/// Host names have no case: RFC 9110 §4.2.3. Almost all come in lower case, and then nothing is copied.
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
            let near = if near.starts_with(", did") { near } else { String::new() };
            let text = format!(
                "the dialect `{}` waives `{waiver}` and `dialects.accept` does not list it{near}. {meaning}",
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
