//! Tests of preconditions: of two turns that exclude each other, the second is lost and writes nothing.

use protocol::line::{AccountKey, Changes, Key, Rely, Wants, Write};
use protocol::model::{Client, ClientKey, CodeId, GrantId, IdentityName, SessionId, User, UserKey};

use super::rows::*;
use crate::{CLIENT_ID_OF_USER, CommitError, SUB_OF_CLIENT, Store};

/// RFC 6749 §4.1.2: "The client MUST NOT use the authorization code more than once."
pub(super) async fn a_code_is_spent_once(store: &dyn Store) {
    furnish(store).await;
    must_lose(store, Write::SpendCode(CodeId(2))).await;
    commit(store, [Write::SpendCode(CodeId(1))]).await;
    must_lose(store, Write::SpendCode(CodeId(1))).await;
}

fn rotate(grant: i64, from: &str) -> Write {
    Write::RotateRefresh { grant: GrantId(grant), from: digest(from), to: refresh("second"), expires_at: later(2_000) }
}

pub(super) async fn a_refresh_token_is_rotated_by_its_current_digest_alone(store: &dyn Store) {
    furnish(store).await;
    must_lose(store, rotate(1, "other")).await;
    must_lose(store, rotate(2, "first")).await;
    commit(store, [rotate(1, "first")]).await;
    must_lose(store, rotate(1, "first")).await;
}

pub(super) async fn a_revoked_grant_cannot_be_refreshed(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::RevokeGrant(GrantId(1))]).await;
    must_lose(store, rotate(1, "first")).await;
    must_lose(store, rotate(2, "first")).await;
}

pub(super) async fn a_grant_without_a_refresh_token_cannot_be_refreshed(store: &dyn Store) {
    furnish(store).await;
    let mut bare = grant(2, 1, 1);
    bare.refresh = None;
    commit(store, [Write::PutGrant(Box::new(bare))]).await;
    must_lose(store, rotate(2, "first")).await;
}

pub(super) async fn a_turn_relies_on_what_it_saw(store: &dyn Store) {
    furnish(store).await;
    let holds = [
        Rely::Client(ClientKey(1), 1),
        Rely::User(UserKey(1), 1),
        Rely::Session(SessionId(1)),
        Rely::Consent { user: UserKey(1), client: ClientKey(1), id: Some(101) },
        Rely::Grant(GrantId(1)),
    ];
    commit(store, holds).await;
    let breaks = [
        Rely::Client(ClientKey(1), 2),
        Rely::Client(ClientKey(3), 1),
        Rely::User(UserKey(1), 0),
        Rely::User(UserKey(3), 1),
        Rely::Session(SessionId(3)),
        Rely::Consent { user: UserKey(1), client: ClientKey(1), id: None },
        Rely::Consent { user: UserKey(1), client: ClientKey(3), id: Some(101) },
        Rely::Grant(GrantId(3)),
    ];
    for rely in breaks {
        must_lose(store, rely).await;
    }
    commit(store, [Write::RevokeGrant(GrantId(1)), Write::EndSession(SessionId(1))]).await;
    must_lose(store, Rely::Grant(GrantId(1))).await;
    must_lose(store, Rely::Session(SessionId(1))).await;
}

pub(super) async fn a_turn_relies_on_the_rows_before_it(store: &dyn Store) {
    furnish(store).await;
    let relied = [Rely::User(UserKey(1), 1), Rely::Session(SessionId(1))];
    let writes = [Write::PutUser(Box::new(User { version: 2, ..user(1) })), Write::EndSession(SessionId(1))];
    commit(store, Changes::new(relied, writes)).await;
    assert!(facts(store, 1).await.session.is_none());
}

pub(super) async fn the_writes_of_a_turn_are_made_in_their_order(store: &dyn Store) {
    furnish(store).await;
    let put_code = |id| Write::PutCode(Box::new(code(id, 1, 1)));
    let put_grant = |id| Write::PutGrant(Box::new(grant(id, 1, 1)));
    must_lose(store, [Write::SpendCode(CodeId(60)), put_code(60)]).await;
    must_lose(store, [rotate(60, "first"), put_grant(60)]).await;
    commit(store, [put_code(60), Write::SpendCode(CodeId(60)), put_grant(60), rotate(60, "first")]).await;
    let found = facts(store, 60).await;
    assert!(found.code.expect("the code is there").row.is_spent);
    assert_eq!(found.grant.expect("the grant is there").row.refresh, Some(refresh("second")));
}

pub(super) async fn a_user_has_fewer_rows_than_a_limit(store: &dyn Store) {
    furnish(store).await;
    let clients = |than| Rely::ClientsFewer { owner: UserKey(1), than };
    let personals = |than| Rely::PersonalsFewer { user: UserKey(1), than };
    let owned = Client { owner: Some(UserKey(1)), ..client(3) };
    commit(store, Changes::new([clients(1)], [Write::PutClient(Box::new(owned))])).await;
    must_lose(store, clients(0)).await;
    must_lose(store, clients(1)).await;
    commit(store, [clients(2), personals(2)]).await;
    must_lose(store, personals(1)).await;
    let other = [Rely::ClientsFewer { owner: UserKey(2), than: 1 }, Rely::PersonalsFewer { user: UserKey(2), than: 1 }];
    commit(store, other).await;
}

pub(super) async fn a_shut_door_counts_and_passes_nobody(store: &dyn Store) {
    furnish(store).await;
    let fail =
        |limit| Write::CountFailure { key: digest("address"), limit, now: NOW, resets_at: later(100), user: None };
    let pass = |limit| Rely::CounterBelow { key: digest("address"), limit, now: NOW };
    let clear = |limit| Write::ClearCounter { key: digest("address"), limit, now: NOW };
    must_lose(store, fail(0)).await;
    must_lose(store, pass(0)).await;
    commit(store, [fail(2), fail(2)]).await;
    must_lose(store, fail(2)).await;
    must_lose(store, pass(2)).await;
    must_lose(store, Changes::new([pass(2)], [clear(2)])).await;
    let after = Rely::CounterBelow { key: digest("address"), limit: 2, now: later(100) };
    commit(store, Changes::new([after, pass(3)], [clear(3)])).await;
}

pub(super) async fn an_old_version_cannot_be_put(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::PutClient(Box::new(Client { version: 2, ..client(1) }))]).await;
    commit(store, [Write::PutUser(Box::new(User { version: 2, ..user(1) }))]).await;
    for version in [0, 1, 2, 4] {
        must_lose(store, Write::PutClient(Box::new(Client { version, ..client(1) }))).await;
        must_lose(store, Write::PutUser(Box::new(User { version, ..user(1) }))).await;
    }
    for version in [0, 2] {
        must_lose(store, Write::PutClient(Box::new(Client { version, ..client(3) }))).await;
        must_lose(store, Write::PutUser(Box::new(User { version, ..user(3) }))).await;
    }
}

pub(super) async fn a_new_row_is_put_once(store: &dyn Store) {
    furnish(store).await;
    must_lose(store, Write::PutCode(Box::new(code(1, 2, 2)))).await;
    must_lose(store, Write::PutGrant(Box::new(grant(1, 2, 2)))).await;
    must_lose(store, Write::PutAccess(Box::new(access(1, 2, 2)))).await;
    must_lose(store, Write::PutPersonal(Box::new(personal(1, 2)))).await;
    must_lose(store, Write::PutSession(Box::new(session(1, 2)))).await;
    must_lose(store, Write::PutSealKey(seal_key(7))).await;
    must_lose(store, Write::PutSigningKey(Box::new(signing_key(7)))).await;
}

/// OpenID Connect Core §5.7: `iss` and `sub` together are "a stable identifier for the End-User".
pub(super) async fn an_identity_belongs_to_one_user(store: &dyn Store) {
    furnish(store).await;
    must_lose(store, Write::PutIdentity(identity(1, 1))).await;
    must_lose(store, Write::PutIdentity(identity(1, 2))).await;
    let mut elsewhere = identity(1, 2);
    elsewhere.name.issuer = "https://other.example".to_owned();
    commit(store, [Write::PutIdentity(elsewhere), Write::PutIdentity(identity(2, 1))]).await;
}

/// RFC 7523 §3: the server "MAY ensure that JWTs are not replayed by maintaining the set of used "jti" values".
pub(super) async fn a_token_is_burned_once(store: &dyn Store) {
    furnish(store).await;
    commit(store, [burn("jti", 60)]).await;
    must_lose(store, burn("jti", 60)).await;
    must_lose(store, burn("jti", 90)).await;
    commit(store, [burn("another", 60)]).await;
}

/// RFC 6749 §2.2: "The client identifier is unique to the authorization server."
pub(super) async fn a_client_id_is_given_once(store: &dyn Store) {
    furnish(store).await;
    let taken = CommitError::Taken("client_id");
    let thief = Client { client_id: "client-1".to_owned(), ..client(3) };
    must_fail(store, Write::PutClient(Box::new(thief)), taken.clone()).await;
    let thief = Client { client_id: "client-1".to_owned(), version: 2, ..client(2) };
    must_fail(store, Write::PutClient(Box::new(thief)), taken).await;
    let other_case = Client { client_id: "Client-1".to_owned(), ..client(3) };
    commit(store, [Write::PutClient(Box::new(other_case))]).await;
}

pub(super) async fn names_of_users_are_given_once(store: &dyn Store) {
    furnish(store).await;
    let thieves = [
        ("sub", User { sub: "sub-1".to_owned(), ..user(3) }),
        ("username", User { username: Some("USER1".to_owned()), ..user(3) }),
        ("username", User { username: Some(" user1@example.COM".to_owned()), ..user(3) }),
        ("email", User { email: Some("user1@EXAMPLE.com".to_owned()), ..user(3) }),
        ("email", User { email: Some("user1".to_owned()), ..user(3) }),
        ("email", User { email: Some("User1@example.com".to_owned()), version: 2, ..user(2) }),
    ];
    for (name, thief) in thieves {
        must_fail(store, Write::PutUser(Box::new(thief)), CommitError::Taken(name)).await;
    }
    // Users without names never collide, and a user's address may also be that user's name.
    let nameless = |key| User { username: None, email: None, ..user(key) };
    commit(store, [3, 4].map(|key| Write::PutUser(Box::new(nameless(key))))).await;
    let own = User { username: Some("user2@example.com".to_owned()), version: 2, ..user(2) };
    commit(store, [Write::PutUser(Box::new(own))]).await;
}

/// RFC 8265 §3.3: names are compared in lower case and composed.
pub(super) async fn user_names_that_look_the_same_are_given_once(store: &dyn Store) {
    furnish(store).await;
    let named = |key, name: &str| User { username: Some(name.to_owned()), email: None, ..user(key) };
    commit(store, [Write::PutUser(Box::new(named(3, "Jose\u{301}")))]).await;
    for name in ["José", "jose\u{301}", " JOSÉ"] {
        must_fail(store, Write::PutUser(Box::new(named(4, name))), CommitError::Taken("username")).await;
        let address = User { username: None, email: Some(name.to_owned()), ..user(4) };
        must_fail(store, Write::PutUser(Box::new(address)), CommitError::Taken("email")).await;
        assert_eq!(store.user_by_name(name).await.unwrap().as_deref(), Some(&named(3, "Jose\u{301}")), "{name}");
        assert_eq!(login(store, name).await.as_deref(), Some(&named(3, "Jose\u{301}")), "{name}");
    }
    assert!(store.user_by_name("jose").await.unwrap().is_none());
    // The user's own row may be written with another spelling of the name.
    commit(store, [Write::PutUser(Box::new(User { version: 2, ..named(3, "José") }))]).await;
    assert_eq!(store.user_by_name("jose\u{301}").await.unwrap().unwrap().version, 2);
}

/// RFC 9068 §5: "authorization servers should prevent scenarios where clients can affect the value of the sub claim".
pub(super) async fn a_client_id_is_never_a_sub(store: &dyn Store) {
    furnish(store).await;
    let thief = Client { client_id: "sub-1".to_owned(), ..client(3) };
    must_fail(store, Write::PutClient(Box::new(thief)), CommitError::Taken(CLIENT_ID_OF_USER)).await;
    let thief = Client { client_id: "sub-1".to_owned(), version: 2, ..client(2) };
    must_fail(store, Write::PutClient(Box::new(thief)), CommitError::Taken(CLIENT_ID_OF_USER)).await;
    let nameless = |key, sub: &str| User { sub: sub.to_owned(), username: None, email: None, ..user(key) };
    let thief = nameless(3, "client-1");
    must_fail(store, Write::PutUser(Box::new(thief)), CommitError::Taken(SUB_OF_CLIENT)).await;
    let thief = User { sub: "client-1".to_owned(), version: 2, ..user(2) };
    must_fail(store, Write::PutUser(Box::new(thief)), CommitError::Taken(SUB_OF_CLIENT)).await;
    // Two rows of one turn collide as well. The identifier of a deleted row is free.
    let pair = Changes::from([
        Write::PutUser(Box::new(nameless(4, "both"))),
        Write::PutClient(Box::new(Client { client_id: "both".to_owned(), ..client(4) })),
    ]);
    assert_eq!(store.commit(pair).await, Err(CommitError::Taken(CLIENT_ID_OF_USER)));
    commit(store, [Write::DeleteClient(ClientKey(1))]).await;
    commit(store, [Write::PutUser(Box::new(nameless(3, "client-1")))]).await;
}

pub(super) async fn of_a_client_and_a_user_who_race_for_an_id_one_gets_it(store: &dyn Store) {
    race_for_ids(store, store).await;
}

/// Lets two nodes of one store write the same identifier at the same time.
pub(crate) async fn race_for_ids(one: &dyn Store, other: &dyn Store) {
    for round in 10..40 {
        let id = format!("id-{round}");
        let user = User { sub: id.clone(), username: None, email: None, ..user(round) };
        let client = Client { client_id: id.clone(), ..client(round) };
        let (as_user, as_client) = tokio::join!(
            one.commit([Write::PutUser(Box::new(user))].into()),
            other.commit([Write::PutClient(Box::new(client))].into()),
        );
        match (as_user, as_client) {
            (Ok(()), Err(CommitError::Taken(CLIENT_ID_OF_USER))) | (Err(CommitError::Taken(SUB_OF_CLIENT)), Ok(())) => {
            }
            both => panic!("{id}: {both:?}"),
        }
    }
}

/// The store may commit concurrent turns in one transaction of the database.
pub(super) async fn a_set_that_is_lost_does_not_hurt_its_neighbours(store: &dyn Store) {
    furnish(store).await;
    let lost = || Changes::from([Write::PutAccess(Box::new(own_access(90, 1))), Write::SpendCode(CodeId(2))]);
    let kept = |id| Changes::from([Write::PutAccess(Box::new(own_access(id, 1))), Write::Note(event("kept", None))]);
    let (a, b, c, d) = tokio::join!(
        store.commit(kept(91)),
        store.commit(lost()),
        store.commit(kept(92)),
        store.commit([Write::SpendCode(CodeId(1))].into())
    );
    assert_eq!((a, b, c, d), (Ok(()), Err(CommitError::Lost), Ok(()), Ok(())));
    assert!(facts(store, 90).await.access.is_none());
    assert!(facts(store, 91).await.access.is_some() && facts(store, 92).await.access.is_some());
    assert!(facts(store, 1).await.code.expect("the code is there").row.is_spent);
}

/// Ids depend on clocks, and the clocks of two processes differ.
pub(super) async fn what_is_revoked_by_its_id_has_a_smaller_one(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::PutGrant(Box::new(grant(70, 1, 1))), Write::PutAccess(Box::new(own_access(80, 1)))]).await;
    let of_user = |revoked_below| Write::PutUser(Box::new(User { revoked_below, version: 2, ..user(1) }));
    let of_client = |revoked_below| Write::PutClient(Box::new(Client { revoked_below, version: 2, ..client(1) }));
    let refused = async |write: Write, id| assert_eq!(store.commit(write.into()).await, Err(CommitError::Behind(id)));
    refused(of_user(70), 70).await;
    refused(of_user(5), 70).await;
    refused(of_client(71), 80).await;
    commit(store, [of_client(81), of_user(71)]).await;
    // Rows that come later have greater ids. Earlier revocations are not considered again.
    commit(store, [Write::PutSession(Box::new(session(90, 1)))]).await;
    let again = User { revoked_below: 71, version: 3, name: "Other".to_owned(), ..user(1) };
    commit(store, [Write::PutUser(Box::new(again.clone()))]).await;
    let everything = User { revoked_below: 72, version: 4, ..again };
    refused(Write::PutUser(Box::new(everything)), 90).await;
}

/// A request may contain a NUL character, but not every database can store one.
pub(super) async fn a_name_with_a_nul_is_nobodys(store: &dyn Store) {
    furnish(store).await;
    let name = "client-1\0".to_owned();
    let identity = IdentityName { issuer: "\0".to_owned(), subject: "\0".to_owned() };
    let mut wants = Wants::of([Key::Client(name.clone()), Key::Sub(name.clone()), Key::Consent(name.clone())]);
    wants.account([AccountKey::Identity(identity.clone()), AccountKey::Login(name.clone())]);
    let found = store.load(wants).await.expect("the store answers");
    assert!(found.client(&name).is_none() && found.login(&name).is_none() && found.subject(&name).is_none());
    assert!(found.identity(&identity).is_none());
    assert_eq!(store.client_by_id("\0").await, Ok(None));
    assert_eq!(store.user_by_name("\0").await, Ok(None));
    commit(store, [Write::Note(event("\0", None))]).await;
}
