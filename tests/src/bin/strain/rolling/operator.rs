//! The operator, who adds, disables and deletes people and applications with the command lines of both versions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;
use tests::Installation;
use tests::fixture::HOST;
use tests::fixture::application::{Application, member};
use tests::fixture::browser::Browser;
use tests::person::{PASSWORD, REDIRECT_URI};

use super::{Load, Told, message};

/// Every so many stories the sealing keys are rotated. Pages that are open then are good for one rotation.
const STORIES_A_ROTATION: usize = 25;

/// The operator.
pub(crate) struct Operator<'a> {
    load: &'a Load,
    /// The command line of the earlier version, and that of this one.
    commands: &'a [Installation; 2],
    stories: usize,
    requests: u64,
    crossings: u64,
}

impl<'a> Operator<'a> {
    pub(crate) const fn new(load: &'a Load, commands: &'a [Installation; 2]) -> Self {
        Self { load, commands, stories: 0, requests: 0, crossings: 0 }
    }

    pub(crate) fn story(&mut self) -> Told {
        (self.requests, self.crossings) = (0, 0);
        self.stories += 1;
        let done = catch_unwind(AssertUnwindSafe(|| self.come_and_go()));
        let wrong = done.err().map(|panic| message(&*panic));
        Told { name: "the operator", requests: self.requests, crossings: self.crossings, wrong }
    }

    /// Runs a command of a version that works now. `at` says which one, so that two steps after each other are of both.
    fn run(&mut self, at: usize, words: &[&str], input: &str) -> Vec<u8> {
        let nodes = self.load.nodes();
        let is_new = nodes[(self.stories + at) % nodes.len()].is_new;
        self.requests += 1;
        self.crossings += u64::from(nodes.iter().any(|node| node.is_new != is_new));
        let output = self.commands[usize::from(is_new)].run(words, input);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn come_and_go(&mut self) {
        let added = self.run(0, &["client", "add", "--name", "Brief", "--redirect-uri", REDIRECT_URI, "--json"], "");
        let added: serde_json::Value = serde_json::from_slice(&added).expect("a document");
        let (id, secret) = (added["client_id"].as_str().expect("an id"), added["client_secret"].as_str());
        let load = self.load;
        let client = |number: usize| Application::new(&load.node(number).address, id, secret);
        let token = member(&client(self.stories).own_token(), "access_token");
        self.run(2, &["client", "disable", id], "");
        for node in load.nodes() {
            let described = load.applications["api"].at(&node.address).introspect(&token);
            assert_eq!(described, json!({"active": false}), "its client was disabled");
        }
        self.run(0, &["client", "enable", id], "");
        let _ = member(&client(self.stories + 2).own_token(), "access_token");
        self.run(2, &["client", "delete", id], "");
        assert_eq!(client(self.stories).own_token().status, 401, "the client was deleted");

        let name = format!("brief-{}", self.stories);
        self.run(2, &["user", "add", "--username", &name, "--password-stdin"], PASSWORD);
        let mut browser = Browser::at_host(&load.node(self.stories).address, HOST);
        assert_eq!(browser.sign_in(&name, PASSWORD).location(), "/account", "a new account");
        self.run(0, &["user", "disable", &name], "");
        for node in load.nodes() {
            browser.move_to(&node.address);
            assert!(!browser.is_signed_in(), "the account was disabled");
        }
        self.run(2, &["user", "delete", &name], "");
        if self.stories.is_multiple_of(STORIES_A_ROTATION) {
            self.run(0, &["key", "rotate"], "");
        }
        self.requests += 5 + 2 * load.nodes().len() as u64;
    }
}
