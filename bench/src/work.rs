//! What is asked of a server: each workload is a script of `lua/` and its arguments.

use std::path::{Path, PathBuf};

use crate::load::{self, Workload};
use crate::process::{self, Server, body_bytes};
use crate::scene::{PHP_HOST, Scene, TINYREBRAND_HOST};
use crate::seed;

/// How a server is asked, whichever it is, and the files with what it was seeded with.
pub(crate) struct Way {
    /// The path of the authorization endpoint.
    pub(crate) authorize: String,
    /// Of the token endpoint.
    pub(crate) token: String,
    /// Of the introspection endpoint.
    pub(crate) introspect: String,
    /// The client's, as parameters of a form.
    pub(crate) credentials: String,
    /// Live access tokens.
    pub(crate) tokens: PathBuf,
    /// Live refresh tokens.
    pub(crate) refreshes: PathBuf,
    /// Values of the header `Cookie` of signed-in browsers.
    pub(crate) cookies: PathBuf,
}

impl Way {
    /// The way to the standard dialect of a Grantry.
    pub(crate) fn to(scene: &Scene) -> Self {
        Self {
            authorize: "/oauth/authorize".into(),
            token: "/oauth/token".into(),
            introspect: "/oauth/introspect".into(),
            credentials: seed::STANDARD.credentials(),
            tokens: scene.tokens.clone(),
            refreshes: scene.refreshes.clone(),
            cookies: scene.cookies.clone(),
        }
    }

    /// Introspection, each time of another token.
    pub(crate) fn introspection(&self) -> Workload {
        work(
            INTROSPECTION,
            "introspect.lua",
            vec![self.introspect.clone(), self.credentials.clone(), text(&self.tokens)],
        )
    }

    /// A token for the client itself.
    pub(crate) fn issue(&self) -> Workload {
        let scope = seed::SCOPE;
        let body = format!("{}&grant_type=client_credentials&scope={scope}", self.credentials);
        work(ISSUE, "post.lua", vec![self.token.clone(), body])
    }

    /// Refreshes with rotation, in so many runs.
    pub(crate) fn refresh(&self, runs: usize) -> Workload {
        let [all, threads] = parts(runs);
        let args = vec![self.token.clone(), self.credentials.clone(), text(&self.refreshes), all, threads];
        work(REFRESH, "refresh.lua", args)
    }

    /// The whole code flow of a client that people remembered to have allowed.
    pub(crate) fn flow(&self) -> Workload {
        self.flow_of(FLOW, &seed::STANDARD, &self.credentials)
    }

    /// The whole code flow of a client of the operator's own.
    pub(crate) fn flow_of_first_party(&self) -> Workload {
        self.flow_of(FLOW_OF_FIRST_PARTY, &seed::FIRST_PARTY, &seed::FIRST_PARTY.credentials())
    }

    /// The whole code flow of a public client.
    pub(crate) fn flow_of_public(&self) -> Workload {
        self.flow_of(FLOW_OF_PUBLIC, &seed::PUBLIC, &seed::PUBLIC.credentials())
    }

    fn flow_of(&self, name: &'static str, owner: &seed::Owner, credentials: &str) -> Workload {
        let redirect_uri = owner.redirect_uri();
        let ask = format!(
            "{}?response_type=code&client_id={}&redirect_uri={redirect_uri}&scope={}&state=s\
             &code_challenge={}&code_challenge_method=S256",
            self.authorize,
            owner.client_id,
            seed::SCOPE,
            seed::CHALLENGE
        );
        let redeem = format!(
            "{credentials}&grant_type=authorization_code&redirect_uri={redirect_uri}&code_verifier={}",
            seed::VERIFIER
        );
        work(name, "flow.lua", vec![ask, self.token.clone(), redeem, text(&self.cookies)])
    }

    /// Makes sure that what will be measured is what it is said to be: that the first and the last token are alive. A
    /// server that finds nothing answers 200 too, and sooner.
    ///
    /// # Panics
    /// When one is not.
    pub(crate) fn must_find(&self, server: &Server) {
        let tokens = std::fs::read_to_string(&self.tokens).expect("the tokens were written");
        let ends = [tokens.lines().next(), tokens.lines().last()];
        for token in ends.map(|token| token.expect("there are tokens")) {
            let body = format!("{}&token={token}", self.credentials);
            let answer = process::post(&server.address, &self.introspect, &body).expect("it answers");
            assert!(answer.contains("\"active\":true"), "a seeded token is not alive: {answer}");
        }
    }
}

/// What the workloads are called.
pub(crate) const INTROSPECTION: &str = "introspection, spread over all tokens";
pub(crate) const ISSUE: &str = "client_credentials, durable";
pub(crate) const REFRESH: &str = "refresh with rotation, durable";
pub(crate) const FLOW: &str = "whole code flow with PKCE, flows";
pub(crate) const FLOW_OF_FIRST_PARTY: &str = "the same of a first-party client, flows";
pub(crate) const FLOW_OF_PUBLIC: &str = "the same of a public client, flows";
const PERSONAL: &str = "introspection of personal tokens";
const USERINFO: &str = "userinfo";
const DISCOVERY: &str = "discovery document";
const METADATA_PATH: &str = "/.well-known/oauth-authorization-server";
const USERINFO_PATH: &str = "/oauth/userinfo";

/// How many bytes the bodies have that a Grantry answers with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) introspection: usize,
    pub(crate) personal: usize,
    pub(crate) userinfo: usize,
    pub(crate) discovery: usize,
}

impl Sizes {
    /// Asks for one of each.
    ///
    /// # Panics
    /// When something was not answered with success, or a token is not alive.
    pub(crate) fn of(scene: &Scene) -> Self {
        let (way, address) = (Way::to(scene), &scene.server.address);
        let first = |file: &Path| {
            let tokens = std::fs::read_to_string(file).expect("the tokens were written");
            tokens.lines().next().expect("there are tokens").to_owned()
        };
        let introspected = |file: &Path| {
            let body = format!("{}&token={}", way.credentials, first(file));
            let answer = process::post(address, &way.introspect, &body);
            assert!(answer.as_ref().is_some_and(|answer| answer.contains("\"active\":true")), "{answer:?}");
            body_bytes(answer)
        };
        let bearer = first(&scene.of_people);
        let asked = format!(
            "GET {USERINFO_PATH} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {bearer}\r\nConnection: close\r\n\r\n"
        );
        Self {
            introspection: introspected(&scene.tokens),
            personal: introspected(&scene.personals),
            userinfo: body_bytes(process::exchange(address, &asked)),
            discovery: body_bytes(process::get(address, METADATA_PATH)),
        }
    }

    /// All of them.
    pub(crate) fn all(self) -> [usize; 4] {
        [self.introspection, self.personal, self.userinfo, self.discovery]
    }
}

/// The least that a server can be asked: what is answered with 120 bytes, and then, with a body of the same size, the
/// workloads of [`standard`] that have another.
pub(crate) fn of_the_ceiling(sizes: Sizes) -> [Workload; 5] {
    let form = format!("{}&token={}", seed::STANDARD.credentials(), "0".repeat(43));
    let post = |name, path| work(name, "post.lua", vec![path, form.clone()]);
    let get = |name, path| work(name, "get.lua", vec![path]);
    [
        post("ceiling, POST, 120 bytes", "/".to_owned()),
        post("ceiling, POST, as large as introspection", format!("/{}", sizes.introspection)),
        post("ceiling, POST, as large as that of personal tokens", format!("/{}", sizes.personal)),
        get("ceiling, GET, as large as userinfo", format!("/{}", sizes.userinfo)),
        get("ceiling, GET, as large as the discovery document", format!("/{}", sizes.discovery)),
    ]
}

/// What is asked of the standard dialect, in so many runs.
pub(crate) fn standard(scene: &Scene, runs: usize) -> Vec<Workload> {
    let way = Way::to(scene);
    let (credentials, personals) = (way.credentials.clone(), text(&scene.personals));
    vec![
        way.introspection(),
        work(PERSONAL, "introspect.lua", vec![way.introspect.clone(), credentials, personals]),
        work(USERINFO, "userinfo.lua", vec![USERINFO_PATH.into(), text(&scene.of_people)]),
        way.issue(),
        way.refresh(runs),
        way.flow(),
        work(DISCOVERY, "get.lua", vec![METADATA_PATH.into()]),
    ]
}

/// What is asked of a Grantry on PostgreSQL, in so many runs.
pub(crate) fn on_postgres(way: &Way, runs: usize) -> Vec<Workload> {
    let flows = [way.flow(), way.flow_of_first_party(), way.flow_of_public()];
    [way.introspection(), way.issue(), way.refresh(runs)].into_iter().chain(flows).collect()
}

/// The same of two other dialects.
pub(crate) fn other(scene: &Scene, runs: usize) -> Vec<Workload> {
    let at = |host, name, script, args| Workload { host: Some(host), ..work(name, script, args) };
    let (tinyrebrand, php) = (seed::TINYREBRAND.client_id, seed::PHP_ENDPOINTS.client_id);
    let ask = vec!["/api/oauth/introspect".into(), "token_type_hint=access_token".into(), text(&scene.other_tokens)];
    let [all, threads] = parts(runs);
    let refresh =
        vec!["/api/oauth/token".into(), format!("client_id={tinyrebrand}"), text(&scene.other_refreshes), all, threads];
    let flow = vec![
        format!("/api/authorize.php?client_id={php}&redirect_uri={}&response_type=code", seed::REDIRECT_URI),
        "/api/token.php".into(),
        format!("client_id={php}&client_secret={}", seed::SECRET),
        text(&scene.cookies),
    ];
    vec![
        at(TINYREBRAND_HOST, "introspection through tinyrebrand, against the standard dialect", "introspect.lua", ask),
        at(TINYREBRAND_HOST, "refresh through tinyrebrand, against the standard dialect", "refresh.lua", refresh),
        at(PHP_HOST, "code flow through php-endpoints, against the standard dialect", "flow.lua", flow),
    ]
}

fn work(name: &'static str, script: &'static str, args: Vec<String>) -> Workload {
    Workload { name, script, args, host: None }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The arguments that divide a file of tokens among runs and threads.
fn parts(runs: usize) -> [String; 2] {
    [(load::THREADS as usize * runs).to_string(), load::THREADS.to_string()]
}
