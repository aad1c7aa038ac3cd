//! Mixed load that remembers what the server acknowledged, to be held against what is there afterwards.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::http::Door;
use crate::person::{Person, REDIRECT_URI, VERIFIER};
use crate::{Answer, Installation};

/// Those who issue tokens and revoke some of them.
const ISSUERS: usize = 5;
/// Those who go through whole code flows.
const VISITORS: usize = 3;
/// How often a refresh token is exchanged for the next.
const REFRESHES: usize = 3;
/// Those who look afterwards.
const LOOKERS: usize = 4;

/// An application with a secret.
#[derive(Clone, Debug)]
pub struct Client {
    door: Door,
    /// Its client_id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

impl Client {
    pub(crate) fn new(server: &Installation, id: String, secret: String) -> Self {
        Self { door: server.door(), id, secret }
    }

    /// Posts a form as this client. `None` when there is no whole answer.
    #[must_use]
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Option<Answer> {
        let own = [("client_id", self.id.as_str()), ("client_secret", self.secret.as_str())];
        self.door.post(path, &[], &[&own, fields].concat())
    }

    /// The same client at another server that knows it.
    #[must_use]
    pub fn at(&self, server: &Installation) -> Self {
        Self { door: server.door(), ..self.clone() }
    }

    /// The same client at several servers of the same name, which are asked in turn.
    #[must_use]
    pub fn among(&self, servers: &[Installation]) -> Self {
        Self { door: Door::among(servers), ..self.clone() }
    }

    /// Asks for a token of its own.
    #[must_use]
    pub fn ask(&self) -> Option<Answer> {
        self.post("/oauth/token", &[("grant_type", "client_credentials")])
    }

    /// A token of its own.
    ///
    /// # Panics
    /// When a success has none.
    #[must_use]
    pub fn issue(&self) -> Option<String> {
        let answer = self.ask()?;
        (answer.status == 200).then(|| answer.json()["access_token"].as_str().expect("a token").to_owned())
    }

    /// Is a token active?
    ///
    /// # Panics
    /// When there is no verdict.
    #[must_use]
    pub fn is_active(&self, token: &str) -> bool {
        let answer = self.post("/oauth/introspect", &[("token", token)]).expect("the server is up");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["active"].as_bool().expect("a verdict")
    }

    /// Redeems a code.
    #[must_use]
    pub fn redeem(&self, code: &str) -> Option<Answer> {
        let fields = [("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER), ("code", code)];
        self.post("/oauth/token", &[&[("grant_type", "authorization_code")], &fields[..]].concat())
    }

    /// Exchanges a refresh token.
    #[must_use]
    pub fn refresh(&self, token: &str) -> Option<Answer> {
        self.post("/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }
}

/// A grant that came of a code: everything that was single-use, and what must still work.
#[derive(Clone, Debug)]
struct Flow {
    code: String,
    /// Refresh tokens that were exchanged, the oldest first.
    spent: Vec<String>,
    /// The one that was given last; absent when the answer to its exchange did not come.
    current: Option<String>,
}

/// What the server acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged {
    live: Vec<String>,
    revoked: Vec<String>,
    flows: Vec<Flow>,
    /// Codes of which nobody knows whether they were redeemed.
    unsure: Vec<String>,
    /// Requests that were not answered as they should be, and what came instead. Either outcome is right.
    pub troubles: Vec<Trouble>,
}

/// What came instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing, or half of it.
    Silence,
    /// 503 that says when to try again.
    TryLater,
    /// Something else.
    Answer(String),
}

impl Trouble {
    fn of(answer: Option<Answer>) -> Self {
        match answer {
            None => Self::Silence,
            Some(answer) if answer.status == 503 && answer.header("retry-after").is_some() => Self::TryLater,
            Some(answer) => Self::Answer(format!("{answer:?}")),
        }
    }
}

impl std::fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} live tokens, {} revoked, {} codes and {} refresh tokens spent, {} codes perhaps, {} requests in trouble",
            self.live.len(),
            self.revoked.len(),
            self.flows.len(),
            self.flows.iter().map(|flow| flow.spent.len()).sum::<usize>(),
            self.unsure.len(),
            self.troubles.len()
        )
    }
}

/// Load on a server, of a client and a person who is signed in.
pub struct Load<'a> {
    /// The client.
    pub client: &'a Client,
    /// The person.
    pub person: &'a Person,
    /// What the server acknowledged so far.
    pub acknowledged: &'a Mutex<Acknowledged>,
    /// Tells everybody to stop.
    pub is_over: &'a AtomicBool,
}

impl Load<'_> {
    /// Loads the server until it is over, while `meanwhile` runs; then ends it.
    pub fn during<T>(&self, meanwhile: impl FnOnce() -> T) -> T {
        self.is_over.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..ISSUERS {
                scope.spawn(|| self.repeat(Self::issue));
            }
            for _ in 0..VISITORS {
                scope.spawn(|| self.repeat(Self::flow));
            }
            // Also when it panics, or nobody would ever learn of it.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(meanwhile));
            self.is_over.store(true, Ordering::Relaxed);
            done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn repeat(&self, act: impl Fn(&Self, usize)) {
        let mut count = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            count += 1;
            act(self, count);
        }
    }

    fn note(&self, note: impl FnOnce(&mut Acknowledged)) {
        note(&mut self.acknowledged.lock().expect("nobody panicked"));
    }

    /// The answer, if it is one with this status; else it is noted as trouble.
    fn good(&self, answer: Option<Answer>, status: u16) -> Option<Answer> {
        match answer {
            Some(answer) if answer.status == status => Some(answer),
            other => {
                self.note(|known| known.troubles.push(Trouble::of(other)));
                None
            }
        }
    }

    /// Issues a token and revokes every third.
    fn issue(&self, count: usize) {
        let Some(answer) = self.good(self.client.ask(), 200) else { return };
        let token = access_token(&answer);
        if !count.is_multiple_of(3) {
            return self.note(|known| known.live.push(token));
        }
        if self.good(self.client.post("/oauth/revoke", &[("token", &token)]), 200).is_some() {
            self.note(|known| known.revoked.push(token));
        }
    }

    /// Fetches a code, redeems it, and exchanges the refresh token a few times. Each step is noted when it is answered.
    fn flow(&self, _: usize) {
        let Some(answer) = self.good(self.person.authorize(self.client), 302) else { return };
        let code = Person::code_of(&answer).unwrap_or_else(|| panic!("no code: {answer:?}"));
        let Some(answer) = self.good(self.client.redeem(&code), 200) else {
            return self.note(|known| known.unsure.push(code));
        };
        let mut current = refresh_token(&answer);
        let access = access_token(&answer);
        let place = {
            let mut known = self.acknowledged.lock().expect("nobody panicked");
            known.live.push(access);
            known.flows.push(Flow { code, spent: Vec::new(), current: Some(current.clone()) });
            known.flows.len() - 1
        };
        for _ in 0..REFRESHES {
            // Until the answer is there nobody can say which of the two is the current one.
            self.note(|known| known.flows[place].current = None);
            let Some(answer) = self.good(self.client.refresh(&current), 200) else { return };
            let next = refresh_token(&answer);
            self.note(|known| {
                let flow = &mut known.flows[place];
                flow.spent.push(std::mem::replace(&mut current, next.clone()));
                flow.current = Some(next);
            });
        }
    }
}

fn access_token(answer: &Answer) -> String {
    answer.json()["access_token"].as_str().expect("an access token").to_owned()
}

fn refresh_token(answer: &Answer) -> String {
    answer.json()["refresh_token"].as_str().expect("a refresh token").to_owned()
}

impl Acknowledged {
    /// Holds all this against what a server has: every fact is there, and nothing single-use works twice.
    ///
    /// # Panics
    /// When a fact is gone, or there were hardly any.
    pub fn hold_against(&self, client: &Client) {
        assert!(self.live.len() > 100 && self.flows.len() > 10 && !self.revoked.is_empty(), "hardly any load: {self}");
        each(&self.live, |token| assert!(client.is_active(token), "an acknowledged token is gone"));
        each(&self.revoked, |token| assert!(!client.is_active(token), "a revoked token is back"));
        each(&self.unsure, |code| {
            let _ = client.redeem(code).expect("the server is up");
            refused(client.redeem(code), "a code that was perhaps redeemed works again");
        });
        let at = AtomicUsize::new(0);
        each(&self.flows, |flow| flow.hold_against(client, at.fetch_add(1, Ordering::Relaxed).is_multiple_of(2)));
    }
}

fn refused(answer: Option<Answer>, what: &str) {
    let answer = answer.expect("the server is up");
    let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
    assert_eq!((answer.status, error.as_str()), (400, "invalid_grant"), "{what}: {answer:?}");
}

impl Flow {
    /// What is replayed ends the whole grant, so each kind of replay has grants for which it is the first.
    fn hold_against(&self, client: &Client, is_code_first: bool) {
        let mut spent = self.spent.as_slice();
        match &self.current {
            Some(current) => {
                let answer = client.refresh(current).expect("the server is up");
                assert_eq!(answer.status, 200, "the current refresh token does not work: {answer:?}");
            }
            // The last one that was exchanged may have its answer repeated: the exchange after it may not have happened.
            None => spent = spent.split_last().map_or(&[], |(_, older)| older),
        }
        let code = || refused(client.redeem(&self.code), "a spent code works again");
        if is_code_first {
            code();
        }
        for token in spent {
            refused(client.refresh(token), "a spent refresh token works again");
        }
        if !is_code_first {
            code();
        }
    }
}

/// Does something with each of many, several at once.
fn each<T: Sync>(all: &[T], act: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..LOOKERS {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    act(one);
                }
            });
        }
    });
}
