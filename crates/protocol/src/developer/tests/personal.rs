//! Tests of personal access tokens.

use super::*;

#[test]
fn a_personal_token_allows_what_was_chosen_and_is_spelled_as_its_surface_has_it() {
    let mut world = world();
    world.policy.personal.spelling.prefix = "pt_secret_".into();
    let (done, changes, words) = yes(&world, Act::CreateToken(wish(&["profile", "links:read"])));
    assert_eq!(words, "Rely, Rely, Rely, PutPersonal, Note personal_created");
    let Done::Token(text) = done else { panic!("{done:?}") };
    let Some(Write::PutPersonal(row)) = changes.writes.iter().find(|change| matches!(change, Write::PutPersonal(_)))
    else {
        panic!("a token is put")
    };
    assert_eq!(row.scope, Scope::of(["profile", "links:read"]));
    assert_eq!((row.expires_at, row.used_at, row.dialect.as_str()), (UnixTime::NEVER, None, "standard"));
    let read = world.keys.read(TokenKind::Personal, &world.policy.personal.spelling, text.reveal()).unwrap();
    assert_eq!((PersonalId(read.id), read.digest), (row.id, row.digest));
    assert!(text.reveal().starts_with("pt_secret_"));
}

#[test]
fn a_personal_token_cannot_allow_or_outlive_what_its_surface_does_not_have() {
    let mut world = world();
    for scope in [&["root"][..], &["profile root"], &["pro\"file"]] {
        assert_eq!(no(&world, Act::CreateToken(wish(scope))), No::PersonalScopeUnknown, "{scope:?}");
    }
    assert!(judge(&world, Act::CreateToken(wish(&[]))).0.is_ok(), "a token may tell who one is, and no more");
    assert_eq!(no(&world, Act::CreateToken(TokenWish { name: " ".into(), ..wish(&[]) })), No::NameMalformed);
    let until = |world: &World, lifetime: Option<Lifetime>| {
        let (verdict, changes) = judge(world, Act::CreateToken(TokenWish { lifetime, ..wish(&[]) }));
        verdict.map_err(|refusal| refusal.no).map(|_| {
            let put = changes.writes.iter().find_map(|change| match change {
                Write::PutPersonal(row) => Some(row.expires_at),
                _ => None,
            });
            put.expect("a token is put")
        })
    };
    let malformed = Err(No::PersonalExpiryMalformed);
    assert_eq!(until(&world, Some(Lifetime::Seconds(60))), Ok(UnixTime(1060)));
    assert_eq!(until(&world, Some(Lifetime::Never)), Ok(UnixTime::NEVER));
    assert_eq!(until(&world, Some(Lifetime::Seconds(0))), malformed);
    assert_eq!(until(&world, None), malformed);
    world.policy.personal.ttl_s = Some(100);
    assert_eq!(until(&world, Some(Lifetime::Usual)), Ok(UnixTime(1100)));
    assert_eq!(until(&world, Some(Lifetime::Seconds(101))), malformed);
    assert_eq!(until(&world, Some(Lifetime::Never)), malformed);
}

#[test]
fn only_its_owner_ends_a_personal_token_and_from_any_session() {
    let mut world = world();
    world.facts.session.as_mut().unwrap().row.auth_time = UnixTime(0);
    let id = PersonalId(77);
    let reference = TokenReference::seal(id, &world.keys, &mut Entropy::seeded([2; 32], 1));
    let reference = TokenReference::open(&reference, &world.keys).unwrap();
    let row = Personal {
        id,
        digest: Digest::of(b"token"),
        user: sample::user().key,
        dialect: "standard".into(),
        name: "ci".into(),
        scope: Scope::default(),
        is_by_operator: false,
        created_at: UnixTime(0),
        expires_at: UnixTime::NEVER,
        used_at: None,
    };
    assert_eq!(no(&world, Act::RevokeToken(reference)), No::PersonalUnknown);
    world.facts.personal = Some(WithOwners { row: row.clone(), client: None, user: None, is_grant_revoked: false });
    let (_, changes, words) = yes(&world, Act::RevokeToken(reference));
    assert_eq!(words, "Rely, Rely, RevokePersonal, Note personal_revoked");
    assert!(changes.writes.contains(&Write::RevokePersonal(id)));
    world.facts.personal.as_mut().unwrap().row.user = UserKey(2);
    assert_eq!(no(&world, Act::RevokeToken(reference)), No::PersonalUnknown);
    assert_eq!(TokenReference::open("forged", &world.keys), Err(No::PageStale));
}
