//! What `client set` and `user set` change, and what they refuse.

use super::*;
use crate::model::{AuthMethod, GrantType, Pkce};

/// The operator changes the client `web`.
fn change<const N: usize>(settings: [(Setting, Given); N], owner: Ownership, is_checked: Option<bool>) -> ClientCall {
    of_web(ClientAct::Change { proposal: Proposal::of(settings), owner, is_checked })
}

#[test]
fn the_operator_says_who_checked_an_application_and_another_owner_ends_it() {
    let mut world = world();
    let (_, changes, _) = yes(&world, &change([], Ownership::Stays, Some(true)));
    let checked = put_client(&changes).checked.clone().expect("it is checked");
    assert_eq!((checked.at, checked.by.is_empty()), (world.now, false));
    assert!(detail(&changes).1.ends_with("checked"), "{:?}", detail(&changes));
    let own = Client { owner: Some(UserKey(9)), checked: Some(checked), ..sample::client() };
    assert!(!own.is_unchecked());
    world.facts.client = Some(Arc::new(own.clone()));
    for (owner, is_checked, stays) in [
        (Ownership::Stays, None, true),
        (Ownership::Of("alice".into()), None, false),
        (Ownership::Of("alice".into()), Some(true), true),
        (Ownership::Stays, Some(false), false),
    ] {
        let (_, changes, _) = yes(&world, &change([], owner, is_checked));
        assert_eq!(put_client(&changes).checked.is_some(), stays);
    }
    let (_, changes, _) = yes(&world, &change([], Ownership::Operator, None));
    assert_eq!(put_client(&changes).owner, None);
    assert!(!put_client(&changes).is_unchecked(), "it is the operator's own");
}

#[test]
fn a_client_that_becomes_confidential_gets_a_secret_and_one_that_becomes_public_loses_its_secrets() {
    let mut world = world();
    let kind = |word: &str| (Setting::Kind, Given::from(word));
    let grants = |words: [&str; 2]| (Setting::Grants, Given::from(words));
    let unfit = no(&world, &change([kind("public")], Ownership::Stays, None));
    assert_eq!(unfit, No::GrantOfConfidentialClient, "it may still act for itself");
    let both = [kind("public"), grants(["authorization_code", "refresh_token"])];
    let (done, changes, _) = yes(&world, &change(both, Ownership::Stays, None));
    let public = put_client(&changes).clone();
    assert!(public.secrets.is_empty() && done.secret.is_none());
    assert_eq!((public.auth_methods.clone(), public.pkce), (vec![AuthMethod::None], Pkce::Required));
    world.facts.client = Some(Arc::new(public));
    let (done, changes, _) = yes(&world, &change([kind("confidential")], Ownership::Stays, None));
    let secret = done.secret.expect("it is shown once");
    assert_eq!(put_client(&changes).secrets[0].stored, StoredSecret::Sha256(secret.digest()));
    assert_eq!(put_client(&changes).auth_methods.len(), 2);
}

#[test]
fn grants_of_a_client_change_and_an_address_is_needed_where_users_come_back() {
    let world = world();
    let grants = |word: &str| (Setting::Grants, Given::from([word]));
    let (_, changes, _) = yes(&world, &change([grants("client_credentials")], Ownership::Stays, None));
    assert_eq!(put_client(&changes).grants, [GrantType::ClientCredentials]);
    let bare = [grants("authorization_code"), (Setting::RedirectUris, Given::Texts(vec![]))];
    assert_eq!(no(&world, &change(bare, Ownership::Stays, None)), No::RedirectUrisMissing);
    assert_eq!(no(&world, &change([grants("password")], Ownership::Stays, None)), No::GrantNotOffered);
}

fn set_user(change: UserChange) -> UserCall {
    UserCall { user: "alice".into(), act: UserAct::Set(change) }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_user_gets_another_name_and_address_and_keeps_everything_else() {
    let mut world = world();
    let alice = User {
        username: text("alice"),
        email: text("alice@example.com"),
        email_verified: true,
        name: "Alice".into(),
        ..sample::user()
    };
    world.facts.login = Some(Arc::new(alice.clone()));
    let change = UserChange {
        email: text(" new@example.com "),
        username: text("allie"),
        name: text("Allie"),
        email_verified: None,
    };
    let (_, changes, words) = yes(&world, &set_user(change));
    assert_eq!(words, "PutUser, Note user_changed", "no session ends");
    let expected = User {
        username: text("allie"),
        email: text("new@example.com"),
        email_verified: false,
        name: "Allie".into(),
        updated_at: Some(world.now),
        version: alice.version + 1,
        ..alice.clone()
    };
    assert_eq!(*put_user(&changes), expected);
    let told = "email was alice@example.com, email_verified was true, username was alice, name was Alice";
    assert_eq!(detail(&changes).1, told);
    let same = UserChange { email: text("Alice@Example.com"), ..UserChange::default() };
    let (_, changes, _) = yes(&world, &set_user(same));
    assert!(put_user(&changes).email_verified, "it is the same address");
    let nothing = UserChange { name: text("Alice"), ..UserChange::default() };
    let (nothing, mut turn) = (set_user(nothing), world.turn());
    assert!(nothing.decide(&world.load(&nothing), &mut turn).is_ok());
    assert!(turn.into_changes().is_empty());
    let checked = UserChange { email: text("a@b.example"), email_verified: Some(true), ..UserChange::default() };
    assert!(put_user(&yes(&world, &set_user(checked)).1).email_verified);
}

#[test]
fn a_user_cannot_get_what_nobody_gets_nor_lose_every_name() {
    let mut world = world();
    let alice = User { username: text("alice"), email: None, ..sample::user() };
    world.facts.login = Some(Arc::new(alice));
    let of = |change: UserChange| no(&world, &set_user(change));
    assert_eq!(of(UserChange { email: text("alice"), ..UserChange::default() }), No::EmailMalformed);
    assert_eq!(of(UserChange { username: text("a b"), ..UserChange::default() }), No::UsernameMalformed);
    assert_eq!(of(UserChange { name: text("\u{200b}"), ..UserChange::default() }), No::NameCharacter);
    assert_eq!(of(UserChange { email_verified: Some(true), ..UserChange::default() }), No::EmailAbsent);
    assert_eq!(of(UserChange { username: text(""), ..UserChange::default() }), No::LoginMissing);
}

#[test]
fn a_client_has_a_secret_if_it_authenticates_by_one() {
    let world = world();
    let keys = Given::Text(crate::jose::signed::published().to_string());
    let mut own = proposal();
    own.set(Setting::AuthMethods, ["private_key_jwt"].into());
    own.set(Setting::Jwks, keys);
    let add =
        |proposal| ClientCall { client_id: "new".into(), act: ClientAct::Add { proposal, owner: None, secret: None } };
    let (done, ..) = yes(&world, &add(own.clone()));
    assert!(done.secret.is_none() && done.client.secrets.is_empty());
    own.set(Setting::AuthMethods, ["client_secret_jwt"].into());
    let (done, ..) = yes(&world, &add(own));
    let sealed = &done.client.sealed_secrets[0].sealed;
    let kept = world.keys.open_kept("client secret", b"new", sealed).unwrap();
    assert_eq!(kept, done.secret.unwrap().reveal().as_bytes());
    let shown = format!("{:?}", done.client);
    assert!(!shown.contains(sealed), "{shown}");
}
