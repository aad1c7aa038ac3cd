//! What is asked of a server: each workload is a script of `lua/` and its arguments.

use std::path::{Path, PathBuf};

use crate::load::{self, Workload};
use crate::process::{self, Server};
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

/// The client's name and secret, as parameters of a form.
pub(crate) fn credentials() -> String {
    format!("client_id={}&client_secret={}", seed::STANDARD.client_id, seed::SECRET)
}

impl Way {
    /// The way to the standard dialect of a Grantry.
    pub(crate) fn to(scene: &Scene) -> Self {
        Self {
            authorize: "/oauth/authorize".into(),
            token: "/oauth/token".into(),
            introspect: "/oauth/introspect".into(),
            credentials: credentials(),
            tokens: scene.tokens.clone(),
            refreshes: scene.refreshes.clone(),
            cookies: scene.cookies.clone(),
        }
    }

    /// Introspection, each time of another token.
    pub(crate) fn introspection(&self) -> Workload {
        work("introspect.lua", vec![self.introspect.clone(), self.credentials.clone(), text(&self.tokens)])
    }

    /// A token for the client itself.
    pub(crate) fn issue(&self) -> Workload {
        let scope = seed::SCOPE;
        let body = format!("{}&grant_type=client_credentials&scope={scope}", self.credentials);
        work("post.lua", vec![self.token.clone(), body])
    }

    /// Refreshes with rotation, in so many runs.
    pub(crate) fn refresh(&self, runs: usize) -> Workload {
        let [all, threads] = parts(runs);
        let args = vec![self.token.clone(), self.credentials.clone(), text(&self.refreshes), all, threads];
        work("refresh.lua", args)
    }

    /// The whole code flow.
    pub(crate) fn flow(&self) -> Workload {
        let ask = format!(
            "{}?response_type=code&client_id=bench&redirect_uri={}&scope={}&state=s\
             &code_challenge={}&code_challenge_method=S256",
            self.authorize,
            seed::REDIRECT_URI.replace(':', "%3A").replace('/', "%2F"),
            seed::SCOPE,
            seed::CHALLENGE
        );
        let redeem = format!(
            "{}&grant_type=authorization_code&redirect_uri={}&code_verifier={}",
            self.credentials,
            seed::REDIRECT_URI,
            seed::VERIFIER
        );
        work("flow.lua", vec![ask, self.token.clone(), redeem, text(&self.cookies)])
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

/// The least that a server can be asked.
pub(crate) fn of_the_ceiling() -> [Workload; 2] {
    [
        work("post.lua", vec!["/".into(), format!("{}&token={}", credentials(), "0".repeat(43))]),
        work("get.lua", vec!["/".into()]),
    ]
}

/// What is asked of the standard dialect, in so many runs.
pub(crate) fn standard(scene: &Scene, runs: usize) -> Vec<Workload> {
    let way = Way::to(scene);
    let discovery = work("get.lua", vec!["/.well-known/oauth-authorization-server".into()]);
    vec![way.introspection(), way.issue(), way.refresh(runs), way.flow(), discovery]
}

/// The same of two other dialects.
pub(crate) fn other(scene: &Scene, runs: usize) -> Vec<Workload> {
    let at = |host, script, args| Workload { host: Some(host), ..work(script, args) };
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
        at(TINYREBRAND_HOST, "introspect.lua", ask),
        at(TINYREBRAND_HOST, "refresh.lua", refresh),
        at(PHP_HOST, "flow.lua", flow),
    ]
}

fn work(script: &'static str, args: Vec<String>) -> Workload {
    Workload { script, args, host: None }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The arguments that divide a file of tokens among runs and threads.
fn parts(runs: usize) -> [String; 2] {
    [(load::THREADS as usize * runs).to_string(), load::THREADS.to_string()]
}
