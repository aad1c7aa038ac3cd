//! Tests of writes: each does what its name says, and nothing else.

use protocol::client::registration::secret_digest;
use protocol::crypto::keys::Presented;
use protocol::line::{AccountKey, Changes, Key, Rely, Wants, Write};
use protocol::model::{
    Access, AccessId, Attempts, Circumstances, Client, ClientKey, ClientSecret, CodeId, GrantId, IdentityName,
    Personal, PersonalId, Refresh, SessionId, SigningKey, StoredSecret, User, UserKey,
};
use protocol::person::attempt::Attempt;
use protocol::secret::Digest;

use super::rows::*;
use crate::{CommitError, Store};

pub(super) async fn rows_are_found_as_they_were_put(store: &dyn Store) {
    furnish(store).await;
    let found = facts(store, 1).await;
    assert_eq!(found.client.as_deref(), Some(&client(1)));
    let held = found.code.expect("the code is there");
    assert_eq!(held.row, code(1, 1, 1));
    assert_eq!((held.client.as_deref(), held.user.as_deref()), (Some(&client(1)), Some(&user(1))));
    let held = found.grant.expect("the grant is there");
    assert_eq!(held.row, grant(1, 1, 1));
    assert_eq!((held.client.as_deref(), held.user.as_deref()), (Some(&client(1)), Some(&user(1))));
    assert!(!held.is_grant_revoked);
    let held = found.access.expect("the access token is there");
    assert_eq!(held.row, access(1, 1, 1));
    assert_eq!((held.client.as_deref(), held.user.as_deref()), (Some(&client(1)), Some(&user(1))));
    assert!(!held.is_grant_revoked);
    let held = found.personal.expect("the personal token is there");
    assert_eq!((held.row, held.client, held.user.as_deref()), (personal(1, 1), None, Some(&user(1))));
    let held = found.session.expect("the session is there");
    assert_eq!((held.row, held.client, held.user.as_deref()), (session(1, 1), None, Some(&user(1))));
    assert_eq!(found.consent, Some(consent(1, 1)));
    let near = Attempt::from_address("192.0.2.1").keys(Some(UserKey(1)), None);
    assert!(near.into_iter().all(|counter| found.facts.failures(counter).is_none()));
    assert!(found.address_attempts.is_none());
}

pub(super) async fn rows_without_their_optional_parts_are_found_as_they_were_put(store: &dyn Store) {
    furnish(store).await;
    let mut bare_code = code(2, 1, 1);
    (bare_code.challenge, bare_code.is_redirect_uri_named) = (None, false);
    let authorization = &mut bare_code.authorization;
    (authorization.permission.audience, authorization.circumstances) = (Vec::new(), Circumstances::default());
    let mut bare_grant = grant(2, 1, 1);
    (bare_grant.refresh, bare_grant.is_revoked) = (None, true);
    bare_grant.authorization = bare_code.authorization.clone();
    let mut full_grant = grant(3, 1, 1);
    full_grant.refresh =
        Some(Refresh { previous: Some(digest("0")), answer: Some(vec![0, 1, 255]), ..refresh("current") });
    let used = Personal { used_at: Some(NOW), is_by_operator: true, ..personal(2, 1) };
    let mut bare_session = session(2, 1);
    bare_session.amr = Vec::new();
    let puts = [
        Write::PutCode(Box::new(bare_code.clone())),
        Write::PutGrant(Box::new(bare_grant.clone())),
        Write::PutGrant(Box::new(full_grant.clone())),
        Write::PutAccess(Box::new(own_access(2, 1))),
        Write::PutPersonal(Box::new(used.clone())),
        Write::PutSession(Box::new(bare_session.clone())),
    ];
    commit(store, puts).await;
    let found = facts(store, 2).await;
    assert_eq!(found.code.expect("the code is there").row, bare_code);
    let held = found.grant.expect("the grant is there");
    assert_eq!((held.row, held.is_grant_revoked), (bare_grant, true));
    let held = found.access.expect("the access token is there");
    assert_eq!((held.row, held.is_grant_revoked), (own_access(2, 1), false));
    assert_eq!((held.client.as_deref(), held.user), (Some(&client(1)), None));
    assert_eq!(found.personal.expect("the personal token is there").row, used);
    assert_eq!(found.session.expect("the session is there").row, bare_session);
    assert_eq!(facts(store, 3).await.grant.expect("the grant is there").row, full_grant);
}

pub(super) async fn what_is_not_there_is_absent(store: &dyn Store) {
    let found = facts(store, 1).await;
    assert!(found.client.is_none() && found.code.is_none() && found.grant.is_none() && found.access.is_none());
    assert!(found.personal.is_none() && found.session.is_none() && found.consent.is_none());
    let mut wants = Wants::default();
    wants.account([AccountKey::Login("nobody".to_owned())]);
    wants.attempt(Attempt::from_address("192.0.2.1"));
    let found = store.load(wants).await.expect("the store can be read");
    assert!(found.login("nobody").is_none() && found.account().is_none());
    let counters = Attempt::from_address("192.0.2.1").keys(None, Some("nobody"));
    assert!(!counters.is_empty() && counters.into_iter().all(|counter| found.failures(counter).is_none()));
    // Ending or touching a row that does not exist is no error.
    let ends = [
        Write::TouchSession { id: SessionId(1), seen_at: NOW, idle_until: NOW },
        Write::TouchPersonal { id: PersonalId(1), used_at: NOW },
        Write::RevokeGrant(GrantId(1)),
        Write::RevokeAccess(AccessId(1)),
        Write::RevokePersonal(PersonalId(1)),
        Write::WithdrawConsent { user: UserKey(1), client: ClientKey(1) },
        Write::EndSession(SessionId(1)),
        Write::EndSessions { user: UserKey(1), but: None },
        Write::DropSealKey(1),
        Write::DropSigningKey(1),
        Write::DropIdentity(identity_name(1)),
        Write::DeleteUser(UserKey(1)),
        Write::DeleteClient(ClientKey(1)),
    ];
    commit(store, ends).await;
}

pub(super) async fn a_spent_code_stays_and_is_spent(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::SpendCode(CodeId(1))]).await;
    let mut spent = code(1, 1, 1);
    spent.is_spent = true;
    assert_eq!(facts(store, 1).await.code.expect("the code is there").row, spent);
}

pub(super) async fn a_rotated_refresh_token_takes_the_place_of_the_old_one(store: &dyn Store) {
    furnish(store).await;
    let to = Refresh { previous: Some(digest("first")), answer: Some(vec![7; 40]), generation: 4, ..refresh("second") };
    let rotate =
        Write::RotateRefresh { grant: GrantId(1), from: digest("first"), to: to.clone(), expires_at: later(2_000) };
    commit(store, [rotate]).await;
    let mut rotated = grant(1, 1, 1);
    (rotated.refresh, rotated.expires_at) = (Some(to), later(2_000));
    assert_eq!(facts(store, 1).await.grant.expect("the grant is there").row, rotated);
}

pub(super) async fn a_used_refresh_token_may_stay_the_same(store: &dyn Store) {
    furnish(store).await;
    let to = Refresh { idle_until: later(900), ..refresh("first") };
    let same = Write::RotateRefresh { grant: GrantId(1), from: digest("first"), to, expires_at: later(2_000) };
    commit(store, [same]).await;
    let mut touched = grant(1, 1, 1);
    touched.refresh = Some(Refresh { idle_until: later(900), ..refresh("first") });
    touched.expires_at = later(2_000);
    assert_eq!(facts(store, 1).await.grant.expect("the grant is there").row, touched);
}

pub(super) async fn a_revoked_grant_takes_its_tokens_along(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::RevokeGrant(GrantId(1))]).await;
    let found = facts(store, 1).await;
    let held = found.grant.expect("the grant is there");
    assert!(held.row.is_revoked && held.is_grant_revoked);
    assert!(found.access.expect("the access token is there").is_grant_revoked);
    assert!(found.code.expect("the code is there").is_grant_revoked);
}

pub(super) async fn a_token_for_a_revoked_grant_is_born_dead(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::RevokeGrant(GrantId(1))]).await;
    let mut late = access(2, 1, 1);
    late.grant = Some(GrantId(1));
    commit(store, [Write::PutAccess(Box::new(late))]).await;
    assert!(facts(store, 2).await.access.expect("the access token is there").is_grant_revoked);
}

pub(super) async fn a_token_whose_grant_is_gone_is_dead(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::PutAccess(Box::new(access(2, 1, 1)))]).await;
    assert!(facts(store, 2).await.access.expect("the access token is there").is_grant_revoked);
}

pub(super) async fn a_grant_is_found_by_its_access_token(store: &dyn Store) {
    furnish(store).await;
    let second = Access { grant: Some(GrantId(1)), ..access(7, 1, 1) };
    commit(store, [Write::PutAccess(Box::new(second)), Write::PutAccess(Box::new(own_access(8, 1)))]).await;
    for (id, expected) in [(1, true), (7, true), (8, false), (9, false)] {
        let wants = Wants::of([Key::Access(AccessId(id)), Key::GrantOf(AccessId(id))]);
        let facts = store.load(wants).await.unwrap();
        let found = facts.grant_of(Presented { id, digest: digest("access") });
        let found = found.map(|held| (held.row.clone(), held.client.is_some(), held.user.is_some()));
        assert_eq!(found, expected.then(|| (grant(1, 1, 1), true, true)), "{id}");
    }
}

pub(super) async fn a_code_whose_grant_has_not_begun_is_alive(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::PutCode(Box::new(code(2, 1, 1)))]).await;
    assert!(!facts(store, 2).await.code.expect("the code is there").is_grant_revoked);
}

pub(super) async fn a_revoked_access_token_is_gone_and_its_grant_lives(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::RevokeAccess(AccessId(1))]).await;
    let found = facts(store, 1).await;
    assert!(found.access.is_none());
    assert!(!found.grant.expect("the grant is there").is_grant_revoked);
}

pub(super) async fn a_revoked_personal_token_is_gone(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::PutPersonal(Box::new(personal(2, 1))), Write::RevokePersonal(PersonalId(1))]).await;
    assert!(facts(store, 1).await.personal.is_none());
    assert!(facts(store, 2).await.personal.is_some());
}

pub(super) async fn touching_changes_the_times_alone(store: &dyn Store) {
    furnish(store).await;
    let touches = [
        Write::TouchSession { id: SessionId(1), seen_at: later(9), idle_until: later(109) },
        Write::TouchPersonal { id: PersonalId(1), used_at: later(9) },
    ];
    commit(store, touches).await;
    let found = facts(store, 1).await;
    let mut seen = session(1, 1);
    (seen.seen_at, seen.idle_until) = (later(9), later(109));
    assert_eq!(found.session.expect("the session is there").row, seen);
    assert_eq!(found.personal.expect("the token is there").row, Personal { used_at: Some(later(9)), ..personal(1, 1) });
}

pub(super) async fn the_last_use_of_a_secret_is_kept_for_as_long_as_the_client_has_it(store: &dyn Store) {
    furnish(store).await;
    let uses = async |client| store.secret_uses(ClientKey(client)).await.expect("uses can be listed");
    let kept = ClientSecret { stored: StoredSecret::Sha256(digest("kept")), hint: "kept".into(), created_at: NOW };
    let secret = secret_digest(&kept);
    let own = Client { version: 2, secrets: vec![kept], ..client(1) };
    commit(store, [Write::PutClient(Box::new(own.clone()))]).await;
    let touch = |client, secret, s| Write::TouchSecret { client: ClientKey(client), secret, used_at: later(s) };
    commit(store, [touch(1, secret, 9), touch(1, secret, 5), touch(77, digest("nobody's"), 9)]).await;
    assert_eq!(uses(1).await, [(secret, later(9))], "another node's clock may be behind");
    assert_eq!((uses(2).await, uses(77).await), (vec![], vec![]));
    commit(store, [touch(1, secret, 20), Write::Note(event("together", None))]).await;
    let renamed = Client { version: 3, name: "New".into(), ..own };
    commit(store, [Write::PutClient(Box::new(renamed.clone()))]).await;
    assert_eq!(uses(1).await, [(secret, later(20))]);
    let retired = Client { version: 4, secrets: vec![], ..renamed };
    commit(store, [Write::PutClient(Box::new(retired))]).await;
    assert_eq!(uses(1).await, []);
    commit(store, [touch(2, digest("second"), 30), Write::DeleteClient(ClientKey(2))]).await;
    assert_eq!(uses(2).await, []);
}

pub(super) async fn a_withdrawn_consent_takes_grants_and_open_codes_along(store: &dyn Store) {
    furnish(store).await;
    let others = [
        Write::SpendCode(CodeId(1)),
        Write::PutCode(Box::new(code(2, 1, 1))),
        Write::PutCode(Box::new(code(3, 2, 1))),
        Write::PutGrant(Box::new(grant(2, 1, 2))),
        Write::PutGrant(Box::new(grant(3, 2, 1))),
        Write::PutConsent(consent(1, 2)),
    ];
    commit(store, others).await;
    commit(store, [Write::WithdrawConsent { user: UserKey(1), client: ClientKey(1) }]).await;
    let (one, two, three) = (facts(store, 1).await, facts(store, 2).await, facts(store, 3).await);
    assert!(one.consent.is_none());
    assert!(one.grant.expect("the grant is there").is_grant_revoked);
    assert!(one.access.expect("the token is there").is_grant_revoked);
    assert!(one.code.expect("a spent code stays, to recognise its replay").row.is_spent);
    assert!(two.code.is_none(), "a code that was not redeemed would begin a new grant");
    assert!(!two.grant.expect("another client's grant").is_grant_revoked);
    assert!(three.code.is_some() && !three.grant.expect("another user's grant").is_grant_revoked);
    let mut other = Wants::of([Key::Consent("client-2".to_owned())]);
    other.account([AccountKey::Session(SessionId(1))]);
    let found = store.load(other).await.expect("the store can be read");
    assert_eq!(found.consent("client-2"), Some(&consent(1, 2)));
}

pub(super) async fn a_session_ends_alone(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::PutSession(Box::new(session(2, 1))), Write::EndSession(SessionId(1))]).await;
    assert!(facts(store, 1).await.session.is_none());
    assert!(facts(store, 2).await.session.is_some());
}

pub(super) async fn a_dropped_identity_is_gone_and_may_be_linked_again(store: &dyn Store) {
    furnish(store).await;
    let mut elsewhere = identity(1, 1);
    elsewhere.name.issuer = "https://other.example".to_owned();
    commit(store, [Write::PutIdentity(identity(2, 1)), Write::PutIdentity(elsewhere.clone())]).await;
    commit(store, [Write::DropIdentity(identity_name(1))]).await;
    let owner = async |name: IdentityName| {
        load(store, Key::Identity(name.clone())).await.identity(&name).map(|held| held.row.user)
    };
    assert_eq!(owner(identity_name(1)).await, None);
    assert_eq!((owner(identity_name(2)).await, owner(elsewhere.name).await), (Some(UserKey(1)), Some(UserKey(1))));
    commit(store, [Write::PutIdentity(identity(1, 2))]).await;
    assert_eq!(owner(identity_name(1)).await, Some(UserKey(2)));
}

pub(super) async fn a_burned_token_is_remembered(store: &dyn Store) {
    furnish(store).await;
    assert!(!facts(store, 1).await.is_jti_used);
    commit(store, [burn("jti", 60)]).await;
    assert!(facts(store, 1).await.is_jti_used);
    assert!(!load(store, Key::UsedJti(digest("another"))).await.is_jti_used(digest("another")));
}

pub(super) async fn all_sessions_of_a_user_end_but_for_one(store: &dyn Store) {
    furnish(store).await;
    let puts = [(2, 1), (3, 1), (4, 2)].map(|(id, user)| Write::PutSession(Box::new(session(id, user))));
    commit(store, puts).await;
    commit(store, [Write::EndSessions { user: UserKey(1), but: Some(SessionId(2)) }]).await;
    for (id, is_there) in [(1, false), (2, true), (3, false), (4, true)] {
        assert_eq!(facts(store, id).await.session.is_some(), is_there, "session {id}");
    }
    commit(store, [Write::EndSessions { user: UserKey(1), but: None }]).await;
    assert!(facts(store, 2).await.session.is_none());
}

pub(super) async fn a_deleted_user_takes_everything_along(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::PutSession(Box::new(session(2, 2))), Write::DeleteUser(UserKey(1))]).await;
    let found = facts(store, 1).await;
    assert!(found.session.is_none() && found.personal.is_none() && found.grant.is_none());
    let held = found.access.expect("the token's row may stay");
    assert!(held.user.is_none() && held.is_grant_revoked);
    assert!(found.code.expect("the code's row may stay").user.is_none());
    assert!(store.user(UserKey(1)).await.expect("the store can be read").is_none());
    assert!(store.applications(UserKey(1), NOW).await.expect("the store can be read").is_empty());
    assert!(facts(store, 2).await.session.is_some(), "another user's session");
}

pub(super) async fn a_deleted_client_takes_everything_along(store: &dyn Store) {
    furnish(store).await;
    let others = [Write::PutAccess(Box::new(own_access(2, 1))), Write::PutGrant(Box::new(grant(2, 1, 2)))];
    commit(store, others).await;
    commit(store, [Write::DeleteClient(ClientKey(1))]).await;
    let found = facts(store, 1).await;
    assert!(found.client.is_none() && found.grant.is_none() && found.consent.is_none());
    let held = found.access.expect("the token's row may stay");
    assert!(held.client.is_none() && held.is_grant_revoked);
    let found = facts(store, 2).await;
    assert!(found.access.expect("the token's row may stay").client.is_none());
    assert!(!found.grant.expect("another client's grant").is_grant_revoked);
}

pub(super) async fn what_hangs_on_a_row_is_as_it_is_now(store: &dyn Store) {
    furnish(store).await;
    facts(store, 1).await;
    let other_client = Client { is_disabled: true, version: 2, ..client(1) };
    let other_user = User { name: "Renamed".to_owned(), email: None, version: 2, ..user(1) };
    let changes = [Write::PutClient(Box::new(other_client.clone())), Write::PutUser(Box::new(other_user.clone()))];
    commit(store, changes).await;
    let found = facts(store, 1).await;
    assert_eq!(found.client.as_deref(), Some(&other_client));
    let held = found.access.expect("the token is there");
    assert_eq!((held.client.as_deref(), held.user.as_deref()), (Some(&other_client), Some(&other_user)));
    assert_eq!(found.session.expect("the session is there").user.as_deref(), Some(&other_user));
    // The name that the user gave up is free again.
    let heir = User { email: Some("user1@example.com".to_owned()), version: 2, ..user(2) };
    commit(store, [Write::PutUser(Box::new(heir))]).await;
}

fn fail(limit: u32, at_s: u64) -> Write {
    Write::CountFailure { key: digest("address"), limit, now: later(at_s), resets_at: later(at_s + 100), user: None }
}

pub(super) async fn failures_are_counted_until_their_window_is_over(store: &dyn Store) {
    commit(store, [fail(3, 0)]).await;
    assert_eq!(failures(store, digest("address")).await, Some(Attempts { failures: 1, resets_at: later(100) }));
    commit(store, [fail(3, 50)]).await;
    assert_eq!(
        failures(store, digest("address")).await,
        Some(Attempts { failures: 2, resets_at: later(100) }),
        "the window stays"
    );
    commit(store, [fail(3, 99)]).await;
    let found = facts(store, 1).await;
    assert_eq!(found.address_attempts.map(|own| own.failures), Some(3), "beside other keys it is found as it is alone");
    assert_eq!(found.facts.failures(digest("clients")), None);
    assert_eq!(store.commit([fail(3, 99)].into()).await, Err(CommitError::Lost));
    commit(store, [fail(3, 100)]).await;
    assert_eq!(
        failures(store, digest("address")).await,
        Some(Attempts { failures: 1, resets_at: later(200) }),
        "a new window"
    );
}

pub(super) async fn a_passed_counter_forgets_only_when_told_to(store: &dyn Store) {
    let relied = [Rely::CounterBelow { key: digest("address"), limit: 2, now: NOW }];
    let clear = Write::ClearCounter { key: digest("address"), limit: 2, now: NOW };
    commit(store, Changes::new(relied, [clear.clone()])).await;
    commit(store, Changes::new(relied, [fail(2, 0)])).await;
    assert_eq!(failures(store, digest("address")).await.map(|row| row.failures), Some(1));
    commit(store, Changes::new(relied, [clear.clone()])).await;
    assert_eq!(failures(store, digest("address")).await, None);
    commit(store, [fail(2, 0), fail(2, 0), clear]).await;
    assert_eq!(failures(store, digest("address")).await.map(|row| row.failures), Some(2), "a full counter stays");
    commit(store, [Write::ClearCounter { key: digest("address"), limit: 2, now: later(100) }]).await;
    assert_eq!(failures(store, digest("address")).await, None, "its window is over");
}

pub(super) async fn the_counters_of_an_account_are_cleared_together(store: &dyn Store) {
    furnish(store).await;
    let count = |key: &str, user: Option<i64>| Write::CountFailure {
        key: digest(key),
        limit: 9,
        now: NOW,
        resets_at: later(100),
        user: user.map(UserKey),
    };
    let failures = async |key: &str| failures(store, digest(key)).await.map(|row| row.failures);
    // A counter that began before an account had the name becomes that of the account.
    commit(store, [count("name", None), count("name", Some(1)), count("name", None), count("device", Some(1))]).await;
    commit(store, [count("other", Some(2)), count("address", None)]).await;
    commit(store, [Write::ForgetFailures(UserKey(1))]).await;
    assert_eq!([failures("name").await, failures("device").await], [None, None]);
    assert_eq!([failures("other").await, failures("address").await], [Some(1), Some(1)]);
    commit(store, [Write::DeleteUser(UserKey(2))]).await;
    assert_eq!([failures("other").await, failures("address").await], [None, Some(1)]);
}

pub(super) async fn sealing_keys_keep_their_order(store: &dyn Store) {
    commit(store, [9, 3, 70_000].map(|number| Write::PutSealKey(seal_key(number)))).await;
    commit(store, [Write::DropSealKey(70_000), Write::PutSealKey(seal_key(5))]).await;
    let numbers: Vec<_> =
        store.seal_keys().await.expect("the store can be read").iter().map(|key| key.number).collect();
    assert_eq!(numbers, [9, 3, 5]);
}

pub(super) async fn a_signing_key_goes_from_one_state_to_the_next_and_nobody_overtakes(store: &dyn Store) {
    let put = |row: &SigningKey| Write::PutSigningKey(Box::new(row.clone()));
    let first = signing_key(1);
    commit(store, [put(&first), put(&signing_key(2))]).await;
    must_lose(store, put(&first)).await;
    must_lose(store, put(&SigningKey { version: 2, ..signing_key(3) })).await;
    let active = SigningKey { version: 2, active_at: Some(later(5)), ..first.clone() };
    commit(store, [put(&active)]).await;
    must_lose(store, put(&active)).await;
    let retired = SigningKey { version: 3, retired_at: Some(later(9)), ..active };
    let promoted = SigningKey { version: 2, active_at: Some(later(9)), ..signing_key(2) };
    must_lose(store, vec![put(&promoted), put(&SigningKey { version: 9, ..retired.clone() })]).await;
    commit(store, [put(&retired), put(&promoted)]).await;
    assert_eq!(store.signing_keys().await.expect("the store can be read"), [retired, promoted.clone()]);
    commit(store, [Write::DropSigningKey(1)]).await;
    assert_eq!(store.signing_keys().await.expect("the store can be read"), [promoted]);
}

pub(super) async fn no_changes_are_no_trouble(store: &dyn Store) {
    commit(store, Changes::default()).await;
}

pub(super) async fn the_fingerprint_of_the_first_master_key_stays(store: &dyn Store) {
    let (first, second) = (Digest::of(b"first"), Digest::of(b"second"));
    assert_eq!(store.master_fingerprint().await, Ok(None));
    assert_eq!(store.note_master_fingerprint(first).await, Ok(first));
    assert_eq!(store.note_master_fingerprint(second).await, Ok(first), "whoever comes later is told of the first one");
    assert_eq!(store.master_fingerprint().await, Ok(Some(first)));
    assert_eq!(store.replace_master_fingerprint(second, first).await, Ok(false), "the second one is not noted");
    assert_eq!(store.replace_master_fingerprint(first, second).await, Ok(true));
    assert_eq!(store.master_fingerprint().await, Ok(Some(second)));
}
