//! Tests of the developer judge: what each action needs, and its outcome.

mod personal;

use std::sync::Arc;

use super::*;
use crate::client_setting;
use crate::crypto::entropy::Entropy;
use crate::crypto::keys::TokenKind;
use crate::line::{Changes, OwnedCounts, Rely, Write};
use crate::model::Client;
use crate::model::{
    Amr, Checked, ClientKind, GrantType, Personal, PersonalId, Pkce, Session, Totp, UserKey, WithOwners,
};
use crate::redirect::may_register;
use crate::reserved_names::ReservedNames;
use crate::sample::{self, World};
use crate::scope::Scope;
use crate::secret::Digest;
use crate::time::UnixTime;

/// A world in which Alice signed in 10 seconds ago and owns the client `web`.
fn world() -> World {
    let mut world = World::new();
    let minted = world.mint(TokenKind::Session);
    let session = Session {
        id: SessionId(minted.id),
        digest: minted.digest,
        user: sample::user().key,
        amr: vec![Amr::Pwd],
        auth_time: UnixTime(990),
        created_at: UnixTime(990),
        seen_at: UnixTime(990),
        idle_until: UnixTime(2000),
        expires_at: UnixTime(9000),
        address: "192.0.2.1".into(),
        agent: "Browser".into(),
    };
    let user = Some(Arc::new(sample::user()));
    world.facts.session = Some(WithOwners { row: session, client: None, user, is_grant_revoked: false });
    world.facts.client = Some(Arc::new(Client { owner: Some(sample::user().key), ..sample::client() }));
    world.facts.owned_counts = Some(OwnedCounts { clients: 1, personals: 1, identities: 0 });
    world.session = Some(crate::crypto::keys::Presented { id: minted.id, digest: minted.digest });
    world
}

fn judge(world: &World, act: Act) -> (Result<Developed, Refusal>, Changes) {
    let browser = Digest::of(b"browser");
    judge_sealed(world, act, Some(FormSeal::new(sample::user().key, &browser)))
}

fn judge_sealed(world: &World, act: Act, seal: Option<FormSeal>) -> (Result<Developed, Refusal>, Changes) {
    let caller =
        Caller { session: world.session, browser: Digest::of(b"browser"), agent: "Browser".into(), devices: vec![] };
    world.judge(&DeveloperCall { caller, seal, act })
}

fn no(world: &World, act: Act) -> No {
    let (verdict, changes) = judge(world, act);
    assert_eq!(sample::names(&changes), "", "a refusal changes nothing");
    verdict.expect_err("it is refused").no
}

/// Judges an allowed action. Returns the outcome, the changes, and the changes as text.
fn yes(world: &World, act: Act) -> (Done, Changes, String) {
    let (verdict, changes) = judge(world, act);
    let words = sample::names(&changes);
    (verdict.expect("it is allowed").done, changes, words)
}

fn particulars(name: &str, logo_uri: &str, redirect_uris: &str) -> Particulars {
    Particulars::read(|field| match field {
        "name" => Some(name),
        "logo_uri" => Some(logo_uri),
        "redirect_uris" => Some(redirect_uris),
        "homepage" | "privacy_policy" | "terms" => None,
        other => panic!("{other} is a setting of owners that these tests do not know"),
    })
}

fn create(redirect_uris: &str, kind: &str) -> Act {
    Act::Create { particulars: particulars("Importer", "", redirect_uris), kind: kind.into() }
}

fn named(name: &str) -> Act {
    Act::Create { particulars: particulars(name, "", "https://a.example/"), kind: String::new() }
}

fn save(particulars: Particulars) -> Act {
    Act::Save { client_id: "web".into(), particulars }
}

fn put_client(changes: &Changes) -> &Client {
    let put = changes.writes.iter().find_map(|change| match change {
        Write::PutClient(client) => Some(&**client),
        _ => None,
    });
    put.expect("a client is put")
}

/// Every action that is about an application or a token.
fn acts() -> Vec<Act> {
    vec![
        Act::View,
        Act::Begin,
        Act::See("web".into()),
        create("https://a.example/", ""),
        save(particulars("New", "", "https://a.example/")),
        Act::AddRedirectUri { client_id: "web".into(), uri: "https://new.example/".into() },
        Act::Delete("web".into()),
        Act::AddSecret("web".into()),
        Act::RetireSecret { client_id: "web".into(), secret: None },
        Act::CreateToken(wish(&["profile"])),
    ]
}

fn wish(scope: &[&str]) -> TokenWish {
    TokenWish {
        name: "ci".into(),
        scope: scope.iter().map(|word| (*word).to_owned()).collect(),
        lifetime: Some(Lifetime::Usual),
    }
}

#[test]
fn nobody_does_anything_without_a_session_and_all_its_factors() {
    let mut stranger = world();
    stranger.session = None;
    let mut half = world();
    let factor =
        Totp { sealed_seed: String::new(), digits: 6, last_step: 0, recovery: vec![], enabled_at: UnixTime(0) };
    let user = User { totp: Some(factor), ..sample::user() };
    half.facts.session.as_mut().unwrap().user = Some(Arc::new(user));
    for world in [stranger, half] {
        for act in acts() {
            assert_eq!(no(&world, act), No::SignInNeeded);
        }
    }
}

/// Returns whether an action needs a recent sign-in, and whether it needs the seal of a form. A new action does not
/// compile until it is listed here.
fn needs(act: &Act) -> (bool, bool) {
    match act {
        Act::View | Act::See(_) => (false, false),
        Act::Begin => (true, false),
        // Saving needs a recent sign-in only for redirect URIs. Names and logos give access to nothing.
        Act::Create { .. }
        | Act::Save { .. }
        | Act::AddRedirectUri { .. }
        | Act::Delete(_)
        | Act::AddSecret(_)
        | Act::RetireSecret { .. }
        | Act::CreateToken(_) => (true, true),
        // A user who lost a token must be able to act at once.
        Act::RevokeToken(_) => (false, true),
    }
}

/// OWASP ASVS 5.0 V7.5.1: "full re-authentication before allowing modifications to sensitive account attributes".
#[test]
fn every_act_asks_for_the_confirmation_and_the_seal_that_it_needs_asvs_7_5_1() {
    let mut late = world();
    late.now = UnixTime(1995);
    let token = TokenReference::open(
        &TokenReference::seal(PersonalId(7), &late.keys, &mut Entropy::seeded([1; 32], 1)),
        &late.keys,
    );
    let mut all = acts();
    all.push(Act::RevokeToken(token.unwrap()));
    let kinds: std::collections::BTreeSet<String> =
        all.iter().map(|act| format!("{act:?}").split(['(', ' ']).next().unwrap().to_owned()).collect();
    assert_eq!(kinds.len(), 11, "each of the acts: {kinds:?}");
    for act in all {
        let ((is_recent_needed, is_seal_needed), told) = (needs(&act), format!("{act:?}"));
        let browser = Digest::of(b"browser");
        let mine = FormSeal::new(sample::user().key, &browser);
        let other = FormSeal::new(UserKey(77), &browser);
        let elsewhere = FormSeal::new(sample::user().key, &Digest::of(b"elsewhere"));
        let no = |seal| judge_sealed(&late, act.clone(), seal).0.err().map(|refusal| refusal.no);
        assert_eq!(no(Some(mine)) == Some(No::SignInAgain), is_recent_needed, "{told}: {:?}", no(Some(mine)));
        assert_eq!(no(None) == Some(No::PageStale), is_seal_needed, "{told}");
        assert_eq!(no(Some(other)), Some(No::PageOfOther), "{told}");
        assert_eq!(no(Some(elsewhere)), Some(No::PageStale), "{told}");
    }
}

#[test]
fn an_application_gets_what_its_surface_has_when_nobody_says_otherwise() {
    let (done, changes, words) = yes(&world(), create("https://a.example/cb\r\n\r\n https://b.example/ ", ""));
    assert_eq!(words, "Rely, Rely, Rely, PutClient, Note client_added");
    let put = put_client(&changes);
    let Done::Application(client, Some(secret)) = done else { panic!("{done:?}") };
    assert_eq!(*client, *put);
    assert_eq!(put.redirect_uris, ["https://a.example/cb", "https://b.example/"]);
    assert_eq!((put.owner, put.version, put.name.as_str()), (Some(sample::user().key), 1, "Importer"));
    assert_eq!(
        (put.kind, put.pkce, put.scope.as_str()),
        (ClientKind::Confidential, Pkce::Required, "profile email links:read links:write admin")
    );
    assert_eq!(put.secrets.len(), 1);
    assert!(put.secrets[0].stored == crate::model::StoredSecret::Sha256(secret.digest()));
    assert!(put.key.0 > 0 && put.client_id.len() == 26, "{}", put.client_id);
}

#[test]
fn an_application_of_a_person_has_no_grant_type_whose_row_does_not_open_it() {
    let mut world = world();
    world.policy.grants = GrantType::ALL.to_vec();
    for kind in ["confidential", "public"] {
        let (_, changes, _) = yes(&world, create("https://a.example/", kind));
        let given = &put_client(&changes).grants;
        let open: Vec<GrantType> =
            GrantType::ALL.iter().copied().filter(|grant| grant.row().is_open_to_self_registered).collect();
        assert_eq!(*given, open, "{kind}");
    }
}

#[test]
fn a_public_application_has_no_secret() {
    let (done, changes, _) = yes(&world(), create("com.example.app:/cb", "public"));
    assert!(matches!(done, Done::Application(_, None)));
    assert!(put_client(&changes).secrets.is_empty());
    let mut world = world();
    let owner = Some(sample::user().key);
    world.facts.client = Some(Arc::new(Client { owner, ..sample::public_client() }));
    assert_eq!(no(&world, Act::AddSecret("spa".into())), No::SecretOfPublicClient);
    assert_eq!(no(&world, Act::RetireSecret { client_id: "spa".into(), secret: None }), No::SecretOfPublicClient);
}

#[test]
fn what_cannot_be_registered_is_refused_by_name() {
    let world = world();
    let many: Vec<String> = (0..21).map(|at| format!("https://a.example/{at}")).collect();
    for (uris, kind, expected) in [
        ("", "", No::RedirectUrisMissing),
        (" \n ", "", No::RedirectUrisMissing),
        (&many.join("\n"), "", No::RedirectUrisTooMany),
        ("https://a.example/\nhttps://a.example/#x", "", No::RedirectUriFragment),
        ("https://*.example/", "", No::RedirectUriWildcard),
        ("http://a.example/", "", No::RedirectUriUnencrypted),
        ("com.example.app:/cb", "confidential", No::RedirectUriOfConfidential),
        ("app:/cb", "public", No::RedirectUriSchemeVague),
        ("javascript:alert(1)", "public", No::RedirectUriSchemeForbidden),
        ("https://a.example/", "secretive", No::ClientKindUnknown),
    ] {
        assert_eq!(no(&world, create(uris, kind)), expected, "{uris} {kind}");
    }
    assert!(matches!(yes(&world, create(&many[..20].join("\n"), "")).0, Done::Application(..)));
    for (name, expected) in [
        ("", Some(No::NameMalformed)),
        ("   ", Some(No::NameMalformed)),
        ("two\nlines", Some(No::NameCharacter)),
        ("left\u{202e}right", Some(No::NameCharacter)),
        ("in\u{200b}visible", Some(No::NameCharacter)),
        (&"x".repeat(201), Some(No::NameMalformed)),
        (&"ü".repeat(200), None),
        ("👩\u{200d}💻", None),
    ] {
        let (verdict, _) = judge(&world, named(name));
        assert_eq!(verdict.err().map(|refusal| refusal.no), expected, "{name:?}");
    }
    let told = judge(&world, named("left\u{202e}right")).0.unwrap_err().text();
    assert_eq!(told, "The name contains U+202E RIGHT-TO-LEFT OVERRIDE at character 5; remove it.");
    for (logo, is_good) in [
        ("http://a.example/logo.png", false),
        ("javascript:alert(1)", false),
        ("https://", false),
        ("https://u:p@a.example/", false),
        ("https://a.example/\"onload", false),
        (&format!("https://a.example/{}", "x".repeat(2000)), false),
        ("https://a.example/logo.png", true),
        ("", true),
    ] {
        let said = particulars("Importer", logo, "https://a.example/");
        let (verdict, _) = judge(&world, Act::Create { particulars: said, kind: String::new() });
        assert_eq!(verdict.err().map(|refusal| refusal.no), (!is_good).then_some(No::LogoUriMalformed), "{logo}");
    }
}

#[test]
fn a_surface_whose_operator_registers_applications_is_not_offered() {
    let mut world = world();
    world.policy.client.is_self_service = false;
    assert_eq!(no(&world, create("https://a.example/", "")), No::DialectNotOffered);
    world.policy.is_personal_offered = false;
    assert_eq!(no(&world, Act::CreateToken(wish(&[]))), No::DialectNotOffered);
}

#[test]
fn a_limit_holds_for_the_rows_that_were_seen_and_for_those_that_are_there_when_it_is_written() {
    let mut world = world();
    world.facts.owned_counts = Some(OwnedCounts { clients: APPLICATIONS_MAX, personals: PERSONALS_MAX, identities: 0 });
    assert_eq!(no(&world, create("https://a.example/", "")), No::ApplicationsTooMany);
    assert_eq!(no(&world, Act::CreateToken(wish(&[]))), No::PersonalsTooMany);
    world.facts.owned_counts =
        Some(OwnedCounts { clients: APPLICATIONS_MAX - 1, personals: PERSONALS_MAX - 1, identities: 0 });
    let user = sample::user().key;
    let (_, changes, _) = yes(&world, create("https://a.example/", ""));
    assert!(changes.relied.contains(&Rely::ClientsFewer { owner: user, than: APPLICATIONS_MAX }));
    let (_, changes, _) = yes(&world, Act::CreateToken(wish(&[])));
    assert!(changes.relied.contains(&Rely::PersonalsFewer { user, than: PERSONALS_MAX }));
}

#[test]
fn an_application_of_somebody_else_is_not_found() {
    for owner in [None, Some(UserKey(2))] {
        let mut world = world();
        world.facts.client = Some(Arc::new(Client { owner, ..sample::client() }));
        for act in [
            Act::See("web".into()),
            save(particulars("New", "", "https://a.example/")),
            Act::Delete("web".into()),
            Act::AddSecret("web".into()),
            Act::RetireSecret { client_id: "web".into(), secret: None },
        ] {
            assert_eq!(no(&world, act), No::ApplicationUnknown);
        }
        world.facts.client = None;
        assert_eq!(no(&world, Act::See("web".into())), No::ApplicationUnknown);
    }
}

#[test]
fn an_application_is_saved_with_its_next_version_and_keeps_all_else() {
    let world = world();
    let said = particulars(" Neu ", "https://a.example/logo.png", "https://a.example/");
    let (_, changes, words) = yes(&world, save(said));
    assert_eq!(words, "Rely, Rely, PutClient, Note client_changed");
    let expected = Client {
        name: "Neu".into(),
        logo_uri: Some("https://a.example/logo.png".into()),
        redirect_uris: vec!["https://a.example/".into()],
        owner: Some(sample::user().key),
        version: 2,
        ..sample::client()
    };
    assert_eq!(*put_client(&changes), expected);
    let same = particulars("Web", "", "https://app.example/cb");
    assert_eq!(yes(&world, save(same)).2, "", "nothing changed");
}

#[test]
fn a_form_that_is_sent_back_as_it_was_shown_changes_nothing() {
    let mut world = world();
    let shown = Client {
        logo_uri: Some("https://a.example/logo.png".into()),
        redirect_uris: vec!["https://a.example/cb".into(), "https://b.example/".into()],
        ..(**world.facts.client.as_ref().unwrap()).clone()
    };
    world.facts.client = Some(Arc::new(shown.clone()));
    let values: Vec<(&str, String)> =
        client_setting::of_owner().map(|(row, _)| (row.name, typed_value(row, &shown))).collect();
    let value = |name: &str| values.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
    assert_eq!(value("redirect_uris"), Some("https://a.example/cb\nhttps://b.example/"));
    assert_eq!(yes(&world, save(Particulars::read(value))).2, "");
}

#[test]
fn only_a_recent_sign_in_touches_secrets_tokens_and_addresses_asvs_7_5_1() {
    let mut old = world();
    old.facts.session.as_mut().unwrap().row.auth_time = UnixTime(1000 - 15 * 60 - 1);
    for act in [
        Act::Begin,
        create("https://a.example/", ""),
        save(particulars("Web", "", "https://other.example/")),
        Act::Delete("web".into()),
        Act::AddSecret("web".into()),
        Act::RetireSecret { client_id: "web".into(), secret: None },
        Act::CreateToken(wish(&["profile"])),
    ] {
        assert_eq!(no(&old, act), No::SignInAgain);
    }
    assert!(judge(&old, Act::See("web".into())).0.is_ok());
    assert!(judge(&old, save(particulars("Renamed", "", "https://app.example/cb"))).0.is_ok());
}

#[test]
fn at_most_two_secrets_live_and_one_stays() {
    let mut world = world();
    let web = || "web".to_owned();
    assert_eq!(no(&world, Act::RetireSecret { client_id: web(), secret: None }), No::SecretLast);
    let (done, changes, words) = yes(&world, Act::AddSecret(web()));
    assert_eq!(words, "Rely, Rely, PutClient, Note client_changed");
    let Done::Application(client, Some(text)) = done else { panic!("{done:?}") };
    assert_eq!((client.secrets.len(), client.version), (2, 2));
    assert_eq!(client.secrets[1].hint, text.reveal()[text.reveal().len() - 4..]);
    world.facts.client = Some(Arc::new(put_client(&changes).clone()));
    assert_eq!(no(&world, Act::AddSecret(web())), No::SecretsTooMany);
    let retired = |reference: Option<String>| {
        let (_, changes, _) = yes(&world, Act::RetireSecret { client_id: web(), secret: reference });
        put_client(&changes).secrets[0].clone()
    };
    assert!(retired(None) == client.secrets[1], "the older one goes when nothing is said");
    assert!(retired(Some(secret_reference(&client.secrets[1]))) == client.secrets[0]);
    let gone = Act::RetireSecret { client_id: web(), secret: Some("0000000000000000".into()) };
    assert_eq!(no(&world, gone), No::SecretUnknown);
}

#[test]
fn a_deleted_application_is_the_one_that_was_seen() {
    let (_, changes, words) = yes(&world(), Act::Delete("web".into()));
    assert_eq!(words, "Rely, Rely, Rely, DeleteClient, Note client_deleted");
    assert!(changes.relied.contains(&Rely::Client(sample::client().key, 1)));
}

#[test]
fn the_faulty_one_of_several_addresses_is_named() {
    let said = particulars("Importer", "", "https://a.example/\nhttp://b.example/\njavascript:x");
    assert_eq!(said.faulty_redirect_uri(ClientKind::Public), Some(("http://b.example/", No::RedirectUriUnencrypted)));
    assert_eq!(may_register("https://a.example/", ClientKind::Public), Ok(()));
}

/// OWASP ASVS 5.0 V10.4.4: a client can use only the grants that it was given.
#[test]
fn an_application_of_a_persons_own_acts_for_people_who_allow_it_and_in_no_other_way_asvs_10_4_4() {
    let mut world = world();
    world.policy.grants = GrantType::ALL.to_vec();
    let (_, changes, _) = yes(&world, create("https://a.example/", ""));
    let given = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::Implicit];
    assert_eq!(put_client(&changes).grants, given);
}

#[test]
fn nobody_but_the_operator_changes_an_application_that_nobody_is_asked_about() {
    let mut world = world();
    let own = world.facts.client.as_ref().unwrap();
    world.facts.client = Some(Arc::new(Client { is_first_party: true, ..(**own).clone() }));
    let particulars = particulars("New", "", "https://a.example/");
    let retire = Act::RetireSecret { client_id: "web".into(), secret: None };
    for act in [save(particulars), Act::Delete("web".into()), Act::AddSecret("web".into()), retire] {
        assert_eq!(no(&world, act), No::ApplicationOfOperator);
    }
    assert!(judge(&world, Act::See("web".into())).0.is_ok());
}

#[test]
fn what_only_the_operator_gives_is_in_nothing_that_people_make_asvs_10_4_11() {
    let mut world = world();
    world.policy.scope.operator_only = Scope::of(["admin"]);
    world.policy.scope.implies.push(("links:write".into(), Scope::of(["admin"])));
    let Done::Application(client, _) = yes(&world, create("https://a.example/", "")).0 else {
        panic!("no application")
    };
    assert_eq!(client.scope.as_str(), "profile email links:read");
    for word in ["admin", "links:write"] {
        let wish = wish(&["profile", word]);
        assert_eq!(no(&world, Act::CreateToken(wish)), No::PersonalScopeUnknown, "{word}");
    }
    assert!(matches!(yes(&world, Act::CreateToken(wish(&["profile"]))).0, Done::Token(_)));
}

#[test]
fn a_reserved_name_is_refused_to_owners_and_the_name_that_an_application_has_stays_rfc_6749_10_2() {
    let mut world = world();
    world.policy.reserved_names = Arc::new(ReservedNames::new("Linkhaven", &["Google".into()]));
    for name in ["Linkhaven", "L1nkhaven Security Team", "G\u{43e}\u{43e}gle"] {
        let refusal = judge(&world, named(name)).0.expect_err("it is refused");
        assert_eq!(refusal.no, No::NameReserved, "{name}");
    }
    let told = judge(&world, named("Goog1e Login")).0.expect_err("it is refused").text();
    assert!(told.starts_with("The name is, contains or looks like Google, which is reserved."), "{told}");
    let mut own = (**world.facts.client.as_ref().unwrap()).clone();
    own.name = "Google".into();
    world.facts.client = Some(Arc::new(own));
    let (_, changes, _) = yes(&world, save(particulars("Google", "https://a.example/l.png", "https://app.example/cb")));
    assert_eq!(put_client(&changes).name, "Google");
    assert_eq!(no(&world, save(particulars("Google Login", "", "https://app.example/cb"))), No::NameReserved);
}

#[test]
fn a_change_by_the_owner_ends_the_operators_check_and_a_field_that_a_form_lacks_stays() {
    let mut world = world();
    let checked = Some(Checked { at: UnixTime(1), by: "root (uid 0)".into() });
    let page = Some("https://app.example/about".to_owned());
    let own = Client { checked, homepage: page.clone(), ..(**world.facts.client.as_ref().unwrap()).clone() };
    let same = particulars(&own.name, own.logo_uri.as_deref().unwrap_or_default(), &own.redirect_uris.join("\n"));
    world.facts.client = Some(Arc::new(own));
    assert_eq!(yes(&world, save(same.clone())).2, "", "nothing changed, so it stays checked");
    let (_, changes, _) = yes(&world, save(particulars("Other", "", "https://app.example/cb")));
    assert_eq!((&put_client(&changes).checked, &put_client(&changes).homepage), (&None, &page));
    let (privacy, terms) = (No::PrivacyPolicyMalformed, No::TermsMalformed);
    for (field, no_expected) in [("homepage", No::HomepageUnencrypted), ("privacy_policy", privacy), ("terms", terms)] {
        let said = |url: &'static str| {
            Particulars::read(move |own| match own {
                "name" => Some("Other"),
                "redirect_uris" => Some("https://app.example/cb"),
                own => (own == field).then_some(url),
            })
        };
        for bad in ["http://app.example/", "javascript:alert(1)", "app.example", "https://u:p@app.example/"] {
            assert_eq!(no(&world, save(said(bad))), no_expected, "{field} {bad}");
        }
        yes(&world, save(said("https://app.example/page")));
        yes(&world, save(said("")));
    }
}
