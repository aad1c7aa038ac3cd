//! Tests of the operator's commands: outcomes, refusals, and audit events.

mod changing;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::*;
use crate::client_setting::{Given, Proposal, Setting};
use crate::crypto::entropy::Entropy;
use crate::crypto::keys::{Keys, TokenKind};
use crate::developer::Lifetime;
use crate::line::{Call, Changes, Rely};
use crate::model::{
    ClientKind, EventKind, GrantId, Identity, IdentityName, Personal, PersonalId, StoredSecret, Totp, UserKey,
    WithOwners,
};
use crate::person::password;
use crate::resource::any_token::AnyToken;
use crate::sample::{self, World};
use crate::scope::Scope;
use crate::secret::Secret;
use crate::time::UnixTime;

const ROOT: &str = "root (uid 0)";

/// A world with Alice, the client `web`, and an operator.
fn world() -> World {
    let mut world = World::new();
    world.facts.login = Some(Arc::new(sample::user()));
    world
}

/// Judges a command of the operator. Every audit event must name the account that ran it.
fn judge<C: Call>(world: &World, call: &C) -> (Result<C::Yes, Refusal>, Changes) {
    let mut turn = world.turn().by(ROOT);
    let verdict = call.decide(&world.load(call), &mut turn);
    let changes = turn.into_changes();
    for change in &changes.writes {
        if let Write::Note(event) = change {
            assert_eq!(event.actor.as_deref(), Some(ROOT), "{:?}", event.kind);
        }
    }
    let events = changes.writes.iter().filter(|change| matches!(change, Write::Note(_))).count();
    assert_eq!(events, usize::from(verdict.is_ok()), "each act is one event, and a refusal is none: {changes:?}");
    (verdict, changes)
}

fn no<C: Call>(world: &World, call: &C) -> No
where
    C::Yes: std::fmt::Debug,
{
    let (verdict, changes) = judge(world, call);
    assert_eq!(changes, Changes::default(), "a refusal changes nothing");
    verdict.expect_err("it is refused").no
}

/// Judges an allowed command. Returns the outcome, the changes, and the changes as text.
fn yes<C: Call>(world: &World, call: &C) -> (C::Yes, Changes, String) {
    let (verdict, changes) = judge(world, call);
    let words = sample::names(&changes);
    (verdict.unwrap_or_else(|refusal| panic!("{refusal:?}")), changes, words)
}

fn of_alice(act: UserAct) -> UserCall {
    UserCall { user: " Alice ".into(), act }
}

fn of_web(act: ClientAct) -> ClientCall {
    ClientCall { client_id: "web".into(), act }
}

fn put_user(changes: &Changes) -> &User {
    let put = changes.writes.iter().find_map(|change| match change {
        Write::PutUser(user) => Some(&**user),
        _ => None,
    });
    put.expect("a user is put")
}

fn put_client(changes: &Changes) -> &Client {
    let put = changes.writes.iter().find_map(|change| match change {
        Write::PutClient(client) => Some(&**client),
        _ => None,
    });
    put.expect("a client is put")
}

fn detail(changes: &Changes) -> (EventKind, &str) {
    let note = changes.writes.iter().find_map(|change| match change {
        Write::Note(event) => Some((event.kind, event.detail.as_str())),
        _ => None,
    });
    note.expect("there is an event")
}

fn proposal() -> Proposal {
    Proposal::of([(Setting::Name, "App".into()), (Setting::RedirectUris, ["https://app.example/cb"].into())])
}

fn add(client_id: &str, proposal: Proposal, secret: Option<&str>) -> ClientCall {
    let act = ClientAct::Add { proposal, owner: None, secret: secret.map(Secret::new) };
    ClientCall { client_id: client_id.into(), act }
}

#[test]
fn whoever_is_named_is_looked_for_by_id_and_by_name_to_sign_in_with() {
    let wants = of_alice(UserAct::Disable).wants();
    assert_eq!(wants, Wants::of([Key::Sub("Alice".into()), Key::Login("Alice".into())]));
    let mut nobody = world();
    nobody.facts.login = None;
    assert_eq!(no(&nobody, &of_alice(UserAct::Disable)), No::UserAbsent);
    nobody.facts.client = None;
    assert_eq!(no(&nobody, &of_web(ClientAct::Disable)), No::ClientAbsent);
    // An id is exact, so it takes precedence over a user name that looks like it.
    let mut both = world();
    both.facts.subject = Some(Arc::new(User { key: UserKey(9), ..sample::user() }));
    assert_eq!(yes(&both, &of_alice(UserAct::Unlock)).0.user.key, UserKey(9));
}

#[test]
fn a_client_is_registered_with_what_is_said_and_what_its_surface_gives() {
    let (done, changes, words) = yes(&world(), &add("", proposal(), None));
    assert_eq!(words, "PutClient, Note client_added");
    let put = put_client(&changes);
    assert_eq!((*done.client).clone(), *put);
    assert_eq!((put.name.as_str(), put.version, put.client_id.len()), ("App", 1, 26));
    let secret = done.secret.expect("a confidential client gets a secret");
    assert_eq!(put.secrets[0].stored, StoredSecret::Sha256(secret.digest()));
    assert_eq!(detail(&changes), (EventKind::ClientAdded, put.client_id.as_str()));
    let named = yes(&world(), &add("4711", proposal(), Some("hunter2hunter2"))).0;
    assert!(named.secret.is_none() && named.client.client_id == "4711");
    let StoredSecret::Argon2(hash) = &named.client.secrets[0].stored else { panic!("it is kept like a password") };
    assert!(password::is_right(hash, &Secret::new("hunter2hunter2")));
}

#[test]
fn a_client_that_cannot_be_is_refused() {
    assert_eq!(no(&world(), &add("a b", proposal(), None)), No::IdMalformed);
    assert_eq!(no(&world(), &add(&"x".repeat(256), proposal(), None)), No::IdMalformed);
    assert_eq!(no(&world(), &add("", Proposal::of([(Setting::Name, "X".into())]), None)), No::RedirectUrisMissing);
    assert_eq!(no(&world(), &add("", proposal(), Some("short"))), No::SecretLength);
    assert_eq!(no(&world(), &add("", proposal(), Some("geheim-mit-\u{fc}mlaut"))), No::SecretCharacter);
    let mut public = proposal();
    public.set(Setting::Kind, "public".into());
    assert_eq!(no(&world(), &add("", public.clone(), Some("hunter2hunter2"))), No::SecretOfPublicClient);
    assert!(yes(&world(), &add("", public, None)).0.client.secrets.is_empty());
    let mut nobody = world();
    nobody.facts.login = None;
    let act = ClientAct::Add { proposal: proposal(), owner: Some("alice".into()), secret: None };
    assert_eq!(no(&nobody, &ClientCall { client_id: String::new(), act }), No::UserAbsent);
}

#[test]
fn what_is_not_named_of_a_client_stays() {
    let act = |proposal| of_web(ClientAct::Change { proposal, owner: Ownership::Of("alice".into()), is_checked: None });
    let (_, changes, words) = yes(&world(), &act(Proposal::of([(Setting::Name, " New ".into())])));
    assert_eq!(words, "PutClient, Note client_changed");
    let scope = sample::client().scope;
    let expected = Client {
        name: "New".into(),
        owner: Some(UserKey(1)),
        operator_scope: scope,
        version: sample::client().version + 1,
        ..sample::client()
    };
    assert_eq!(*put_client(&changes), expected, "all of its scopes came from the operator until now");
    let (_, changes, _) = yes(&world(), &act(Proposal::of([(Setting::Scope, "admin".into())])));
    assert_eq!(put_client(&changes).operator_scope, Scope::of(["admin"]));
    assert_eq!(no(&world(), &act(Proposal::of([(Setting::Pkce, Given::Flag(true))]))), No::SettingMalformed);
    let mut elsewhere = world();
    elsewhere.policy.dialect = "paced".into();
    assert_eq!(
        no(&elsewhere, &act(Proposal::default())),
        No::DialectNotOffered,
        "by the rules of its own surface only"
    );
}

#[test]
fn a_client_that_is_shut_out_loses_all_that_was_issued_to_it() {
    let (_, changes, _) = yes(&world(), &of_web(ClientAct::Disable));
    let off = put_client(&changes).clone();
    assert!(off.is_disabled && off.revoked_below > 0);
    assert_eq!(detail(&changes), (EventKind::ClientChanged, "disabled"));
    let mut world = world();
    world.facts.client = Some(Arc::new(off.clone()));
    let (_, changes, _) = yes(&world, &of_web(ClientAct::Enable));
    let on = put_client(&changes);
    assert!(!on.is_disabled && on.revoked_below == off.revoked_below, "what was dead stays dead");
    assert_eq!(yes(&world, &of_web(ClientAct::Delete)).2, "DeleteClient, Note client_deleted");
}

#[test]
fn two_secrets_live_at_most_and_the_oldest_goes_first() {
    let mut world = world();
    assert_eq!(no(&world, &of_web(ClientAct::RetireOlderSecrets)), No::SecretNoneOlder);
    let mut hints = Vec::new();
    for _ in 0..2 {
        let (done, changes, _) = yes(&world, &of_web(ClientAct::AddSecret(None)));
        let text = done.secret.expect("a new secret is shown");
        hints.push(text.reveal()[text.reveal().len() - 4..].to_owned());
        world.facts.client = Some(Arc::new(put_client(&changes).clone()));
    }
    let secrets = &world.facts.client.as_ref().unwrap().secrets;
    assert_eq!(secrets.iter().map(|own| own.hint.clone()).collect::<Vec<_>>(), hints);
    let (done, changes, _) = yes(&world, &of_web(ClientAct::RetireOlderSecrets));
    assert_eq!(done.client.secrets, secrets[1..]);
    assert_eq!(detail(&changes), (EventKind::ClientChanged, "older secret retired"));
    world.facts.client = Some(Arc::new(Client { kind: ClientKind::Public, ..sample::public_client() }));
    assert_eq!(no(&world, &of_web(ClientAct::AddSecret(None))), No::SecretOfPublicClient);
}

fn alice_again(change: impl FnOnce(&mut NewUser)) -> UserCall {
    let mut new = NewUser { username: Some("carol".into()), name: "Carol".into(), ..NewUser::default() };
    change(&mut new);
    UserCall { user: String::new(), act: UserAct::Add(new) }
}

#[test]
fn a_user_is_added_with_what_is_known() {
    let (done, changes, words) = yes(
        &world(),
        &alice_again(|new| {
            new.email = Some(" carol@example.com ".into());
            new.email_verified = true;
            new.password = Some(Secret::new("correct horse battery"));
            new.attributes = Map::from_iter([("plan".to_owned(), json!("pro"))]);
        }),
    );
    assert_eq!(words, "PutUser, Note user_added");
    let put = put_user(&changes);
    assert_eq!(*done.user, *put);
    assert_eq!((put.email.as_deref(), put.email_verified, put.version), (Some("carol@example.com"), true, 1));
    assert!(password::is_right(put.password.as_ref().unwrap(), &Secret::new("correct horse battery")));
    assert_eq!(put.sub.len(), 26);
    let kept = yes(&world(), &alice_again(|new| new.id = Some("4711".into()))).0;
    assert_eq!(kept.user.sub, "4711");
}

#[test]
fn a_user_who_cannot_be_is_refused() {
    type Fault = fn(&mut NewUser);
    let cases: [(Fault, No); 10] = [
        (|new| new.name = " ".into(), No::NameMalformed),
        (|new| new.name = "Bank\u{202e}".into(), No::NameCharacter),
        (|new| new.username = Some("a@b".into()), No::UsernameMalformed),
        (|new| new.username = Some("ad\u{200b}min".into()), No::UsernameCharacter),
        (|new| new.email = Some("alice".into()), No::EmailMalformed),
        (|new| new.email = Some("a\u{ad}@example.com".into()), No::EmailCharacter),
        (|new| new.id = Some("x".repeat(256)), No::IdMalformed),
        (|new| new.password = Some(Secret::new("short")), No::PasswordTooShort),
        (|new| new.password = Some(Secret::new("password")), No::PasswordTooCommon),
        (|new| new.attributes = Map::from_iter([("email".to_owned(), json!("x"))]), No::AttributeReserved),
    ];
    for (fault, expected) in cases {
        assert_eq!(no(&world(), &alice_again(fault)), expected);
    }
}

#[test]
fn whoever_is_shut_out_or_gets_a_password_has_nothing_left_of_before() {
    for (act, kind) in [
        (UserAct::Disable, EventKind::UserChanged),
        (UserAct::SetPassword(Secret::new("another horse battery")), EventKind::PasswordChanged),
    ] {
        let (done, changes, words) = yes(&world(), &of_alice(act));
        assert_eq!(words, format!("EndSessions, PutUser, Note {kind}"));
        assert!(changes.writes.contains(&Write::EndSessions { user: UserKey(1), but: None }));
        assert!(done.user.revoked_below > 0 && done.user.version == sample::user().version + 1);
    }
    assert_eq!(no(&world(), &of_alice(UserAct::SetPassword(Secret::new("alice doe")))), No::PasswordTooCommon);
    let (done, _, words) = yes(&world(), &of_alice(UserAct::Enable));
    assert_eq!((words.as_str(), done.user.revoked_below), ("PutUser, Note user_changed", 0));
    assert_eq!(yes(&world(), &of_alice(UserAct::Unlock)).2, "ForgetFailures, Note user_unlocked");
    assert_eq!(yes(&world(), &of_alice(UserAct::Delete)).2, "DeleteUser, Note user_deleted");
}

#[test]
fn attributes_are_set_and_removed_by_name() {
    let set = |value: Value, remove: &[&str]| {
        let set = value.as_object().expect("members").clone();
        of_alice(UserAct::SetAttributes { set, remove: remove.iter().map(|name| (*name).to_owned()).collect() })
    };
    let (done, changes, _) = yes(&world(), &set(json!({"plan": null}), &["team"]));
    assert_eq!(Value::Object(done.user.attributes.clone()), json!({"plan": null}), "null is a value");
    assert_eq!(detail(&changes), (EventKind::UserChanged, "attributes"));
    assert_eq!(no(&world(), &set(json!({}), &["plan"])), No::AttributeAbsent);
    assert_eq!(no(&world(), &set(json!({"sub": 1}), &[])), No::AttributeReserved);
    assert_eq!(no(&world(), &set(json!({"text": "x".repeat(70_000)}), &[])), No::AttributesTooLarge);
}

#[test]
fn a_second_factor_is_switched_on_renewed_and_off() {
    let mut world = world();
    assert_eq!(no(&world, &of_alice(UserAct::DisableTotp)), No::TotpAbsent);
    assert_eq!(no(&world, &of_alice(UserAct::RenewRecovery)), No::TotpAbsent);
    let (done, changes, words) = yes(&world, &of_alice(UserAct::EnableTotp(Some(8))));
    assert_eq!(words, "PutUser, Note totp_enabled");
    let Shown::Enrolled { base32, uri, recovery } = done.shown else { panic!("{done:?}") };
    let factor = put_user(&changes).totp.clone().expect("it is on");
    let seed = world.keys.open_kept("totp", b"sub-alice", &factor.sealed_seed).expect("the house can open it");
    assert_eq!(crate::person::totp::base32(&seed), base32.reveal());
    assert!(uri.reveal().contains(base32.reveal()) && uri.reveal().contains("digits=8"));
    assert_eq!((recovery.len(), factor.recovery.len(), factor.digits), (10, 10, 8));
    world.facts.login = Some(Arc::new(put_user(&changes).clone()));
    assert_eq!(no(&world, &of_alice(UserAct::EnableTotp(None))), No::TotpPresent);
    let (_, changes, words) = yes(&world, &of_alice(UserAct::DisableTotp));
    assert_eq!(words, "EndSessions, PutUser, Note totp_disabled", "tokens stay, as on the account page");
    assert_eq!(put_user(&changes).totp, None);
}

#[test]
fn where_applications_take_passwords_a_new_second_factor_ends_what_the_password_gave_asvs_6_3_4() {
    let mut world = world();
    world.policy.is_password_taken = true;
    let (done, _, words) = yes(&world, &of_alice(UserAct::EnableTotp(None)));
    assert_eq!(words, "EndSessions, PutUser, Note totp_enabled");
    assert!(done.user.revoked_below > 0);
}

#[test]
fn a_second_factor_is_sealed_anew_once_and_refused_where_neither_key_opens_it() {
    let keys = |byte| Box::new(Keys::derive(&[byte; 32], &[]));
    let act = |before, after| of_alice(UserAct::Reseal { before: keys(before), after: keys(after) });
    let sealed_seed = keys(1).keep("totp", b"sub-alice", b"seed", &mut Entropy::seeded([4; 32], 1));
    let totp = Totp { sealed_seed, digits: 6, last_step: 0, recovery: vec![], enabled_at: UnixTime(0) };
    let mut world = world();
    world.facts.login = Some(Arc::new(User { totp: Some(totp), ..sample::user() }));
    let (_, changes, words) = yes(&world, &act(1, 2));
    assert_eq!(words, "EndSessions, PutUser, Note key_rotated");
    let resealed = put_user(&changes).clone();
    let sealed = &resealed.totp.as_ref().unwrap().sealed_seed;
    assert_eq!(keys(2).open_kept("totp", b"sub-alice", sealed).as_deref(), Some(&b"seed"[..]));
    world.facts.login = Some(Arc::new(resealed));
    assert!(judge(&world, &act(1, 2)).0.is_ok(), "a command that broke off can be repeated");
    assert_eq!(no(&world, &act(5, 6)), No::TotpUnreadable);
}

#[test]
fn an_identity_is_unlinked_from_its_own_account_only() {
    let name = IdentityName { issuer: "https://issuer.example".into(), subject: "s".into() };
    let held = |user| {
        let row = Identity { name: name.clone(), user, linked_at: UnixTime(1) };
        Some(WithOwners { row, client: None, user: None, is_grant_revoked: false })
    };
    let unlink = of_alice(UserAct::Unlink(name.clone()));
    let mut world = world();
    assert_eq!(no(&world, &unlink), No::IdentityUnknown);
    world.facts.identity = held(UserKey(77));
    assert_eq!(no(&world, &unlink), No::IdentityUnknown);
    world.facts.identity = held(UserKey(1));
    assert_eq!(yes(&world, &unlink).2, "EndSessions, DropIdentity, PutUser, Note identity_unlinked");
}

#[test]
fn a_personal_token_is_made_by_the_rules_of_its_surface() {
    let make = |scope: Option<&str>, lifetime| MakePersonal {
        user: "alice".into(),
        name: " ci ".into(),
        scope: scope.map(Into::into),
        lifetime,
    };
    let mut world = world();
    world.policy.scope.operator_only = Scope::of(["admin"]);
    let ((row, text), changes, words) = yes(&world, &make(None, Lifetime::Seconds(60)));
    assert_eq!(words, "Rely, PutPersonal, Note personal_created");
    assert!(changes.relied.contains(&Rely::User(UserKey(1), sample::user().version)), "or else it outlives her");
    let read = AnyToken::read(text.reveal(), &world.policy, &world.keys);
    assert!(matches!(read, AnyToken::Personal(own) if own.digest == row.digest));
    assert_eq!((row.name.as_str(), row.is_by_operator, row.expires_at), ("ci", true, UnixTime(1060)));
    assert!(!row.scope.contains("admin"), "what only the operator gives must be named");
    let named = yes(&world, &make(Some("admin"), Lifetime::Never)).0.0;
    assert_eq!((named.scope, named.expires_at), (Scope::of(["admin"]), UnixTime::NEVER));
    assert_eq!(no(&world, &make(Some("profil"), Lifetime::Usual)), No::ScopeNotOffered);
    world.facts.login = Some(Arc::new(User { is_disabled: true, ..sample::user() }));
    assert_eq!(no(&world, &make(None, Lifetime::Usual)), No::UserOff);
}

#[test]
fn what_is_revoked_is_what_was_presented() {
    let mut world = world();
    assert_eq!(no(&world, &RevokeGrant(GrantId(1))), No::GrantAbsent);
    assert_eq!(no(&world, &RevokePersonal(PersonalId(1))), No::TokenAbsent);
    assert_eq!(no(&world, &RevokeToken(AnyToken::Foreign)), No::TokenAbsent);
    let minted = world.mint(TokenKind::Access);
    let presented = world.keys.read(TokenKind::Access, &world.policy.access.spelling, minted.text.reveal()).unwrap();
    assert_eq!(no(&world, &RevokeToken(AnyToken::Access(presented))), No::TokenAbsent);
    world.facts.access = Some(sample::access(&minted, sample::client(), Scope::of(["profile"])));
    let (done, _, words) = yes(&world, &RevokeToken(AnyToken::Access(presented)));
    assert_eq!((done, words.as_str()), (Revoked::Access, "RevokeAccess, Note token_revoked"));
    // The row with this id belongs to another token.
    world.facts.access.as_mut().unwrap().row.digest = crate::secret::Digest::of(b"another");
    assert_eq!(no(&world, &RevokeToken(AnyToken::Access(presented))), No::TokenAbsent);
    let personal = Personal {
        id: PersonalId(7),
        digest: presented.digest,
        user: UserKey(1),
        dialect: "standard".into(),
        name: "ci".into(),
        scope: Scope::default(),
        is_by_operator: false,
        created_at: UnixTime(0),
        expires_at: UnixTime::NEVER,
        used_at: None,
    };
    world.facts.personal =
        Some(WithOwners { row: personal.clone(), client: None, user: None, is_grant_revoked: false });
    let (done, changes, words) = yes(&world, &RevokePersonal(PersonalId(7)));
    assert_eq!((done, words.as_str()), (personal, "RevokePersonal, Note personal_revoked"));
    assert_eq!(detail(&changes).1, "ci");
    let withdraw = WithdrawConsent { user: "alice".into(), client_id: "web".into() };
    assert_eq!(yes(&world, &withdraw).2, "WithdrawConsent, Note consent_withdrawn");
}

#[test]
fn what_a_wrong_clock_wrote_is_given_a_key_of_now_or_a_limit_of_now() {
    let future = i64::MAX / 2;
    let late = User { key: UserKey(future), revoked_below: future, ..sample::user() };
    let mut world = world();
    world.facts.subject = Some(Arc::new(late.clone()));
    let owned = vec![Arc::new(Client { owner: Some(late.key), ..sample::client() })];
    let correct = |is_key_wrong| CorrectUser {
        user: Arc::new(late.clone()),
        is_key_wrong,
        identities: vec![],
        owned: owned.clone(),
    };
    let (_, changes, words) = yes(&world, &correct(true));
    assert_eq!(words, "DeleteUser, PutUser, PutClient, Note user_changed");
    let put = put_user(&changes);
    assert!(put.key.0 < future && put.revoked_below == 0 && put_client(&changes).owner == Some(put.key));
    let (_, changes, words) = yes(&world, &correct(false));
    assert_eq!(words, "EndSessions, Note user_changed, PutUser");
    assert!((1..future).contains(&put_user(&changes).revoked_below));
    let client = Client { revoked_below: future, ..sample::client() };
    world.facts.client = Some(Arc::new(client.clone()));
    let (_, changes, _) = yes(&world, &CorrectClient { client: Arc::new(client), is_key_wrong: false });
    assert!((1..future).contains(&put_client(&changes).revoked_below));
    assert_eq!(yes(&world, &EndGrant(GrantId(5))).2, "RevokeGrant, Note grant_revoked");
}
