//! The account page with the user's sessions, and failed attempts to sign in.

use protocol::account::{Act, session_reference};
use protocol::model::{Event, EventKind, Session};
use protocol::policy::PAGE_TTL_S;
use protocol::refusal::Refusal;
use protocol::time::UnixTime;
use serde::Serialize;
use store::EventFilter;

use super::form::{Form, text};
use super::visitor::{Visitor, sample_after};
use crate::fault::Fault;
use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::page::Page;
use crate::render::problem::Problem;
use crate::render::words::{self, Moment};

/// The forms of the page.
pub(super) const FORMS: &[Form] = &[
    Form {
        word: "end-session",
        act: |page| Act::EndSession(text(page, "session")),
        notice: Some("The session was ended."),
    },
    Form {
        word: "end-other-sessions",
        act: |_| Act::EndOtherSessions,
        notice: Some("All your other sessions were ended."),
    },
];

/// The values for the template of the page.
#[derive(Serialize)]
pub(super) struct Sessions {
    account: Frame,
    sessions: Vec<Line>,
    attempts: Attempts,
    #[serde(skip)]
    problem: Option<Problem>,
}

/// A session.
#[derive(Serialize)]
pub(super) struct Line {
    browser: String,
    address: String,
    since: Moment,
    seen: Moment,
    reference: String,
    is_current: bool,
}

/// How far back failed attempts are shown, in days.
const ATTEMPTS_DAYS: u64 = 30;
/// Maximum number of audit events that are read.
const EVENTS_MAX: usize = 2_000;
/// Maximum number of networks that the page names.
const PLACES_MAX: usize = 3;

/// Failed attempts to sign in to the account.
#[derive(Default, Serialize)]
pub(super) struct Attempts {
    days: u64,
    /// Attempts with a wrong password.
    wrong: Option<Tried>,
    /// Attempts with the right password, whose second factor was missing or wrong.
    proven: Option<Tried>,
}

/// Attempts of one kind.
#[derive(Serialize)]
struct Tried {
    count: String,
    is_one: bool,
    last: Moment,
    /// The networks that the attempts came from, the latest first.
    places: Vec<String>,
}

impl Tried {
    fn new(events: &[&Event], now: UnixTime) -> Option<Self> {
        let last = events.first()?;
        let mut places: Vec<String> = Vec::new();
        for event in events {
            let place = roughly(&event.address);
            if places.len() < PLACES_MAX && !places.contains(&place) {
                places.push(place);
            }
        }
        let count = words::count(u32::try_from(events.len()).unwrap_or(u32::MAX));
        Some(Self { count, is_one: events.len() == 1, last: Moment::new(last.at, now), places })
    }
}

impl Attempts {
    /// Reads the attempts from the audit events of the account, the latest first.
    fn of(events: &[Event], now: UnixTime) -> Self {
        let failed = |event: &&Event| event.kind == EventKind::SignInFailed;
        let is_code = |event: &&Event| event.detail == protocol::person::second_factor::WRONG_CODE;
        let wrong: Vec<&Event> = events.iter().filter(failed).filter(|event| !is_code(event)).collect();
        // A sign-in with a second factor begins with the password. Show only those that were not completed.
        let is_completed = |event: &Event| {
            events.iter().any(|other| {
                other.kind == EventKind::SignedIn
                    && other.address == event.address
                    && other.at >= event.at
                    && event.at.seconds_until(other.at) <= PAGE_TTL_S
            })
        };
        let is_proven = |event: &&Event| event.kind == EventKind::PasswordProven || (failed(event) && is_code(event));
        let proven: Vec<&Event> = events.iter().filter(is_proven).filter(|event| !is_completed(event)).collect();
        Self { days: ATTEMPTS_DAYS, wrong: Tried::new(&wrong, now), proven: Tried::new(&proven, now) }
    }
}

/// Returns the network of an address, by which users recognise their own provider.
fn roughly(address: &str) -> String {
    match address.parse::<std::net::Ipv4Addr>() {
        Ok(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.*")
        }
        Err(_) if address.is_empty() => "an unknown address".to_owned(),
        Err(_) => address.to_owned(),
    }
}

impl Sessions {
    /// The page with these sessions, and the refusal of the last action if there was one.
    pub(crate) fn new(account: Frame, mut sessions: Vec<Line>, attempts: Attempts, refusal: Option<&Refusal>) -> Self {
        // The current session comes first, because the user compares the others with it.
        sessions.sort_by_key(|session| !session.is_current);
        Self { account, sessions, attempts, problem: refusal.map(Problem::new) }
    }
}

impl Line {
    /// The line of a session. `reference` names it in the form that ends it.
    pub(crate) fn new(session: &Session, reference: String, is_current: bool, now: UnixTime) -> Self {
        Self {
            browser: words::browser(&session.agent),
            address: session.address.clone(),
            since: Moment::new(session.created_at, now),
            seen: Moment::new(session.seen_at, now),
            reference,
            is_current,
        }
    }
}

/// Renders the page, with the refusal of the last action if there was one.
pub(super) async fn show(visitor: &Visitor<'_>) -> Result<String, Fault> {
    let Visitor { app, user, session: own, refusal, .. } = visitor;
    let (keys, now, mut entropy) = (app.keys(), app.clock.now(), app.draw());
    let sessions = visitor.live_sessions().await?;
    let lines = sessions.iter().map(|session| {
        let reference = session_reference(session.id, user, &keys, &mut entropy);
        Line::new(session, reference, session.id == *own, now)
    });
    let filter = EventFilter {
        user: Some(user.key),
        kinds: vec![EventKind::SignedIn, EventKind::SignInFailed, EventKind::PasswordProven],
        since: Some(UnixTime(now.0.saturating_sub_unsigned(ATTEMPTS_DAYS * 86_400))),
        rows_max: EVENTS_MAX,
        ..EventFilter::default()
    };
    let events: Vec<Event> = app.store.events(filter).await?.into_iter().map(|noted| noted.event).collect();
    let attempts = Attempts::of(&events, now);
    Ok(app.templates.render(&Sessions::new(visitor.frame(), lines.collect(), attempts, *refusal)))
}

impl Page for Sessions {
    const FILE: &'static str = "account_sessions.html";

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let now = UnixTime(1_795_600_000);
        let line = |browser: &str, address: &str, since_s, seen_s, is_current| Line {
            browser: browser.to_owned(),
            address: address.to_owned(),
            since: Moment::new(UnixTime(now.0 - since_s), now),
            seen: Moment::new(UnixTime(now.0 - seen_s), now),
            reference: format!("reference-{seen_s}"),
            is_current,
        };
        let own = || line("Firefox on Windows", "203.0.113.7", 7_200, 10, true);
        let others = [
            line("Safari on iPhone", "2001:db8:85a3:1234:5678:8a2e:370:7334", 1_000_000, 5_400, false),
            line("An unknown browser", "198.51.100.99", 90_000, 86_000, false),
        ];
        let all = others.into_iter().chain([own()]).collect();
        let event = |kind, ago_s: i64, address: &str, detail: &str| Event {
            at: UnixTime(now.0 - ago_s),
            kind,
            user: None,
            client: None,
            address: address.to_owned(),
            detail: detail.to_owned(),
            actor: None,
        };
        let tried = [
            event(EventKind::SignInFailed, 60, "198.51.100.99", ""),
            event(EventKind::PasswordProven, 4_000, "203.0.113.9", ""),
            event(EventKind::SignInFailed, 90_000, "2001:db8::/64", ""),
        ];
        let attempts = Attempts::of(&tried, now);
        let one = vec![own()];
        let ended = sample_after(paths::ACCOUNT_SESSIONS, FORMS, "end-other-sessions");
        vec![
            ("account_sessions", Self::new(Frame::sample(paths::ACCOUNT_SESSIONS), all, attempts, None)),
            ("account_sessions_one", Self::new(ended, one, Attempts::default(), None)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::person::second_factor::WRONG_CODE;

    fn event(kind: EventKind, at: i64, address: &str, detail: &str) -> Event {
        let (address, detail) = (address.to_owned(), detail.to_owned());
        Event { at: UnixTime(at), kind, user: None, client: None, address, detail, actor: None }
    }

    #[test]
    fn wrong_passwords_are_counted_with_the_last_time_and_the_places() {
        let at = |at, address| event(EventKind::SignInFailed, at, address, "");
        let events = [at(900, "192.0.2.7"), at(800, "192.0.2.8"), at(700, "2001:db8::/64")];
        let tried = Attempts::of(&events, UnixTime(960));
        let wrong = tried.wrong.expect("there were some");
        assert_eq!((wrong.count.as_str(), wrong.places.join(" ")), ("3", "192.0.2.* 2001:db8::/64".to_owned()));
        assert!(tried.proven.is_none());
    }

    #[test]
    fn a_password_that_was_right_is_told_apart_unless_its_owner_completed_the_sign_in() {
        let proven = |at, address| event(EventKind::PasswordProven, at, address, "");
        let signed_in = event(EventKind::SignedIn, 1_000, "192.0.2.7", "");
        let own = proven(990, "192.0.2.7");
        assert!(Attempts::of(&[signed_in.clone(), own.clone()], UnixTime(2_000)).proven.is_none());
        let thief = [signed_in.clone(), own, proven(980, "203.0.113.9")];
        assert_eq!(Attempts::of(&thief, UnixTime(2_000)).proven.expect("there was one").count, "1");
        let guesses = [event(EventKind::SignInFailed, 980, "203.0.113.9", WRONG_CODE), signed_in];
        let tried = Attempts::of(&guesses, UnixTime(2_000));
        assert!(tried.wrong.is_none() && tried.proven.is_some());
    }
}
