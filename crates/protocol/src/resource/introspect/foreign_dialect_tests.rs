//! Tests of tokens that belong to another surface and that the operator lets this surface read, at introspection,
//! revocation and userinfo.

use super::*;
use crate::crypto::entropy::Entropy;
use crate::crypto::keys::TokenKind;
use crate::crypto::keys::{Alphabet, Minted, Spelling};
use crate::line::{Changes, Write};
use crate::model::{Grant, GrantType, Personal, Refresh};
use crate::model::{GrantId, PersonalId};
use crate::policy::{AlsoRead, GrantSpelling, ScopePolicy};
use crate::resource::revoke::RevokeRequest;
use crate::resource::userinfo::UserinfoRequest;
use crate::sample::{self, World};
use crate::scope::Scope;
use crate::secret::Digest;
use serde_json::json;
use std::sync::Arc;

fn form(prefix: &str, alphabet: Alphabet) -> Spelling {
    Spelling { prefix: prefix.into(), alphabet }
}

/// The policy of the other surface, Kite. Its scopes differ from those of the standard surface.
fn kite() -> Policy {
    let mut kite = Policy { dialect: "kite".into(), ..Policy::standard("https://auth.example") };
    kite.access.spelling = form("kt_", Alphabet::Hex);
    kite.refresh.spelling = form("kr_", Alphabet::Hex);
    kite.personal.spelling = form("kp_", Alphabet::B62);
    kite.spelled.push(GrantSpelling {
        grant: GrantType::Assertion,
        access: form("kt_google_", Alphabet::Hex),
        refresh: form("kr_google_", Alphabet::Hex),
    });
    kite.scope.implies = vec![("all".into(), Scope::of(["profile", "email"]))];
    kite
}

/// A world in which an API of the standard surface introspects tokens of Kite. The tokens belong to a client of Kite.
fn world() -> World {
    let mut world = World::new();
    world.policy.also_reads.push(AlsoRead::of(&kite()));
    world
}

fn mint(world: &World, kind: TokenKind, spelling: &Spelling) -> Minted {
    world.keys.mint(kind, spelling, &mut Entropy::seeded([5; 32], 200))
}

fn hold_access(world: &mut World, spelling: &Spelling, scope: Scope) {
    let minted = mint(world, TokenKind::Access, spelling);
    world.send(Param::Token, minted.text.reveal());
    let client = Client { dialect: "kite".into(), ..sample::public_client() };
    world.facts.access = Some(sample::access(&minted, client, scope));
}

fn hold_personal(world: &mut World, spelling: &Spelling) {
    let minted = mint(world, TokenKind::Personal, spelling);
    world.send(Param::Token, minted.text.reveal());
    world.facts.personal = Some(WithOwners {
        row: Personal {
            id: PersonalId(minted.id),
            digest: minted.digest,
            user: sample::user().key,
            dialect: "kite".into(),
            name: "ci".into(),
            scope: Scope::of(["all"]),
            is_by_operator: false,
            created_at: UnixTime(900),
            expires_at: UnixTime(2000),
            used_at: None,
        },
        client: None,
        user: Some(Arc::new(sample::user())),
        is_grant_revoked: false,
    });
}

fn introspected(world: &World) -> Fields {
    let request = IntrospectRequest::parse(world.params(), &world.policy, &world.keys).unwrap();
    let (verdict, changes) = world.judge(&request);
    assert_eq!(changes, Changes::default());
    verdict.unwrap().fields
}

fn is_active(world: &World) -> bool {
    introspected(world).value(Field::Active) == Some(&json!(true))
}

fn userinfo(world: &World) -> (Result<Reply, Refusal>, Changes) {
    let mut params = world.params();
    params.bearer = params.take(Param::Token).map(crate::secret::Secret::new);
    match UserinfoRequest::parse(params, Scope::default(), &world.policy, &world.keys) {
        Ok(request) => world.judge(&request),
        Err(refusal) => (Err(refusal), Changes::default()),
    }
}

fn no(world: &World) -> No {
    userinfo(world).0.unwrap_err().no
}

#[test]
fn an_access_token_of_the_other_surface_is_read_in_every_form_that_it_may_have() {
    let own = world().policy.access.spelling.clone();
    for spelling in [form("kt_", Alphabet::Hex), form("kt_google_", Alphabet::Hex), own] {
        let mut world = world();
        hold_access(&mut world, &spelling, Scope::of(["all"]));
        let told = introspected(&world);
        assert_eq!(told.value(Field::Active), Some(&json!(true)), "{spelling:?}");
        assert_eq!(told.value(Field::ClientId), Some(&json!("spa")));
        let (verdict, changes) = userinfo(&world);
        assert_eq!((verdict.unwrap().kind, changes), (ReplyKind::Userinfo, Changes::default()), "{spelling:?}");
    }
}

#[test]
fn a_personal_token_of_the_other_surface_is_read_and_its_use_is_noted() {
    let own = world().policy.personal.spelling.clone();
    for spelling in [form("kp_", Alphabet::B62), own] {
        let mut world = world();
        hold_personal(&mut world, &spelling);
        assert_eq!(introspected(&world).value(Field::TokenKind), Some(&json!("personal_access_token")));
        let (verdict, changes) = userinfo(&world);
        assert!(verdict.is_ok(), "{spelling:?}");
        assert!(matches!(changes.writes[..], [Write::TouchPersonal { .. }]), "{changes:?}");
    }
}

#[test]
fn its_scope_means_what_it_means_where_it_was_given() {
    let mut world = world();
    hold_access(&mut world, &form("kt_", Alphabet::Hex), Scope::of(["all", "links:write"]));
    // On the standard surface `links:write` implies `links:read`, and `all` nothing.
    assert_eq!(introspected(&world).value(Field::Scope), Some(&json!("all links:write profile email")));
    let told = userinfo(&world).0.unwrap();
    assert_eq!(told.fields.value(Field::Scope), Some(&json!("all links:write profile email")));
}

#[test]
fn what_either_surface_keeps_back_is_kept_back() {
    let told = |home: &[&str], here: &[&str], scope: &[&str]| {
        let list = |words: &[&str]| ScopePolicy {
            list: words.iter().map(|word| ((*word).to_owned(), String::new())).collect(),
            ..ScopePolicy::default()
        };
        let mut world = World::new();
        world.policy.scope = list(here);
        let home = Policy { scope: list(home), ..kite() };
        world.policy.also_reads.push(AlsoRead::of(&home));
        hold_access(&mut world, &home.access.spelling, Scope::of(scope.iter().copied()));
        let username = introspected(&world).value(Field::Username).is_some();
        let user = userinfo(&world).0.unwrap().fields.value(Field::User).unwrap().clone();
        assert_eq!(username, user.get("username").is_some() || user.get("email").is_some());
        (user.get("name").is_some(), user.get("email").is_some())
    };
    assert_eq!(told(&[], &[], &[]), (true, true), "neither asks for a scope");
    assert_eq!(told(&["profile", "email"], &[], &[]), (false, false), "its user did not allow it");
    assert_eq!(told(&[], &["profile", "email"], &[]), (false, false), "here nobody is told without it");
    assert_eq!(told(&["profile"], &["email"], &["profile"]), (true, false));
    assert_eq!(told(&["profile", "email"], &["profile", "email"], &["profile", "email"]), (true, true));
}

#[test]
fn without_the_operator_s_word_nothing_is_read() {
    let mut access = world();
    hold_access(&mut access, &form("kt_", Alphabet::Hex), Scope::default());
    let mut personal = world();
    hold_personal(&mut personal, &form("kp_", Alphabet::B62));
    for world in [&mut access, &mut personal] {
        assert!(is_active(world));
        world.policy.also_reads[0].dialect = "another".into();
        assert!(!is_active(world));
        assert!(matches!(no(world), No::TokenRevoked | No::TokenUnknown));
        world.policy.also_reads.clear();
        assert!(!is_active(world));
        assert_eq!(no(world), No::TokenUnknown);
    }
}

#[test]
fn reading_is_not_handed_on() {
    let mut middle = Policy { dialect: "middle".into(), ..Policy::standard("https://auth.example") };
    middle.also_reads.push(AlsoRead::of(&kite()));
    let mut world = World::new();
    world.policy.also_reads.push(AlsoRead::of(&middle));
    let own = world.policy.access.spelling.clone();
    for spelling in [kite().access.spelling, own] {
        hold_access(&mut world, &spelling, Scope::default());
        assert!(!is_active(&world), "{spelling:?}");
    }
}

#[test]
fn a_token_that_died_at_home_is_dead_here() {
    let live = || {
        let mut world = world();
        hold_access(&mut world, &form("kt_", Alphabet::Hex), Scope::default());
        world
    };
    assert!(is_active(&live()));
    let mut expired = live();
    expired.now = UnixTime(2000);
    let mut revoked = live();
    revoked.facts.access.as_mut().unwrap().is_grant_revoked = true;
    let mut disabled = live();
    let client = Client { dialect: "kite".into(), is_disabled: true, ..sample::public_client() };
    disabled.facts.access.as_mut().unwrap().client = Some(Arc::new(client));
    let mut orphaned = live();
    orphaned.facts.access.as_mut().unwrap().client = None;
    let mut guessed = live();
    guessed.facts.access.as_mut().unwrap().row.digest = Digest::of(b"other");
    let mut stale = world();
    hold_personal(&mut stale, &form("kp_", Alphabet::B62));
    stale.now = UnixTime(2000);
    for world in [expired, revoked, disabled, orphaned, guessed, stale] {
        assert!(!is_active(&world));
        assert!(userinfo(&world).0.is_err());
    }
}

#[test]
fn a_token_for_another_resource_is_inactive_for_this_api_whoever_gave_it() {
    let mut world = world();
    hold_access(&mut world, &form("kt_", Alphabet::Hex), Scope::default());
    world.facts.access.as_mut().unwrap().row.permission.audience = vec!["https://api.example/".into()];
    assert!(!is_active(&world));
    assert_eq!(no(&world), No::TokenUnknown);
    let api = Client { audience: vec!["https://api.example/".into()], ..sample::client() };
    world.facts.client = Some(Arc::new(api));
    assert!(is_active(&world));
}

#[test]
fn a_refresh_token_of_the_other_surface_is_not_read() {
    let own = world().policy.refresh.spelling.clone();
    for spelling in [form("kr_", Alphabet::Hex), own] {
        let mut world = world();
        let minted = mint(&world, TokenKind::Refresh, &spelling);
        world.send(Param::Token, minted.text.reveal());
        let refresh =
            Refresh { current: minted.digest, previous: None, answer: None, idle_until: UnixTime(2000), generation: 0 };
        world.facts.grant = Some(WithOwners {
            row: Grant {
                id: GrantId(minted.id),
                authorization: sample::authorization(),
                created_at: UnixTime(900),
                expires_at: UnixTime(2000),
                refresh: Some(refresh),
                is_revoked: false,
            },
            client: Some(Arc::new(Client { dialect: "kite".into(), ..sample::client() })),
            user: Some(Arc::new(sample::user())),
            is_grant_revoked: false,
        });
        assert!(!is_active(&world), "{spelling:?}");
        assert_eq!(no(&world), No::TokenUnknown);
        let token = AnyToken::read_widely(&world.sent(Param::Token), &world.policy, &world.keys);
        let mut wants = Wants::default();
        token.want(&mut wants);
        assert_eq!(token.owner(&world.facts.load(wants), &world.policy, world.now), None);
    }
}

#[test]
fn what_is_read_here_is_ended_at_home_alone() {
    let mut access = world();
    hold_access(&mut access, &kite().access.spelling, Scope::default());
    let mut personal = world();
    hold_personal(&mut personal, &kite().personal.spelling);
    // The tokens are spelled as those of the reading surface, so that the spelling is not the reason for the refusal.
    let mut alike = world();
    let own = alike.policy.access.spelling.clone();
    hold_access(&mut alike, &own, Scope::default());
    let mut alike_personal = world();
    let own = alike_personal.policy.personal.spelling.clone();
    hold_personal(&mut alike_personal, &own);
    let revoked = |world: &World| {
        let request = RevokeRequest::parse(world.params(), &world.policy, &world.keys).unwrap();
        let (verdict, changes) = world.judge(&request);
        assert_eq!(verdict.unwrap().kind, ReplyKind::Revoke);
        changes
    };
    for (mut world, is_spelled_as_at_home) in
        [(access, true), (personal, true), (alike, false), (alike_personal, false)]
    {
        world.policy.is_revocation_open = true;
        assert!(is_active(&world));
        assert!(revoked(&world).writes.iter().all(|change| *change == Write::AwaitDurability), "nothing ends");
        world.policy = Policy { is_revocation_open: true, ..kite() };
        assert_eq!(
            revoked(&world).writes.iter().any(|change| *change != Write::AwaitDurability),
            is_spelled_as_at_home
        );
    }
}
