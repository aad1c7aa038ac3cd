//! Tests of rotation, the grace period, replays, and tokens that are newer than their row.

use super::*;
use crate::crypto::entropy::Entropy;
use crate::crypto::keys::{Alphabet, Spelling, TokenKind};
use crate::line::Changes;
use crate::policy::GrantSpelling;
use crate::sample::{self, World};
use crate::wire::Field;
use expect_test::expect;

/// A world with a client, a user, and a grant whose current refresh token is presented.
fn world() -> World {
    let mut world = World::new();
    let minted = world.mint(TokenKind::Refresh);
    world.facts.grant = Some(WithOwners {
        row: Grant {
            id: GrantId(minted.id),
            authorization: Authorization {
                permission: Permission { scope: Scope::of(["profile", "links:write"]), audience: vec![] },
                ..sample::authorization()
            },
            created_at: UnixTime(900),
            expires_at: UnixTime(9000),
            refresh: Some(Refresh {
                current: minted.digest,
                previous: None,
                answer: None,
                generation: 1,
                idle_until: UnixTime(9000),
            }),
            is_revoked: false,
        },
        client: world.facts.client.clone(),
        user: Some(Arc::new(sample::user())),
        is_grant_revoked: false,
    });
    world.send(Param::GrantType, "refresh_token");
    world.send(Param::RefreshToken, minted.text.reveal());
    world
}

fn text(reply: &Reply, field: Field) -> String {
    reply.fields.value(field).unwrap().as_str().unwrap().to_owned()
}

/// Applies the rotation that a turn decided to the facts of the next turn.
fn commit(world: &mut World, changes: &Changes) {
    let to = changes.writes.iter().find_map(|change| match change {
        Write::RotateRefresh { to, .. } => Some(to.clone()),
        _ => None,
    });
    world.facts.grant.as_mut().unwrap().row.refresh = to;
}

#[test]
fn the_current_token_is_rotated() {
    world().check_token(&expect![[r#"
        token {"access_token": String("…"), "expires_in": Number(3600), "expires_at": Number(4600), "refresh_token": String("…"), "scope": String("profile links:write")}
        Rely, Rely, PutAccess, RotateRefresh
    "#]]);
}

#[test]
fn a_rotated_token_keeps_the_form_of_the_one_that_was_sent() {
    let mut world = world();
    let form = |prefix: &str| Spelling { prefix: prefix.into(), alphabet: Alphabet::Hex };
    let (access, refresh) = (form("at_google_"), form("rt_google_"));
    let spelled = GrantSpelling { grant: GrantType::Assertion, access, refresh: refresh.clone() };
    world.policy.spelled.push(spelled);
    let forms = |reply: &Reply| {
        [text(reply, Field::AccessToken), text(reply, Field::RefreshToken)].map(|text| text.contains("google_"))
    };
    assert_eq!(forms(&world.token().unwrap()), [false, false]);
    let id = world.facts.grant.as_ref().unwrap().row.id;
    let minted = world.keys.mint_for(id.0, TokenKind::Refresh, &refresh, &mut Entropy::seeded([6; 32], 1));
    world.facts.grant.as_mut().unwrap().row.refresh.as_mut().unwrap().current = minted.digest;
    world.send(Param::RefreshToken, minted.text.reveal());
    let (reply, changes) = world.token_with_changes();
    assert_eq!(forms(&reply.unwrap()), [true, true]);
    commit(&mut world, &changes);
    // Tokens are also spelled so if the same answer is repeated, or only its successor.
    assert_eq!(forms(&world.token().unwrap()), [true, true]);
    world.now = UnixTime(5000);
    assert_eq!(forms(&world.token().unwrap()), [true, true]);
}

#[test]
fn a_retry_after_a_lost_answer_gets_the_same_answer() {
    let mut world = world();
    let (first, changes) = world.token_with_changes();
    commit(&mut world, &changes);
    let (second, changes) = world.token_with_changes();
    // The repeated answer waits until the first commit is durable on the standby.
    assert_eq!((first.unwrap(), changes), (second.unwrap(), Changes::from(Write::AwaitDurability)));
}

#[test]
fn a_late_retry_gets_the_same_successor_and_a_fresh_access_token() {
    let mut world = world();
    let (first, changes) = world.token_with_changes();
    commit(&mut world, &changes);
    world.now = UnixTime(5000);
    let (second, changes) = world.token_with_changes();
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(text(&first, Field::RefreshToken), text(&second, Field::RefreshToken));
    assert_ne!(text(&first, Field::AccessToken), text(&second, Field::AccessToken));
    assert!(changes.relied.contains(&Rely::Grant(world.facts.grant.as_ref().unwrap().row.id)));
}

/// As [`world`], with a public client.
fn public_world() -> World {
    let mut world = world();
    let client = Client { key: sample::client().key, client_id: "web".into(), ..sample::public_client() };
    let client = Arc::new(client);
    world.facts.client = Some(Arc::clone(&client));
    world.facts.grant.as_mut().unwrap().client = Some(client);
    world.unsend(Param::ClientSecret);
    world
}

#[test]
fn a_confidential_client_may_repeat_a_refresh_within_the_surfaces_grace_period_and_no_longer() {
    let mut world = world();
    world.policy.refresh_grace_s = 600;
    world.facts.grant.as_mut().unwrap().row.refresh.as_mut().unwrap().idle_until = UnixTime(90_000);
    let (_, changes) = world.token_with_changes();
    commit(&mut world, &changes);
    world.now = UnixTime(1599);
    assert!(world.token().is_ok());
    world.now = UnixTime(1600);
    world.check_token(&expect![[r#"
        no RefreshReplayed
        RevokeGrant, Note refresh_replayed
    "#]]);
}

#[test]
fn a_public_client_gets_the_kept_answer_for_a_minute_and_never_another_access_token() {
    let mut world = public_world();
    let client = Client { access_ttl_s: Some(2), ..(**world.facts.client.as_ref().unwrap()).clone() };
    world.facts.client = Some(Arc::new(client));
    let (first, changes) = world.token_with_changes();
    let first = first.unwrap();
    commit(&mut world, &changes);
    for now in [1001, 1030, 1059] {
        world.now = UnixTime(now);
        let (again, changes) = world.token_with_changes();
        let again = again.unwrap();
        assert_eq!(changes, Changes::from(Write::AwaitDurability), "nothing is issued at {now}");
        for field in [Field::AccessToken, Field::RefreshToken] {
            assert_eq!(text(&again, field), text(&first, field), "at {now}");
        }
    }
    world.now = UnixTime(1060);
    world.check_token(&expect![[r#"
        no RefreshReplayed
        RevokeGrant, Note refresh_replayed
    "#]]);
}

#[test]
fn a_shorter_grace_period_holds_for_public_clients_too() {
    let mut world = public_world();
    world.policy.refresh_grace_s = 5;
    let (_, changes) = world.token_with_changes();
    commit(&mut world, &changes);
    world.now = UnixTime(1005);
    assert_eq!(world.token().unwrap_err().no, No::RefreshReplayed);
}

#[test]
fn a_replay_is_found_whatever_else_is_wrong_with_the_request() {
    let mut world = public_world();
    let (_, changes) = world.token_with_changes();
    commit(&mut world, &changes);
    world.now = UnixTime(1060);
    world.send(Param::Scope, "more than was granted");
    assert_eq!(world.token().unwrap_err().no, No::RefreshReplayed);
}

#[test]
fn a_public_client_that_repeats_a_refresh_with_another_scope_or_resource_is_refused_and_nothing_ends() {
    for (param, value) in [(Param::Scope, "profile"), (Param::Resource, "https://api.example/")] {
        let mut world = public_world();
        let (_, changes) = world.token_with_changes();
        commit(&mut world, &changes);
        world.send(param, value);
        world.check_token(&expect![[r#"
            no RefreshRetryDiffers

        "#]]);
    }
}

#[test]
fn an_answer_that_an_older_program_kept_can_be_repeated_while_its_access_token_lives() {
    let mut world = world();
    let (_, changes) = world.token_with_changes();
    commit(&mut world, &changes);
    let token = Secret::new(world.sent(Param::RefreshToken));
    let refresh = world.facts.grant.as_mut().unwrap().row.refresh.as_mut().unwrap();
    let plain = keys::open_under_token(&token, refresh.answer.as_ref().unwrap()).unwrap();
    let mut answer: serde_json::Value = serde_json::from_slice(&plain).unwrap();
    answer.as_object_mut().unwrap().remove("rotated_at").unwrap();
    let mut entropy = Entropy::seeded([8; 32], 1);
    refresh.answer = Some(keys::seal_under_token(&token, answer.to_string().as_bytes(), &mut entropy));
    world.now = UnixTime(4599);
    assert!(world.token().is_ok());
    world.now = UnixTime(4600);
    assert_eq!(world.token().unwrap_err().no, No::RefreshReplayed);
}

/// A restore, or a failover to a standby that lagged, sets a store back.
#[test]
fn a_token_that_is_newer_than_its_row_is_refused_and_ends_nothing() {
    let mut world = world();
    let spelling = world.policy.refresh.spelling.clone();
    let id = world.facts.grant.as_ref().unwrap().row.id;
    let first = world.sent(Param::RefreshToken);
    let lost = |generation| {
        world.keys.mint_refresh(id.0, generation, &spelling, &mut Entropy::seeded([9; 32], 1)).text.reveal().to_owned()
    };
    let lost: Vec<(u32, String)> = [2, 3, 5000].map(|generation| (generation, lost(generation))).into();
    let mut newest = first.clone();
    for current in 1..=4 {
        for (generation, lost) in &lost {
            world.send(Param::RefreshToken, lost);
            let verdict = world.token_with_changes();
            if *generation >= current {
                // The grant continues from the old token meanwhile. A token that the store has lost is still no replay.
                assert_eq!(
                    (verdict.0.unwrap_err().no, verdict.1),
                    (No::RefreshAhead, Changes::default()),
                    "{generation} {current}"
                );
            } else {
                assert_eq!(verdict.0.unwrap_err().no, No::RefreshReplayed, "{generation} {current}");
            }
        }
        world.send(Param::RefreshToken, &newest);
        let (reply, changes) = world.token_with_changes();
        commit(&mut world, &changes);
        newest = text(&reply.unwrap(), Field::RefreshToken);
    }
    world.send(Param::RefreshToken, &first);
    assert_eq!(world.token().unwrap_err().no, No::RefreshReplayed, "it was used, and is older than the row");
}

/// Two parties hold one refresh token of a public client and take turns, in every order of six refreshes and with pauses
/// shorter and longer than the grace period. RFC 9700 §4.14.2 relies on this: one of them presents a token that was
/// invalidated.
#[test]
fn two_holders_of_one_public_token_are_found_out_within_one_more_refresh_after_the_grace_period() {
    const STEPS: usize = 6;
    const PAUSES_S: [i64; 3] = [1, 59, 61];
    let choices = 2 * PAUSES_S.len();
    let mut found_out = 0;
    for schedule in 0..choices.pow(u32::try_from(STEPS).unwrap()) {
        let mut world = public_world();
        let first = world.sent(Param::RefreshToken);
        let (mut held, mut rest, mut rotated_at) = ([first.clone(), first], schedule, world.now);
        let mut told = Vec::new();
        for _ in 0..STEPS {
            let (holder, pause_s) = (rest % choices % 2, PAUSES_S[rest % choices / 2]);
            rest /= choices;
            world.now = UnixTime(world.now.0 + pause_s);
            world.send(Param::RefreshToken, &held[holder]);
            let generation = world.facts.grant.as_ref().unwrap().row.refresh.as_ref().unwrap().generation;
            let (verdict, changes) = world.token_with_changes();
            match verdict {
                Ok(reply) => {
                    held[holder] = text(&reply, Field::RefreshToken);
                    let access = text(&reply, Field::AccessToken);
                    if changes == Changes::from(Write::AwaitDurability) {
                        assert_eq!(told.last(), Some(&access), "only what was kept is told again: {schedule}");
                        assert!(rotated_at.seconds_until(world.now) < 60, "only within the minute: {schedule}");
                    } else {
                        told.push(access);
                        commit(&mut world, &changes);
                        rotated_at = world.now;
                    }
                }
                Err(refusal) => {
                    assert_eq!(refusal.no, No::RefreshReplayed, "{schedule}");
                    assert!(changes.writes.iter().any(|change| matches!(change, Write::RevokeGrant(_))));
                    // A party is not refused if it is at most one token behind, within the minute.
                    assert!(rotated_at.seconds_until(world.now) >= 60 || generation > 2, "{schedule}");
                    found_out += 1;
                    break;
                }
            }
        }
    }
    assert!(found_out > 0);
}

#[test]
fn a_token_from_before_the_previous_one_ends_the_grant_rfc_9700_4_14_2() {
    let mut world = world();
    let oldest = world.sent(Param::RefreshToken);
    for _ in 0..2 {
        let (reply, changes) = world.token_with_changes();
        commit(&mut world, &changes);
        world.send(Param::RefreshToken, &text(&reply.unwrap(), Field::RefreshToken));
    }
    world.send(Param::RefreshToken, &oldest);
    world.check_token(&expect![[r#"
        no RefreshReplayed
        RevokeGrant, Note refresh_replayed
    "#]]);
}

#[test]
fn a_reusable_token_stays_the_same() {
    let mut world = world();
    world.facts.client = Some(Arc::new(Client { refresh: RefreshMode::Reuse, ..sample::client() }));
    let (reply, changes) = world.token_with_changes();
    assert_eq!(text(&reply.unwrap(), Field::RefreshToken), world.sent(Param::RefreshToken));
    assert!(
        changes.writes.iter().any(|change| matches!(change, Write::RotateRefresh { to, .. } if to.previous.is_none()))
    );
}

#[test]
fn a_public_client_always_rotates_rfc_9700_2_2_2() {
    let mut world = public_world();
    let client = Client { refresh: RefreshMode::Reuse, ..(**world.facts.client.as_ref().unwrap()).clone() };
    world.facts.client = Some(Arc::new(client));
    let reply = world.token().unwrap();
    assert_ne!(text(&reply, Field::RefreshToken), world.sent(Param::RefreshToken));
}

#[test]
fn a_client_that_lost_the_grant_gets_no_answer_again_either() {
    let mut world = world();
    let (_, changes) = world.token_with_changes();
    commit(&mut world, &changes);
    world.facts.client = Some(Arc::new(Client { refresh: RefreshMode::None, ..sample::client() }));
    assert_eq!(world.token().unwrap_err().no, No::GrantTypeNotAllowed);
}

#[test]
fn what_was_taken_from_the_client_is_gone_from_its_grants() {
    let mut world = world();
    world.facts.client = Some(Arc::new(Client { scope: Scope::of(["profile"]), ..sample::client() }));
    assert_eq!(text(&world.token().unwrap(), Field::Scope), "profile");
    world.facts.client = Some(Arc::new(Client { scope: Scope::of(["email"]), ..sample::client() }));
    assert_eq!(world.token().unwrap_err().no, No::ScopeNotAllowed);
    world.facts.client = Some(Arc::new(sample::client()));
    world.facts.grant.as_mut().unwrap().row.authorization.permission.audience = vec!["https://gone.example/".into()];
    assert_eq!(world.token().unwrap_err().no, No::ResourceNotGranted);
}

#[test]
fn a_narrower_scope_is_given_and_a_wider_one_refused_rfc_6749_6() {
    let mut narrower = world();
    narrower.send(Param::Scope, "links:read");
    assert_eq!(text(&narrower.token().unwrap(), Field::Scope), "links:read");
    let mut wider = world();
    wider.send(Param::Scope, "profile email");
    wider.check_token(&expect![[r#"
        no ScopeWider

    "#]]);
}

#[test]
fn a_token_of_another_client_is_refused_and_nothing_is_revoked_rfc_6749_6() {
    let mut world = world();
    world.facts.grant.as_mut().unwrap().row.authorization.client = crate::model::ClientKey(77);
    world.check_token(&expect![[r#"
        no RefreshOfOtherClient

    "#]]);
}

#[test]
fn idle_tokens_revoked_grants_and_gone_users_are_refused() {
    let mut idle = world();
    idle.now = UnixTime(9000);
    assert_eq!(idle.token().unwrap_err().no, No::RefreshExpired);
    let mut revoked = world();
    revoked.facts.grant.as_mut().unwrap().is_grant_revoked = true;
    assert_eq!(revoked.token().unwrap_err().no, No::GrantRevoked);
    let mut gone = world();
    gone.facts.grant.as_mut().unwrap().user = None;
    assert_eq!(gone.token().unwrap_err().no, No::GrantUserGone);
    let mut everywhere = world();
    let user = User { revoked_below: i64::MAX, ..sample::user() };
    everywhere.facts.grant.as_mut().unwrap().user = Some(Arc::new(user));
    assert_eq!(everywhere.token().unwrap_err().no, No::GrantUserGone);
}

#[test]
fn a_grant_ends_absolutely_however_much_it_is_used() {
    let mut world = world();
    world.policy.refresh_absolute_ttl_s = Some(600);
    let (_, changes) = world.token_with_changes();
    let until = changes.writes.iter().find_map(|change| match change {
        Write::RotateRefresh { to, .. } => Some(to.idle_until),
        _ => None,
    });
    assert_eq!(until, Some(UnixTime(1500)));
}
