//! Tests of queries and lists.

use protocol::line::{AccountKey, Key, OwnedCounts, Wants, Write};
use protocol::model::{
    Access, Client, ClientKey, Consent, Event, EventKind, GrantId, Session, SessionId, User, UserKey,
};
use protocol::person::attempt::Attempt;
use protocol::person::counters::account_attempts_key;
use protocol::scope::Scope;

use super::rows::*;
use crate::{EventFilter, Store};

fn keys(clients: &[std::sync::Arc<Client>]) -> Vec<i64> {
    clients.iter().map(|client| client.key.0).collect()
}

pub(super) async fn clients_and_users_come_in_pages(store: &dyn Store) {
    for key in [4, 2, 3, 1] {
        commit(store, [Write::PutClient(Box::new(client(key))), Write::PutUser(Box::new(user(key)))]).await;
    }
    assert_eq!(keys(&store.clients(None, None, 3).await.unwrap()), [1, 2, 3]);
    assert_eq!(keys(&store.clients(None, Some(ClientKey(3)), 3).await.unwrap()), [4]);
    let users = store.users(None, 2).await.unwrap();
    assert_eq!(users.iter().map(|user| user.key.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(*users[0], user(1));
    assert_eq!(store.users(Some(UserKey(2)), 9).await.unwrap().len(), 2);
}

pub(super) async fn a_search_finds_a_text_anywhere_in_a_name_across_pages(store: &dyn Store) {
    for first in [1, 401, 801] {
        let rows = first..(first + 400).min(1001);
        let put = rows.flat_map(|key| {
            // One in three hundred has the name that is looked for.
            let name = if key % 300 == 0 { "Łukasz J\u{f6}rg" } else { "Somebody" }.to_owned();
            let user = User { name: name.clone(), username: None, ..user(key) };
            [Write::PutUser(Box::new(user)), Write::PutClient(Box::new(Client { name, ..client(key) }))]
        });
        commit(store, put.collect::<Vec<_>>()).await;
    }
    let users = async |text, after: Option<i64>, rows_max| {
        let found = store.find_users(Some(text), after.map(UserKey), rows_max).await.unwrap();
        found.iter().map(|user| user.key.0).collect::<Vec<_>>()
    };
    assert_eq!(users("\u{141}UKASZ jo\u{308}rg", None, usize::MAX).await, [300, 600, 900]);
    assert_eq!(users("j\u{d6}rg", None, 2).await, [300, 600]);
    assert_eq!(users("j\u{f6}rg", Some(600), 2).await, [900]);
    assert_eq!(users("nobody", None, 2).await, [0; 0]);
    assert_eq!(users("%", None, 2).await, [0; 0], "a search is no pattern");
    let clients = store.find_clients(Some("ukasz"), None, Some(ClientKey(300)), 5).await.unwrap();
    assert_eq!(keys(&clients), [600, 900]);
    assert_eq!(store.find_users(None, Some(UserKey(2)), 700).await.unwrap().len(), 700);
    assert_eq!(store.find_clients(None, None, None, usize::MAX).await.unwrap().len(), 1000);
}

pub(super) async fn clients_are_found_by_owner_and_by_id(store: &dyn Store) {
    furnish(store).await;
    let owned = Client { owner: Some(UserKey(1)), ..client(3) };
    commit(store, [Write::PutClient(Box::new(owned.clone()))]).await;
    assert_eq!(keys(&store.clients(Some(UserKey(1)), None, 9).await.unwrap()), [3]);
    assert_eq!(keys(&store.clients(Some(UserKey(1)), Some(ClientKey(3)), 9).await.unwrap()), [0; 0]);
    assert_eq!(store.client_by_id("client-3").await.unwrap().as_deref(), Some(&owned));
    assert_eq!(store.client(ClientKey(3)).await.unwrap().as_deref(), Some(&owned));
    assert!(store.client_by_id("CLIENT-3").await.unwrap().is_none());
    assert!(store.client(ClientKey(4)).await.unwrap().is_none());
}

pub(super) async fn a_user_is_found_under_every_name(store: &dyn Store) {
    furnish(store).await;
    for name in ["sub-1", "user1", "USER1", " User1@EXAMPLE.com "] {
        assert_eq!(store.user_by_name(name).await.unwrap().as_deref(), Some(&user(1)), "{name}");
    }
    for name in ["SUB-1", "user", "", "user1@example", "%"] {
        assert!(store.user_by_name(name).await.unwrap().is_none(), "{name}");
    }
    // Users cannot sign in by their public identifier.
    assert!(login(store, "sub-1").await.is_none());
    assert_eq!(login(store, "uSER1@example.com").await.as_deref(), Some(&user(1)));
    assert_eq!(store.user(UserKey(2)).await.unwrap().as_deref(), Some(&user(2)));
}

pub(super) async fn a_sub_wins_over_a_user_name(store: &dyn Store) {
    furnish(store).await;
    let pretender = User { username: Some("sub-1".to_owned()), ..user(3) };
    commit(store, [Write::PutUser(Box::new(pretender))]).await;
    assert_eq!(store.user_by_name("sub-1").await.unwrap().as_deref(), Some(&user(1)));
}

pub(super) async fn sessions_come_newest_first(store: &dyn Store) {
    furnish(store).await;
    let puts = [(2, 1), (3, 2)].map(|(id, user)| Write::PutSession(Box::new(session(id, user))));
    commit(store, puts).await;
    assert_eq!(store.sessions(UserKey(1)).await.unwrap(), [session(2, 1), session(1, 1)]);
}

pub(super) async fn identities_are_those_of_their_user(store: &dyn Store) {
    furnish(store).await;
    let puts = [identity(3, 1), identity(2, 1), identity(4, 2)].map(Write::PutIdentity);
    commit(store, puts).await;
    assert_eq!(store.identities(UserKey(1)).await.unwrap(), [identity(1, 1), identity(2, 1), identity(3, 1)]);
    assert_eq!(store.identities(UserKey(3)).await.unwrap(), []);
}

pub(super) async fn applications_are_consents_and_live_grants(store: &dyn Store) {
    furnish(store).await;
    let mut over = grant(2, 1, 1);
    over.expires_at = NOW;
    let mut revoked = grant(3, 1, 1);
    revoked.is_revoked = true;
    let puts = [over, revoked, grant(4, 1, 2), grant(5, 1, 2)].map(|row| Write::PutGrant(Box::new(row)));
    commit(store, puts).await;
    let found = store.applications(UserKey(1), NOW).await.unwrap();
    let seen: Vec<_> = found.iter().map(|own| (own.client.key.0, own.consent.clone(), own.grants_live)).collect();
    assert_eq!(seen, [(1, Some(consent(1, 1)), 1), (2, None, 2)]);
    // A consent stays when its grants are revoked. A client without consent and grants is not listed.
    commit(store, [1, 4, 5].map(|id| Write::RevokeGrant(GrantId(id)))).await;
    let found = store.applications(UserKey(1), NOW).await.unwrap();
    assert_eq!(found.iter().map(|own| (own.client.key.0, own.grants_live)).collect::<Vec<_>>(), [(1, 0)]);
    // `revoked_below` revokes everything older at once.
    commit(store, [Write::PutGrant(Box::new(grant(6, 2, 1)))]).await;
    let cut = Client { revoked_below: 7, version: 2, ..client(1) };
    commit(store, [Write::PutClient(Box::new(cut)), Write::PutGrant(Box::new(grant(7, 2, 1)))]).await;
    assert_eq!(store.applications(UserKey(2), NOW).await.unwrap()[0].grants_live, 1);
    let cut = User { revoked_below: 8, version: 2, ..user(2) };
    commit(store, [Write::PutUser(Box::new(cut))]).await;
    assert!(store.applications(UserKey(2), NOW).await.unwrap().is_empty());
}

pub(super) async fn grants_can_be_narrowed_down(store: &dyn Store) {
    furnish(store).await;
    let mut over = grant(4, 2, 2);
    over.expires_at = NOW;
    let puts = [grant(2, 1, 2), grant(3, 2, 1), over].map(|row| Write::PutGrant(Box::new(row)));
    commit(store, puts).await;
    let (one, two) = ((Some(UserKey(1)), Some(ClientKey(1))), (Some(UserKey(2)), Some(ClientKey(2))));
    for (user, client, live_at, rows_max, expected) in [
        (None, None, None, 9, &[4, 3, 2, 1][..]),
        (None, None, None, 2, &[4, 3]),
        (None, None, Some(NOW), 2, &[3, 2]),
        (one.0, None, None, 9, &[2, 1]),
        (None, one.1, None, 9, &[3, 1]),
        (one.0, one.1, None, 9, &[1]),
        (two.0, two.1, Some(NOW), 9, &[]),
    ] {
        let found = store.grants(user, client, live_at, rows_max).await.unwrap();
        assert_eq!(found.iter().map(|held| held.row.id.0).collect::<Vec<_>>(), expected, "{user:?} {client:?}");
    }
    let held = &store.grants(one.0, one.1, None, 1).await.unwrap()[0];
    assert_eq!((held.client.as_deref(), held.user.as_deref()), (Some(&client(1)), Some(&user(1))));
    assert_eq!(held.row, grant(1, 1, 1));
}

pub(super) async fn personal_tokens_come_with_their_user(store: &dyn Store) {
    furnish(store).await;
    commit(store, [(2, 2), (3, 1)].map(|(id, user)| Write::PutPersonal(Box::new(personal(id, user))))).await;
    let ids = |found: Vec<protocol::model::WithOwners<protocol::model::Personal>>| {
        found.into_iter().map(|held| (held.row.id.0, held.user.map(|user| user.key.0))).collect::<Vec<_>>()
    };
    assert_eq!(ids(store.personals(None).await.unwrap()), [(3, Some(1)), (2, Some(2)), (1, Some(1))]);
    assert_eq!(ids(store.personals(Some(UserKey(2))).await.unwrap()), [(2, Some(2))]);
}

pub(super) async fn connected_users_are_counted_once(store: &dyn Store) {
    furnish(store).await;
    // The first user has a consent and a grant, the second only a grant, the third only a consent.
    commit(store, [Write::PutGrant(Box::new(grant(2, 2, 1)))]).await;
    commit(store, [Write::PutUser(Box::new(user(3))), Write::PutConsent(consent(3, 1))]).await;
    let count = async |client, now, users_max| store.connected(ClientKey(client), now, users_max).await.unwrap();
    assert_eq!(count(1, NOW, 9).await, 3);
    assert_eq!(count(1, NOW, 2).await, 2);
    assert_eq!(count(2, NOW, 9).await, 0);
    assert_eq!(count(4, NOW, 9).await, 0);
    assert_eq!(count(1, later(1_000), 9).await, 2, "the grants are over");
    let cut = User { revoked_below: 3, version: 2, ..user(2) };
    commit(store, [Write::PutUser(Box::new(cut)), Write::PutGrant(Box::new(grant(3, 2, 1)))]).await;
    assert_eq!(count(1, NOW, 9).await, 3);
    let cut = User { revoked_below: 4, version: 3, ..user(2) };
    commit(store, [Write::PutUser(Box::new(cut))]).await;
    assert_eq!(count(1, NOW, 9).await, 2);
    commit(store, [Write::WithdrawConsent { user: UserKey(1), client: ClientKey(1) }]).await;
    assert_eq!(count(1, NOW, 9).await, 1);
    let cut = Client { revoked_below: 99, version: 2, ..client(1) };
    commit(store, [Write::PutClient(Box::new(cut)), Write::PutGrant(Box::new(grant(9, 2, 1)))]).await;
    assert_eq!(count(1, NOW, 9).await, 1, "a consent stays when all grants are revoked");
}

pub(super) async fn owned_counts_are_those_of_the_session_s_user(store: &dyn Store) {
    furnish(store).await;
    let owned = Client { owner: Some(UserKey(1)), ..client(3) };
    let others = Client { owner: Some(UserKey(2)), ..client(4) };
    commit(store, [owned, others].map(|row| Write::PutClient(Box::new(row)))).await;
    commit(store, [(2, 2), (3, 1)].map(|(id, user)| Write::PutPersonal(Box::new(personal(id, user))))).await;
    let counts = async |session, key: Option<Key>| {
        let mut wants = Wants::of(key);
        wants.account([AccountKey::Session(SessionId(session))]);
        let facts = store.load(wants).await.unwrap();
        facts.row(&Key::OwnedCounts).map(|_| facts.owned_counts().unwrap())
    };
    let expected = OwnedCounts { clients: 1, personals: 2, identities: 1 };
    assert_eq!(counts(1, Some(Key::OwnedCounts)).await, Some(expected));
    assert_eq!(counts(1, None).await, None);
    assert_eq!(counts(7, Some(Key::OwnedCounts)).await, None);
}

pub(super) async fn events_come_latest_first(store: &dyn Store) {
    furnish(store).await;
    commit(store, [("second", None), ("third", Some(1))].map(|(detail, user)| Write::Note(event(detail, user)))).await;
    let found = async |filter| events(store, filter).await;
    let all = || EventFilter { rows_max: 9, ..EventFilter::default() };
    let (first, second, third) = (event("first", Some(1)), event("second", None), event("third", Some(1)));
    assert_eq!(found(EventFilter { rows_max: 2, ..all() }).await, [third.clone(), second.clone()]);
    assert_eq!(found(EventFilter { user: Some(UserKey(1)), ..all() }).await, [third, first]);
}

pub(super) async fn events_can_be_narrowed_down_and_come_in_pages(store: &dyn Store) {
    let note = |at_s: u64, kind, user: Option<i64>, client: i64, address: &str| Event {
        at: later(at_s),
        kind,
        client: Some(ClientKey(client)),
        address: address.to_owned(),
        ..event(&at_s.to_string(), user)
    };
    let all = [
        note(1, EventKind::SignedIn, Some(1), 1, "192.0.2.1"),
        note(2, EventKind::LockedOut, Some(2), 2, "192.0.2.1"),
        note(3, EventKind::SignInFailed, None, 1, "192.0.2.2"),
        Event { actor: Some("root (uid 0)".into()), ..note(4, EventKind::SignInFailed, Some(1), 2, "192.0.2.1") },
    ];
    commit(store, all.map(Write::Note)).await;
    let told = async |filter: EventFilter| {
        let found = store.events(EventFilter { rows_max: filter.rows_max.max(1), ..filter }).await.unwrap();
        found.iter().map(|noted| noted.event.detail.clone()).collect::<Vec<_>>().join(" ")
    };
    let any = || EventFilter { rows_max: 9, ..EventFilter::default() };
    assert_eq!(told(any()).await, "4 3 2 1");
    assert_eq!(told(EventFilter { client: Some(ClientKey(1)), ..any() }).await, "3 1");
    assert_eq!(told(EventFilter { user: Some(UserKey(1)), client: Some(ClientKey(2)), ..any() }).await, "4");
    assert_eq!(told(EventFilter { kinds: vec![EventKind::LockedOut, EventKind::SignedIn], ..any() }).await, "2 1");
    assert_eq!(told(EventFilter { address: Some("192.0.2.1".into()), ..any() }).await, "4 2 1");
    assert_eq!(told(EventFilter { address: Some("192.0.2.1\0".into()), ..any() }).await, "");
    assert_eq!(told(EventFilter { since: Some(later(3)), ..any() }).await, "4 3");
    assert_eq!(told(EventFilter { until: Some(later(3)), ..any() }).await, "2 1");
    assert_eq!(told(EventFilter { since: Some(later(2)), until: Some(later(4)), ..any() }).await, "3 2");
    assert_eq!(told(EventFilter { has_actor: true, ..any() }).await, "4 3", "events without a user have one here");
    let first = store.events(EventFilter { rows_max: 2, ..any() }).await.unwrap();
    assert_eq!(told(EventFilter { before: first.last().map(|noted| noted.id), ..any() }).await, "2 1");
    assert_eq!(told(EventFilter { after: first.last().map(|noted| noted.id), ..any() }).await, "4");
    assert_eq!(told(EventFilter { after: Some(i64::MIN), rows_max: 3, ..any() }).await, "1 2 3");
}

pub(super) async fn counts_say_how_much_there_is(store: &dyn Store) {
    furnish(store).await;
    let rows = store.counts().await.unwrap().rows;
    let expected = [
        ("clients", 2),
        ("users", 2),
        ("sessions", 1),
        ("identities", 1),
        ("consents", 1),
        ("codes", 1),
        ("grants", 1),
        ("access_tokens", 1),
        ("personal_tokens", 1),
        ("tickets", 0),
        ("secret_uses", 0),
        ("attempts", 0),
        ("burned", 0),
        ("seal_keys", 1),
        ("signing_keys", 1),
        ("jobs", 1),
        ("events", 1),
    ];
    assert_eq!(rows, expected);
}

pub(super) async fn ages_say_when_the_first_and_the_last_row_were_made(store: &dyn Store) {
    assert_eq!(store.counts().await.unwrap().ages, []);
    furnish(store).await;
    let above = store.greatest_id().await.unwrap();
    let access = Access { issued_at: later(60), ..own_access(above + 5, 1) };
    let client = Client { created_at: later(70), key: ClientKey(above + 6), client_id: "late".into(), ..client(1) };
    let consent = Consent { given_at: later(80), ..consent(2, 2) };
    let late = Event { at: later(90), ..event("late", None) };
    commit(
        store,
        [
            Write::PutAccess(Box::new(access)),
            Write::PutClient(Box::new(client)),
            Write::PutConsent(consent),
            Write::Note(late),
        ],
    )
    .await;
    let expected = [
        ("clients", NOW, later(70)),
        ("users", NOW, NOW),
        ("sessions", NOW, NOW),
        ("identities", NOW, NOW),
        ("consents", NOW, later(80)),
        ("codes", NOW, NOW),
        ("grants", NOW, NOW),
        ("access_tokens", NOW, later(60)),
        ("personal_tokens", NOW, NOW),
        ("seal_keys", NOW, NOW),
        ("signing_keys", NOW, NOW),
        ("jobs", NOW, NOW),
        ("events", NOW, later(90)),
    ];
    assert_eq!(store.counts().await.unwrap().ages, expected);
}

pub(super) async fn the_greatest_id_is_above_all_rows(store: &dyn Store) {
    assert_eq!(store.greatest_id().await.unwrap(), 0);
    furnish(store).await;
    let before = store.greatest_id().await.unwrap();
    assert!(before >= 2, "two clients and two users are there");
    let session = Session { id: SessionId(before + 5), ..session(1, 1) };
    commit(store, [Write::PutSession(Box::new(session.clone()))]).await;
    assert_eq!(store.greatest_id().await.unwrap(), before + 5);
    let overrun = Session { id: SessionId(-1), ..session };
    commit(store, [Write::PutSession(Box::new(overrun))]).await;
    assert_eq!(store.greatest_id().await.unwrap(), i64::MAX, "an id that ran over is greater than all others");
}

/// A signed-in user may sign in as another user. The login then determines the account.
pub(super) async fn consent_and_attempts_go_by_login_before_session(store: &dyn Store) {
    furnish(store).await;
    let mut wider = consent(2, 1);
    wider.permission.scope = Scope::of(["profile", "email"]);
    let fail = |key| Write::CountFailure { key, limit: 9, now: NOW, resets_at: later(100), user: None };
    let (one, two) = (account_attempts_key(Some(UserKey(1)), ""), account_attempts_key(Some(UserKey(2)), ""));
    let nobody = account_attempts_key(None, " NoBody ");
    commit(store, [Write::PutConsent(wider.clone()), fail(one), fail(two), fail(two)]).await;
    commit(store, [fail(nobody), fail(nobody), fail(nobody)]).await;
    let attempt = Attempt::from_address("192.0.2.1");
    for (login, account, consented, failures) in [
        (None, Some(UserKey(1)), Some(consent(1, 1)), 1),
        (Some("user2"), Some(UserKey(2)), Some(wider.clone()), 2),
        (Some("USER2@example.com"), Some(UserKey(2)), Some(wider), 2),
        (Some("nobody"), None, None, 3),
    ] {
        let session = SessionId(1);
        let mut wants = Wants::of([Key::Session(session), Key::Consent("client-1".to_owned())]);
        wants.account([login.map_or(AccountKey::Session(session), |typed| AccountKey::Login(typed.to_owned()))]);
        wants.attempt(attempt.clone());
        let found = store.load(wants).await.unwrap();
        assert_eq!(found.account(), account, "{login:?}");
        assert_eq!(found.consent("client-1").cloned(), consented, "{login:?}");
        let counters = attempt.keys(account, login).into_iter().filter_map(|counter| found.failures(counter));
        assert_eq!(counters.map(|row| row.failures).collect::<Vec<_>>(), [failures], "{login:?}");
    }
}

pub(super) async fn an_identity_leads_to_its_user_before_login_and_session(store: &dyn Store) {
    furnish(store).await;
    let key = account_attempts_key(Some(UserKey(1)), "");
    let count = Write::CountFailure { key, limit: 9, now: NOW, resets_at: later(10), user: None };
    commit(store, [count]).await;
    let attempt = Attempt::from_address("192.0.2.1");
    let load_as = async |keys: [AccountKey; 2]| {
        let mut wants = Wants::of([Key::Consent("client-1".to_owned())]);
        wants.account(keys);
        wants.attempt(attempt.clone());
        let found = store.load(wants).await.expect("the store can be read");
        let counters = attempt.keys(found.account(), Some("user2"));
        let counted = counters.into_iter().filter(|counter| found.failures(*counter).is_some()).count();
        (found, counted)
    };
    let user2 = || AccountKey::Login("user2".to_owned());
    let (found, counted) = load_as([AccountKey::Identity(identity_name(1)), user2()]).await;
    let held = found.identity(&identity_name(1)).expect("the identity is there");
    assert_eq!((&held.row, held.user.as_ref().map(|user| user.key)), (&identity(1, 1), Some(UserKey(1))));
    assert_eq!(found.login("user2").map(|user| user.key), Some(UserKey(2)));
    assert!(counted == 1 && found.consent("client-1").is_some());
    let (found, counted) = load_as([AccountKey::Identity(identity_name(2)), user2()]).await;
    assert_eq!(found.account(), Some(UserKey(2)), "an identity that is nobody's leads to the next key");
    assert!(found.identity(&identity_name(2)).is_none() && counted == 0 && found.consent("client-1").is_none());
    let (found, counted) = load_as([user2(), AccountKey::Identity(identity_name(1))]).await;
    assert_eq!((found.account(), counted), (Some(UserKey(2)), 0), "the order of the keys is the caller's");
    commit(store, [Write::DeleteUser(UserKey(1))]).await;
    let found = load(store, Key::Identity(identity_name(1))).await;
    assert!(found.identity(&identity_name(1)).is_none(), "it goes with its user");
}
