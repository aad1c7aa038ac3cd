//! Nothing leaks between surfaces. All shipped dialects run in one server, each with every kind of endpoint that it can have
//! and with clients, a code, a grant, tokens and a consent of its own; then everything of each is taken to every address of
//! all others, and what one surface does otherwise than the RFCs is tried on all.

mod all;
mod also_read;
mod deviations;

use dialect::{Dialect, Dialects, shipped};
use protocol::crypto::keys::Presented;
use protocol::endpoint::Endpoint;
use protocol::line::{Key, Wants};
use protocol::model::{ClientKind, CodeId, GrantId, GrantType};
use protocol::refusal::{No, Refusal};
use protocol::wire::Param;

use all::*;

#[tokio::test]
async fn a_token_opens_the_doors_of_its_own_surface_only() {
    try_doors(&All::start().await).await;
}

async fn try_doors(all: &All) {
    let doors = all.everywhere(Endpoint::Userinfo);
    assert_eq!(doors.len(), 6, "each surface has one");
    for (home, own) in &all.own {
        for &(there, at) in &doors {
            for (kind, token) in [("access", &own.access), ("personal", &own.personal), ("refresh", &own.refresh)] {
                let bearer = format!("Bearer {}", token.text.reveal());
                let Told(status, body) = all.ask(there, at, &Ask::bearer(&bearer)).await;
                let is_open = all.is_read(home, there) && kind != "refresh";
                assert_eq!(status == 200, is_open, "{kind} token of {home} at {there}: {status} {body}");
                assert_eq!(body.contains("alice@example.com"), is_open, "{kind} token of {home} at {there}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_worth_nothing_to_those_who_ask_at_another_surface_and_cannot_be_ended_there() {
    try_tokens(&All::start().await).await;
}

async fn try_tokens(all: &All) {
    let mut known = Vec::new();
    for (home, own) in &all.own {
        let tokens = [("access", &own.access), ("refresh", &own.refresh), ("personal", &own.personal)];
        for (there, at) in all.everywhere(Endpoint::Introspect) {
            for (kind, token) in tokens {
                let fields = credentials(&all.own(there).confidential, &[("token", token.text.reveal())]);
                let Told(status, body) = all.ask(there, at, &Ask::form(&fields)).await;
                let is_active = body.contains("\"active\":true");
                assert_eq!(status, 200, "{kind} of {home} at {there}: {body}");
                if is_active {
                    known.push(format!("{kind} of {home} at {there}"));
                }
            }
        }
        for (there, at) in all.everywhere(Endpoint::Revoke).into_iter().filter(|(there, _)| there != home) {
            for (_, token) in tokens {
                let fields = credentials(&all.own(there).confidential, &[("token", token.text.reveal())]);
                assert_eq!(all.ask(there, at, &Ask::form(&fields)).await.0, 200, "RFC 7009 §2.2");
            }
        }
        assert_eq!(all.lives(own).await, [true; 3], "something of {home} was ended elsewhere");
    }
    let mut expected = Vec::new();
    for (home, _) in &all.own {
        for (there, _) in all.everywhere(Endpoint::Introspect).into_iter().filter(|(there, _)| all.is_read(home, there))
        {
            expected.push(format!("access of {home} at {there}"));
            // Nobody but its client hears about a refresh token: not those who read it elsewhere, nor where everybody may ask.
            if home == there && home != "tinyrebrand" {
                expected.push(format!("refresh of {home} at {there}"));
            }
            expected.push(format!("personal of {home} at {there}"));
        }
    }
    assert_eq!(known, expected);
    for (home, at) in all.everywhere(Endpoint::Revoke) {
        let own = all.own(home);
        for token in [&own.access, &own.refresh] {
            let fields = credentials(&own.confidential, &[("token", token.text.reveal())]);
            assert_eq!(all.ask(home, at, &Ask::form(&fields)).await.0, 200);
        }
        assert_eq!(all.lives(own).await[..2], [false; 2], "{home} ends its own");
    }
}

#[tokio::test]
async fn a_client_its_code_and_its_refresh_token_are_unknown_at_another_surface_and_not_used_up_there() {
    try_clients(&All::start().await).await;
}

async fn try_clients(all: &All) {
    let doors = all.everywhere(Endpoint::Token);
    let called: Vec<String> = doors.iter().map(|&(there, at)| all.called(there, at)).collect();
    for door in ["standard/token", "tinyemail/token", "tinyrebrand/google", "php-endpoints/token", "paced/token"] {
        assert!(called.iter().any(|own| own == door), "{door} in {called:?}");
    }
    for (home, own) in &all.own {
        for &(there, at) in doors.iter().filter(|(there, _)| there != home) {
            let code = own.code.text.reveal();
            let code = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
            let refresh = [("grant_type", "refresh_token"), ("refresh_token", own.refresh.text.reveal())];
            for client in [&own.confidential, &own.public, &all.own(there).confidential, &all.own(there).public] {
                for more in [&code[..], &refresh[..]] {
                    let Told(status, body) = all.ask(there, at, &Ask::form(&credentials(client, more))).await;
                    assert!(status >= 400 && !body.contains("access_token"), "{home} at {there}: {status} {body}");
                }
            }
            // Everything that any address here asks for, so that nothing but the client can be wrong.
            let all_of_it = [&code[..], &[("token", ID_TOKEN)]].concat();
            let unknown = all.refusal(there, at, &No::ClientUnknown.into());
            for client in [&own.confidential, &own.public] {
                // The one address that knows nothing but public clients is told of no secret.
                let mut fields = credentials(client, &all_of_it);
                fields.retain(|(name, _)| !(all.called(there, at).ends_with("/google") && *name == "client_secret"));
                if client.kind == ClientKind::Public && there == "php-endpoints" {
                    fields.push(("client_secret", SECRET));
                }
                let told = all.ask(there, at, &Ask::form(&fields)).await;
                assert_eq!(told, unknown, "{} at {}", client.client_id, all.called(there, at));
            }
        }
        let grant = GrantId(own.refresh.id);
        let wants = Wants::of([Key::Code(CodeId(own.code.id)), Key::Grant(grant)]);
        let facts = all.store.load(wants).await.unwrap();
        let code = facts.code(Presented { id: own.code.id, digest: own.code.digest }).unwrap();
        assert!(!code.row.is_spent, "a code of {home} was used up elsewhere");
        assert!(!facts.grant_row(grant).unwrap().is_grant_revoked, "a grant of {home} was ended elsewhere");
    }
    // The address that takes ID tokens knows its own client, and then says that it knows no issuer.
    let (home, at) = doors.into_iter().find(|&(there, at)| all.called(there, at) == "tinyrebrand/google").unwrap();
    let fields = credentials(&all.own(home).public, &[("token", ID_TOKEN)]);
    let told = all.ask(home, at, &Ask::form(&fields)).await;
    assert_eq!(told, all.refusal(home, at, &Refusal::of(No::UpstreamAbsent, Param::Assertion)));
}

#[tokio::test]
async fn a_client_and_a_consent_are_good_for_the_authorization_endpoints_of_their_own_surface_only() {
    try_consents(&All::start().await).await;
}

async fn try_consents(all: &All) {
    let doors = all.everywhere(Endpoint::Authorize);
    assert_eq!(doors.len(), 7, "each surface has one, and one has a hand-off before it");
    for (home, own) in &all.own {
        for &(there, at) in &doors {
            let response_type = if there == "tinyplus" { "token" } else { "code" };
            for client in [&own.confidential, &own.public, &own.stranger] {
                let query = [
                    ("response_type", response_type),
                    ("client_id", client.client_id.as_str()),
                    ("redirect_uri", CALLBACK),
                    ("code_challenge", CHALLENGE),
                    ("code_challenge_method", "S256"),
                ];
                let what = format!("{} at {}", client.client_id, all.called(there, at));
                let Answer { told, location } = all.answer(there, at, &Ask::visit(&query)).await;
                if home != there {
                    let unknown = Refusal::of(No::AuthorizeClientUnknown, Param::ClientId);
                    let unknown = all.refusal(there, at, &unknown);
                    assert_eq!(told, unknown, "{what}");
                    assert_eq!(location, None, "{what}");
                } else if all.called(there, at) == "tinyrebrand/authorize" {
                    assert!(location.unwrap().starts_with("https://app.tinyrebrand.com/oauth/authorize?"), "{what}");
                } else if client.key == own.stranger.key {
                    // Alice allowed others of this surface and everybody on the other surfaces, but never this one.
                    assert_eq!((told.0, location), (200, None), "{what}");
                    assert!(told.1.contains("name=\"decision\""), "{what}: {}", told.1);
                } else {
                    let location = location.unwrap_or_else(|| panic!("{what}: {told:?}"));
                    let given = if there == "tinyplus" { "access_token=" } else { "code=" };
                    assert!(location.starts_with(CALLBACK) && location.contains(given), "{what}: {location}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_grant_works_where_the_surface_offers_it_and_nowhere_else() {
    let all = All::start().await;
    let mut worked = Vec::new();
    for (name, at) in all.everywhere(Endpoint::Token) {
        if all.called(name, at).ends_with("/google") {
            continue;
        }
        let own = all.own(name);
        let offered = &all.app.surface(all.dialect(name)).policy.grants;
        for grant in GrantType::ALL {
            let code = all.code(name, &own.confidential).await;
            // The one surface that has it calls it so.
            let is_google = *grant == GrantType::Assertion && name == "tinyrebrand";
            let word = if is_google { "google" } else { grant.as_str() };
            // Everything that any grant asks for, so that nothing but the grant can be wrong.
            let fields = credentials(
                &own.confidential,
                &[
                    ("grant_type", word),
                    ("code", code.text.reveal()),
                    ("redirect_uri", CALLBACK),
                    ("refresh_token", own.refresh.text.reveal()),
                    ("username", "alice@example.com"),
                    ("password", PASSWORD),
                    ("assertion", ID_TOKEN),
                ],
            );
            let told = all.ask(name, at, &Ask::form(&fields)).await;
            let words = offered.iter().filter(|own| **own != GrantType::Implicit).map(|own| own.as_str());
            let unknown = Refusal::of(No::GrantTypeUnknown, Param::GrantType).with_value(word).with_choices(words);
            let refused = all.refusal(name, at, &unknown);
            if !offered.contains(grant) {
                assert_eq!(told, refused, "{grant:?} at {name}");
            } else if is_google {
                let absent = Refusal::of(No::UpstreamAbsent, Param::Assertion);
                assert_eq!(told, all.refusal(name, at, &absent), "{grant:?} at {name}");
            } else {
                assert!(told.0 == 200 && told.1.contains("\"access_token\""), "{grant:?} at {name}: {told:?}");
            }
            if told.0 == 200 {
                worked.push(format!("{name} {}", grant.as_str()));
            }
        }
    }
    worked.sort();
    assert_eq!(
        worked,
        [
            "paced authorization_code",
            "paced refresh_token",
            "php-endpoints authorization_code",
            "standard authorization_code",
            "standard client_credentials",
            "standard refresh_token",
            "tinyemail authorization_code",
            "tinyemail refresh_token",
            "tinyrebrand authorization_code",
            "tinyrebrand password",
            "tinyrebrand refresh_token",
        ]
    );
}

#[tokio::test]
async fn a_public_client_proves_itself_by_its_verifier_on_every_surface_that_has_codes() {
    let all = All::start().await;
    for (name, at) in all.everywhere(Endpoint::Authorize) {
        let client = &all.own(name).public;
        let with = |challenge| {
            let mut query = vec![("response_type", "code"), ("client_id", client.client_id.as_str())];
            query.push(("redirect_uri", CALLBACK));
            if challenge {
                query.extend([("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
            }
            query
        };
        let location = async |challenge| {
            let query = with(challenge);
            all.answer(name, at, &Ask::visit(&query)).await.location.unwrap_or_default()
        };
        assert!(!location(false).await.contains("code="), "{}", all.called(name, at));
        let back = location(true).await;
        let Some(code) = back.strip_prefix("https://app.example/cb?code=") else { continue };
        let code = code.split('&').next().unwrap();
        let Some(token_at) = all.dialect(name).at(Endpoint::Token) else { continue };
        let fields = |verifier| {
            let mut fields = credentials(client, &[("grant_type", "authorization_code"), ("code", code)]);
            fields.push(("redirect_uri", CALLBACK));
            fields.extend(verifier);
            fields
        };
        assert!(all.ask(name, token_at, &Ask::form(&fields(None))).await.0 >= 400, "{name}");
        let told = all.ask(name, token_at, &Ask::form(&fields(Some(("code_verifier", VERIFIER))))).await;
        // The one surface that documents a secret for everybody has no public clients.
        assert_eq!(told.0 == 200, name != "php-endpoints", "{name}: {told:?}");
    }
}

#[test]
fn the_standard_dialect_waives_nothing_and_each_other_what_its_file_says() {
    for name in shipped::names() {
        let dialect = Dialect::shipped(name, &[]).unwrap().unwrap();
        assert_eq!(dialect.waives.is_empty(), name == "standard", "{name}: {:?}", dialect.waives);
        let accept_nothing = Dialects::new("https://auth.example", vec![dialect], &[]);
        assert_eq!(accept_nothing.is_ok(), name == "standard", "{name}");
    }
}
