//! Tests of registration: what the operator and an owner can register, and the defaults of a new application.

use serde_json::Value;

use super::*;
use crate::client_setting::{Form, Given, TABLE};
use crate::jose::signed;
use crate::sample;

#[test]
fn a_public_client_gets_no_grant_that_needs_a_secret_rfc_6749_4_4() {
    let client = client(ClientKind::Public, &sample::policy());
    assert!(!client.grants.contains(&GrantType::ClientCredentials));
    assert_eq!((client.auth_methods, client.pkce), (vec![AuthMethod::None], Pkce::Required));
}

#[test]
fn pkce_is_optional_only_where_the_surface_and_the_kind_allow_it() {
    let mut policy = sample::policy();
    policy.client.pkce = Pkce::Optional;
    assert_eq!(client(ClientKind::Confidential, &policy).pkce, Pkce::Optional);
    assert_eq!(client(ClientKind::Public, &policy).pkce, Pkce::Required);
    policy.is_pkce_waivable = false;
    assert_eq!(client(ClientKind::Confidential, &policy).pkce, Pkce::Required);
}

#[test]
fn a_hint_gives_away_the_end_of_a_long_secret_and_nothing_of_a_short_one() {
    assert_eq!(hint(&Secret::new("gcs_abcdefghijklmnop")), "mnop");
    assert_eq!(hint(&Secret::new("short-secret")), "");
}

#[test]
fn two_secrets_and_two_ids_differ() {
    let mut entropy = Entropy::seeded([3; 32], 1);
    let (one, other) = (secret(UnixTime(1), &mut entropy), secret(UnixTime(1), &mut entropy));
    assert_ne!(one.1, other.1);
    assert_ne!(client_id(&mut entropy), client_id(&mut entropy));
}

const URI: &str = "https://app.example/cb";

fn proposal<const N: usize>(more: [(Setting, Given); N]) -> Proposal {
    let mut proposal = Proposal::of([(Setting::Name, "App".into()), (Setting::RedirectUris, [URI].into())]);
    for (setting, given) in more {
        proposal.set(setting, given);
    }
    proposal
}

fn ask<const N: usize>(asker: Asker, more: [(Setting, Given); N]) -> Result<Client, Vec<Fault>> {
    proposed(&proposal(more), Asked { asker, policy: &sample::policy() })
}

/// Returns the first fault of a proposal by the operator.
fn no<const N: usize>(more: [(Setting, Given); N]) -> No {
    ask(Asker::Operator, more).expect_err("it is refused")[0].no
}

/// Returns a valid value of the setting, for a proposal by the operator about a confidential client.
fn good(setting: Setting) -> Given {
    match setting.row().form {
        Form::Text if setting == Setting::Scope => "links:read profile".into(),
        Form::Text
            if matches!(
                setting,
                Setting::Homepage | Setting::PrivacyPolicy | Setting::Terms | Setting::LogoUri | Setting::JwksUri
            ) =>
        {
            "https://app.example/x".into()
        }
        Form::Text => "Example Ltd".into(),
        Form::Document => signed::published().to_string().as_str().into(),
        Form::Texts => ["https://app.example/one", "https://app.example/other"].into(),
        Form::Word(words) => words.last().expect("there are words").0.into(),
        Form::Words(words) => [words.last().expect("there are words").0].into(),
        Form::Grants => ["refresh_token", "authorization_code"].into(),
        Form::Seconds => Given::Seconds(90),
        Form::Flag => Given::Flag(true),
    }
}

/// Returns the value of a setting in a row, in the form of a proposal.
fn read(setting: Setting, client: &Client) -> Given {
    match (setting.row().read)(client) {
        Value::String(text) => Given::Text(text),
        Value::Array(items) => {
            Given::Texts(items.iter().map(|item| item.as_str().expect("a text").to_owned()).collect())
        }
        Value::Number(number) => Given::Seconds(number.as_u64().expect("seconds")),
        Value::Bool(flag) => Given::Flag(flag),
        Value::Object(members) => Given::Text(Value::Object(members).to_string()),
        other => panic!("{setting:?} is {other}"),
    }
}

#[test]
fn every_setting_reads_what_it_wrote_and_is_found_by_its_name() {
    for row in TABLE {
        assert_eq!(row.setting.row().name, row.name);
        assert_eq!(Setting::from_name(row.name), Some(row.setting));
        let client = ask(Asker::Operator, [(row.setting, good(row.setting))]);
        let client = client.unwrap_or_else(|faults| panic!("{}: {faults:?}", row.name));
        assert_eq!(read(row.setting, &client), good(row.setting), "{}", row.name);
        let same = changed(
            &client,
            &Proposal::of([(row.setting, good(row.setting))]),
            Asked { asker: Asker::Operator, policy: &sample::policy() },
        );
        assert_eq!(same, Ok(client), "{}", row.name);
    }
}

#[test]
fn an_owner_sets_what_the_table_gives_to_owners_and_nothing_else() {
    let mut open = Vec::new();
    for row in TABLE {
        match ask(Asker::Owner, [(row.setting, good(row.setting))]) {
            Ok(_) => open.push(row.name),
            Err(faults) => {
                let fault = Fault::with(row.setting, No::SettingOfOperator, row.name);
                assert_eq!(faults, [fault], "{}", row.name);
            }
        }
    }
    assert_eq!(open, ["name", "homepage", "privacy_policy", "terms", "logo_uri", "kind", "redirect_uris"]);
    let own = Client { owner: Some(crate::model::UserKey(1)), ..sample::client() };
    let asked = Asked { asker: Asker::Owner, policy: &sample::policy() };
    let kind = changed(&own, &Proposal::of([(Setting::Kind, "public".into())]), asked).unwrap_err();
    assert_eq!(kind[0].no, No::SettingOfOperator, "the kind stays");
}

#[test]
fn all_that_is_wrong_is_said_at_once_in_the_order_of_the_table() {
    let faults = ask(
        Asker::Operator,
        [
            (Setting::Name, "Bank\u{202e}".into()),
            (Setting::Homepage, "ftp://app.example".into()),
            (Setting::Grants, ["password"].into()),
            (Setting::Scope, "profil".into()),
            (Setting::RedirectUris, ["http://app.example/cb"].into()),
            (Setting::Resources, ["not a URL"].into()),
        ],
    );
    let told: Vec<String> = faults.unwrap_err().iter().map(|fault| Refusal::from(fault).text()).collect();
    expect_test::expect![[r#"
        The name contains U+202E RIGHT-TO-LEFT OVERRIDE at character 5; remove it.
        The page ftp://app.example is no http or https URL.
        This API has no grant type password.
        This API has no scope profil.
        The redirect URI must use https; http is for this machine only (localhost, 127.0.0.1, [::1]).
        The resource not a URL is no absolute URL without a fragment."#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_client_whose_users_come_back_says_where_rfc_6749_3_1_2_2() {
    for asker in [Asker::Operator, Asker::Owner] {
        let nowhere = Proposal::of([(Setting::Name, "App".into())]);
        let faults = registration_of(&nowhere, asker).unwrap_err();
        assert_eq!(faults, [Fault::new(Setting::RedirectUris, No::RedirectUrisMissing)]);
    }
    let own_account = Proposal::of([(Setting::Name, "App".into()), (Setting::Grants, ["client_credentials"].into())]);
    assert!(registration_of(&own_account, Asker::Operator).unwrap().redirect_uris.is_empty());
    let api = Proposal::of([(Setting::Name, "API".into()), (Setting::Resources, ["https://api.example/"].into())]);
    assert_eq!(registration_of(&api, Asker::Operator).unwrap().grants, []);
    // An application that is older than the rule can be renamed.
    let old = Client { redirect_uris: vec![], ..sample::client() };
    let asked = Asked { asker: Asker::Operator, policy: &sample::policy() };
    let renamed = changed(&old, &Proposal::of([(Setting::Name, "New".into())]), asked).unwrap();
    assert_eq!(renamed, Client { name: "New".into(), ..old });
}

fn registration_of(proposal: &Proposal, asker: Asker) -> Result<Client, Vec<Fault>> {
    proposed(proposal, Asked { asker, policy: &sample::policy() })
}

#[test]
fn a_kind_has_the_grants_and_the_ways_to_prove_itself_that_fit_it() {
    let kind = |word: &str| (Setting::Kind, word.into());
    let methods = |word: &str| (Setting::AuthMethods, [word].into());
    // RFC 6749 §4.4
    assert_eq!(no([kind("public"), (Setting::Grants, ["client_credentials"].into())]), No::GrantOfConfidentialClient);
    assert_eq!(no([kind("public"), methods("client_secret_post")]), No::AuthMethodOfPublicClient);
    assert_eq!(no([kind("confidential"), methods("none")]), No::AuthMethodOfConfidentialClient);
    assert_eq!(ask(Asker::Operator, [methods("none")]).unwrap().kind, ClientKind::Public);
    assert_eq!(no([kind("public"), (Setting::Pkce, "optional".into())]), No::PkceNotOptional);
    assert_eq!(no([kind("public"), (Setting::Introspection, "any".into())]), No::IntrospectionOfPublicClient);
    assert_eq!(no([kind("public"), (Setting::AccountsApi, Given::Flag(true))]), No::AccountsApiOfPublicClient);
    assert_eq!(no([kind("secretive")]), No::ClientKindUnknown);
    let unrefreshed = ask(Asker::Operator, [(Setting::Refresh, "none".into())]).unwrap();
    assert!(!unrefreshed.grants.contains(&GrantType::RefreshToken));
}

#[test]
fn the_accounts_api_is_for_clients_of_the_standard_dialect() {
    let policy = Policy { dialect: "paced".into(), ..sample::policy() };
    let wish = proposal([(Setting::AccountsApi, Given::Flag(true))]);
    let faults = proposed(&wish, Asked { asker: Asker::Operator, policy: &policy }).unwrap_err();
    assert_eq!(faults, [Fault::with(Setting::AccountsApi, No::AccountsApiOfOtherDialect, "paced")]);
}

#[test]
fn what_is_wrong_with_an_owner_s_value_is_shown_beside_its_field() {
    for uri in ["http://app.example/cb", "https://app.example/#x", "cb", "https://*.example/", "javascript:x", ""] {
        let uris: &[&str] = if uri.is_empty() { &[] } else { &[uri] };
        let given = Given::Texts(uris.iter().map(|uri| (*uri).to_owned()).collect());
        let faults = ask(Asker::Owner, [(Setting::RedirectUris, given)]).unwrap_err();
        assert_eq!(client_setting::at_fault(faults[0].no), Some("redirect_uris"), "{:?}", faults[0]);
    }
    let faults = ask(Asker::Owner, [(Setting::LogoUri, "http://app.example/logo".into())]).unwrap_err();
    assert_eq!(client_setting::at_fault(faults[0].no), Some("logo_uri"));
    let all: Vec<No> = client_setting::of_owner().flat_map(|(_, field)| field.refusals).copied().collect();
    for (at, no) in all.iter().enumerate() {
        assert!(!all[..at].contains(no), "{no:?} is about two settings");
    }
}

/// A form has a line or several lines for a value, and no other kind of field.
#[test]
fn an_owner_can_type_the_value_of_every_setting_that_is_theirs() {
    for (row, field) in client_setting::of_owner() {
        assert!(matches!(row.form, Form::Text | Form::Texts), "{}", row.name);
        assert!(!field.label.is_empty() && field.hint.ends_with('.'), "{}", row.name);
    }
}

#[test]
fn a_grant_type_that_the_table_does_not_open_is_never_an_owner_s_to_give() {
    let policy = Policy { grants: GrantType::ALL.to_vec(), ..sample::policy() };
    let asked = |asker| Asked { asker, policy: &policy };
    for grant in GrantType::ALL {
        let named = |asker| named_grants(&[grant.as_str().to_owned()], ClientKind::Confidential, asked(asker));
        assert_eq!(named(Asker::Operator), Ok(vec![*grant]));
        let is_open = grant.row().is_open_to_self_registered;
        assert_eq!(named(Asker::Owner).is_ok(), is_open, "{}", grant.as_str());
    }
}

#[test]
fn a_value_of_another_form_is_refused() {
    for row in TABLE {
        let odd = match row.form {
            Form::Flag => Given::Seconds(1),
            _ => Given::Flag(true),
        };
        let faults = ask(Asker::Operator, [(row.setting, odd)]).unwrap_err();
        assert!(faults.contains(&Fault::with(row.setting, No::SettingMalformed, row.name)), "{}: {faults:?}", row.name);
    }
    let zero = ask(Asker::Operator, [(Setting::AccessTtl, Given::Seconds(0))]);
    assert_eq!(zero.unwrap_err()[0].no, No::SettingMalformed, "no lifetime is zero");
}

#[test]
fn a_secret_from_elsewhere_is_one_that_clients_can_send_rfc_6749_a_2() {
    let keep = |text: &str| imported_secret(&Secret::new(text), UnixTime(1), |_| "hash".to_owned());
    assert!(keep("hunter2hunter2").is_ok());
    assert_eq!(keep("short"), Err((No::SecretLength, "5".into())));
    assert_eq!(keep("geheim-mit-\u{fc}mlaut"), Err((No::SecretCharacter, "U+00FC `\u{fc}` at position 12".into())));
    assert_eq!(keep("secret\twith-a-tab"), Err((No::SecretCharacter, "U+0009 at position 7".into())));
}

#[test]
fn a_new_client_of_the_standard_surface_gets_the_least_that_fits_and_one_of_another_surface_all() {
    let all = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials];
    let name = (Setting::Name, Given::from("App"));
    let redirected = [name.clone(), (Setting::RedirectUris, [URI].into())];
    let web = registration_of(&Proposal::of(redirected.clone()), Asker::Operator).unwrap();
    assert_eq!(web.grants, all[..2]);
    let named = [name, (Setting::Grants, ["client_credentials"].into())];
    assert_eq!(registration_of(&Proposal::of(named), Asker::Operator).unwrap().grants, all[2..]);
    let elsewhere = Policy { dialect: "tinyemail".into(), ..sample::policy() };
    let asked = Asked { asker: Asker::Operator, policy: &elsewhere };
    assert_eq!(proposed(&Proposal::of(redirected), asked).unwrap().grants, elsewhere.grants);
}

/// Returns the text of a key set with these keys.
fn set(keys: &[Value]) -> Given {
    Given::Text(serde_json::json!({ "keys": keys }).to_string())
}

#[test]
fn public_keys_come_by_value_or_by_url_and_never_private_rfc_7591_2() {
    let signs = || (Setting::AuthMethods, ["private_key_jwt"].into());
    let (url, keys) = ("https://app.example/keys", signed::published().to_string());
    assert_eq!(no([signs()]), No::KeysMissing);
    let (by_url, by_value) = ((Setting::JwksUri, url.into()), (Setting::Jwks, Given::Text(keys.clone())));
    assert_eq!(no([signs(), by_url.clone(), by_value.clone()]), No::KeysTwice);
    let client = ask(Asker::Operator, [signs(), by_url]).unwrap();
    assert_eq!((client.jwks_uri.as_deref(), &client.jwks), (Some(url), &None));
    let policy = sample::policy();
    let asked = Asked { asker: Asker::Operator, policy: &policy };
    let client = changed(&client, &Proposal::of([by_value]), asked).unwrap();
    assert!(client.jwks_uri.is_none() && client.jwks.is_some(), "the later one takes the place of the earlier one");
    let none = changed(&client, &Proposal::of([(Setting::Jwks, "".into())]), asked);
    assert_eq!(none.unwrap_err()[0].no, No::KeysMissing);
    let basic = Proposal::of([(Setting::Jwks, "".into()), (Setting::AuthMethods, ["client_secret_basic"].into())]);
    assert!(changed(&client, &basic, asked).unwrap().jwks.is_none());

    let published = signed::published()["keys"].clone();
    for (member, value) in [("d", "AQAB"), ("p", "AQAB"), ("k", "AQAB")] {
        let mut key = published[2].clone();
        key[member] = value.into();
        assert_eq!(no([signs(), (Setting::Jwks, set(&[published[0].clone(), key]))]), No::KeysMalformed, "{member}");
    }
    for text in ["{}", "no JSON", "[]", r#"{"keys":[]}"#, &format!("{keys}{}", " ".repeat(16 * 1024))] {
        assert_eq!(no([signs(), (Setting::Jwks, text.into())]), No::KeysMalformed, "{text:.20}");
    }
    assert_eq!(no([signs(), (Setting::JwksUri, "http://app.example/keys".into())]), No::KeysUriMalformed);
}

#[test]
fn a_surface_registers_what_its_endpoints_can_serve() {
    let policy = Policy { assertion_endpoints: vec![], is_par_offered: false, ..sample::policy() };
    let asked = Asked { asker: Asker::Operator, policy: &policy };
    for (setting, given, expected) in [
        (Setting::AuthMethods, ["client_secret_jwt"].into(), No::AuthMethodNotOffered),
        (Setting::RequirePar, Given::Flag(true), No::ParNotOffered),
    ] {
        assert_eq!(proposed(&proposal([(setting, given)]), asked).unwrap_err()[0].no, expected);
    }
}

#[test]
fn a_client_that_no_longer_makes_macs_keeps_no_text_of_a_secret() {
    let sealed = crate::model::SealedSecret { of: Digest::of(b"x"), sealed: "sealed".into() };
    let methods = vec![AuthMethod::ClientSecretJwt];
    let client = Client { auth_methods: methods, sealed_secrets: vec![sealed], ..sample::client() };
    let policy = sample::policy();
    let asked = Asked { asker: Asker::Operator, policy: &policy };
    let named = changed(&client, &Proposal::of([(Setting::Name, "Other".into())]), asked).unwrap();
    assert_eq!(named.sealed_secrets.len(), 1);
    let basic = Proposal::of([(Setting::AuthMethods, ["client_secret_basic"].into())]);
    assert!(changed(&client, &basic, asked).unwrap().sealed_secrets.is_empty());
    let grants = (Setting::Grants, ["authorization_code"].into());
    let public = Proposal::of([(Setting::Kind, "public".into()), grants]);
    assert!(changed(&client, &public, asked).unwrap().sealed_secrets.is_empty());
}
