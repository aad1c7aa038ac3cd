//! Rows for the tests, and functions that show the whole content of a store.

use std::sync::Arc;

use protocol::jose::Algorithm;
use protocol::line::{AccountKey, Changes, Facts, Key, Row, Wants, Write};
use protocol::model::{
    Access, AccessId, Amr, AssertionAudience, Attempts, AuthMethod, Authorization, Checked, Circumstances, Client,
    ClientKey, ClientKind, Code, CodeId, Consent, Event, EventKind, Grant, GrantId, GrantType, Identity, IdentityName,
    Job, JobId, Permission, Personal, PersonalId, Pkce, Refresh, RefreshMode, SealKey, SealedSecret, Session,
    SessionId, SigningKey, Ticket, TicketId, User, UserKey, WithOwners,
};
use protocol::person::attempt::Attempt;
use protocol::person::counters::account_attempts_key;
use protocol::scope::Scope;
use protocol::secret::Digest;
use protocol::time::UnixTime;

use crate::{CommitError, EventFilter, JobFilter, Query, Store};

/// The time of every test.
pub(crate) const NOW: UnixTime = UnixTime(1_000_000);
/// Greatest id of the rows in tests.
pub(crate) const IDS: i64 = 4;

pub(crate) fn later(seconds: u64) -> UnixTime {
    NOW.plus(seconds)
}

pub(crate) fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

pub(crate) fn client(key: i64) -> Client {
    Client {
        key: ClientKey(key),
        client_id: format!("client-{key}"),
        dialect: "standard".to_owned(),
        name: format!("Client {key}"),
        publisher: None,
        homepage: Some("https://client.example/".to_owned()),
        privacy_policy: Some("https://client.example/privacy".to_owned()),
        terms: None,
        logo_uri: None,
        kind: ClientKind::Confidential,
        auth_methods: vec![AuthMethod::ClientSecretBasic, AuthMethod::PrivateKeyJwt],
        jwks: Some(serde_json::json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "ü"}]})),
        jwks_uri: None,
        assertion_audience: AssertionAudience::Endpoint,
        sealed_secrets: vec![SealedSecret { of: digest("secret"), sealed: "sealed".to_owned() }],
        secrets: Vec::new(),
        redirect_uris: vec!["https://client.example/cb?a=1".to_owned()],
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scope: Scope::of(["profile", "email"]),
        operator_scope: Scope::of(["email"]),
        audience: Vec::new(),
        pkce: Pkce::Required,
        is_par_required: true,
        is_signature_required: true,
        refresh: RefreshMode::Rotate,
        access_ttl_s: Some(60),
        id_token_alg: Some(Algorithm::Es256),
        refresh_ttl_s: None,
        is_first_party: false,
        introspection: None,
        accounts_api: None,
        owner: None,
        checked: Some(Checked { at: NOW, by: "root (uid 0)".to_owned() }),
        is_disabled: false,
        revoked_below: 0,
        created_at: NOW,
        version: 1,
        rest: serde_json::Map::new(),
    }
}

pub(crate) fn user(key: i64) -> User {
    let attributes = serde_json::from_str(r#"{"z":{"used":2},"a":[1,"ü"]}"#).expect("this is an object");
    User {
        key: UserKey(key),
        sub: format!("sub-{key}"),
        username: Some(format!("User{key}")),
        email: Some(format!("User{key}@Example.com")),
        email_verified: true,
        email_hint: Some("hint@example.com".to_owned()),
        updated_at: Some(later(3)),
        name: format!("User Ünïcode {key}"),
        password: None,
        totp: None,
        attributes,
        is_disabled: false,
        revoked_below: 0,
        created_at: NOW,
        version: 1,
        rest: serde_json::Map::new(),
    }
}

pub(crate) fn session(id: i64, user: i64) -> Session {
    Session {
        id: SessionId(id),
        digest: digest("session"),
        user: UserKey(user),
        amr: vec![Amr::Pwd, Amr::Otp],
        auth_time: NOW,
        created_at: NOW,
        seen_at: NOW,
        idle_until: later(100),
        expires_at: later(1_000),
        address: "2001:db8::1".to_owned(),
        agent: "A browser \"quoted\"".to_owned(),
    }
}

pub(crate) fn consent(user: i64, client: i64) -> Consent {
    Consent {
        id: 100 * user + client,
        user: UserKey(user),
        client: ClientKey(client),
        permission: Permission { scope: Scope::of(["profile"]), audience: vec!["https://api.example/".to_owned()] },
        given_at: NOW,
        renewed_at: later(1),
    }
}

/// The identity of a user at an upstream identity provider.
pub(crate) fn identity_name(subject: i64) -> IdentityName {
    IdentityName { issuer: "https://issuer.example".to_owned(), subject: format!("subject-{subject}") }
}

/// Marks a token as used. The row is kept for `ttl_s` seconds.
pub(crate) fn burn(jti: &str, ttl_s: u64) -> Write {
    Write::BurnJti { jti: digest(jti), until: later(ttl_s) }
}

pub(crate) fn identity(subject: i64, user: i64) -> Identity {
    Identity { name: identity_name(subject), user: UserKey(user), linked_at: NOW }
}

/// What a user authorized a client to do. It has a member that only a newer version knows.
pub(crate) fn authorization(user: i64, client: i64) -> Authorization {
    let rest = serde_json::from_str(r#"{"newer":{"z":[1,"ü"],"a":null}}"#).expect("this is an object");
    Authorization {
        user: UserKey(user),
        client: ClientKey(client),
        permission: Permission { scope: Scope::of(["profile"]), audience: vec!["https://api.example".to_owned()] },
        auth_time: NOW,
        circumstances: Circumstances {
            session: Some(SessionId(1)),
            amr: vec![Amr::Pwd, Amr::Otp],
            rest,
            ..Circumstances::of(GrantType::AuthorizationCode)
        },
    }
}

/// A code for the grant with the same id.
pub(crate) fn code(id: i64, user: i64, client: i64) -> Code {
    Code {
        id: CodeId(id),
        digest: digest("code"),
        grant: GrantId(id),
        authorization: Authorization {
            permission: Permission {
                scope: Scope::of(["profile", "email"]),
                audience: vec!["https://api.example".to_owned(), "https://b.example".to_owned()],
            },
            ..authorization(user, client)
        },
        redirect_uri: "https://client.example/cb".to_owned(),
        is_redirect_uri_named: true,
        challenge: Some(digest("verifier")),
        issued_at: NOW,
        expires_at: later(60),
        is_spent: false,
    }
}

pub(crate) fn refresh(current: &str) -> Refresh {
    Refresh { current: digest(current), previous: None, answer: None, idle_until: later(500), generation: 3 }
}

pub(crate) fn grant(id: i64, user: i64, client: i64) -> Grant {
    Grant {
        id: GrantId(id),
        authorization: authorization(user, client),
        created_at: NOW,
        expires_at: later(1_000),
        refresh: Some(refresh("first")),
        is_revoked: false,
    }
}

/// An access token of the grant with the same id.
pub(crate) fn access(id: i64, user: i64, client: i64) -> Access {
    Access {
        id: AccessId(id),
        digest: digest("access"),
        client: ClientKey(client),
        user: Some(UserKey(user)),
        grant: Some(GrantId(id)),
        permission: Permission { scope: Scope::of(["profile"]), audience: vec!["https://api.example".to_owned()] },
        issued_at: NOW,
        expires_at: later(300),
    }
}

/// An access token for the client itself.
pub(crate) fn own_access(id: i64, client: i64) -> Access {
    let permission = Permission { audience: Vec::new(), ..access(id, 0, client).permission };
    Access { user: None, grant: None, permission, ..access(id, 0, client) }
}

pub(crate) fn personal(id: i64, user: i64) -> Personal {
    Personal {
        id: PersonalId(id),
        digest: digest("personal"),
        user: UserKey(user),
        dialect: "paced".to_owned(),
        name: "ci".to_owned(),
        scope: Scope::default(),
        is_by_operator: false,
        created_at: NOW,
        expires_at: UnixTime::NEVER,
        used_at: None,
    }
}

/// A ticket of a kind that the tests know, with a member that only a newer version knows.
pub(crate) fn ticket(id: i64, user: i64, client: i64) -> Ticket {
    let document = serde_json::json!({"team": "blue", "newer": {"z": [1, "ü"], "a": null}});
    Ticket {
        id: TicketId(id),
        kind: "invitation".to_owned(),
        digest: digest("ticket"),
        user: Some(UserKey(user)),
        client: Some(ClientKey(client)),
        expires_at: later(50),
        is_spent: false,
        version: 1,
        document: document.as_object().expect("it is an object").clone(),
    }
}

pub(crate) fn event(detail: &str, user: Option<i64>) -> Event {
    Event {
        at: NOW,
        kind: EventKind::SignedIn,
        user: user.map(UserKey),
        client: Some(ClientKey(1)),
        address: "192.0.2.1".to_owned(),
        detail: detail.to_owned(),
        actor: user.is_none().then(|| "root (0)".to_owned()),
    }
}

/// The kinds of jobs that the workers of the tests claim.
pub(crate) const JOB_KINDS: &[&str] = &["mail"];

pub(crate) fn job(id: i64) -> Job {
    let document = serde_json::json!({"to": "user1@example.com", "unknown": [1, null]});
    Job::new(JobId(id), "mail", document.as_object().expect("it is an object").clone(), NOW)
}

pub(crate) fn seal_key(number: u32) -> SealKey {
    SealKey { number, created_at: NOW }
}

pub(crate) fn signing_key(number: u32) -> SigningKey {
    SigningKey {
        number,
        version: 1,
        algorithm: "ES256".to_owned(),
        kid: format!("kid-{number}"),
        sealed: format!("sealed-{number}"),
        created_at: NOW,
        active_at: None,
        retired_at: None,
    }
}

/// Adds two clients, two users, and one row of each other kind for client 1 and user 1, all with id 1.
pub(crate) async fn furnish(store: &dyn Store) {
    let changes = vec![
        Write::PutClient(Box::new(client(1))),
        Write::PutClient(Box::new(client(2))),
        Write::PutUser(Box::new(user(1))),
        Write::PutUser(Box::new(user(2))),
        Write::PutSession(Box::new(session(1, 1))),
        Write::PutIdentity(identity(1, 1)),
        Write::PutConsent(consent(1, 1)),
        Write::PutCode(Box::new(code(1, 1, 1))),
        Write::PutGrant(Box::new(grant(1, 1, 1))),
        Write::PutAccess(Box::new(access(1, 1, 1))),
        Write::PutPersonal(Box::new(personal(1, 1))),
        Write::PutSealKey(seal_key(7)),
        Write::PutSigningKey(Box::new(signing_key(7))),
        Write::Enqueue(Box::new(job(1))),
        Write::Note(event("first", Some(1))),
    ];
    store.commit(changes.into()).await.expect("an empty store takes everything");
}

/// Wants every row with this id. The account is that of the session.
pub(crate) fn wants(id: i64) -> Wants {
    wants_of(id, [AccountKey::Session(SessionId(id))], &format!("client-{id}"))
}

/// Wants every row with this id. The account is that of `account`, the consent is for `client_id`.
fn wants_of(id: i64, account: impl IntoIterator<Item = AccountKey>, client_id: &str) -> Wants {
    let mut wants = Wants::of([
        Key::Client(client_id.to_owned()),
        Key::Code(CodeId(id)),
        Key::Grant(GrantId(id)),
        Key::GrantOf(AccessId(id)),
        Key::Access(AccessId(id)),
        Key::Personal(PersonalId(id)),
        Key::Session(SessionId(id)),
        Key::Ticket(TicketId(id)),
        Key::Sub(format!("sub-{id}")),
        Key::UsedJti(digest("jti")),
        Key::Failures(digest("address")),
        Key::Failures(digest("clients")),
        Key::Consent(client_id.to_owned()),
        Key::OwnedCounts,
    ]);
    wants.account(account);
    wants.attempt(Attempt::from_address("192.0.2.1"));
    wants
}

/// The rows that [`wants`] names.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) client: Option<Arc<Client>>,
    pub(crate) code: Option<WithOwners<Code>>,
    pub(crate) grant: Option<WithOwners<Grant>>,
    pub(crate) access: Option<WithOwners<Access>>,
    pub(crate) personal: Option<WithOwners<Personal>>,
    pub(crate) session: Option<WithOwners<Session>>,
    pub(crate) ticket: Option<WithOwners<Ticket>>,
    pub(crate) subject: Option<Arc<User>>,
    pub(crate) is_jti_used: bool,
    pub(crate) address_attempts: Option<Attempts>,
    pub(crate) consent: Option<Consent>,
    /// All rows that were found.
    pub(crate) facts: Facts,
}

pub(crate) async fn facts(store: &dyn Store, id: i64) -> Found {
    let facts = store.load(wants(id)).await.expect("the store can be read");
    let client_id = format!("client-{id}");
    Found {
        client: facts.client(&client_id).cloned(),
        code: code_in(&facts, id),
        grant: facts.grant_row(GrantId(id)).cloned(),
        access: access_in(&facts, id),
        personal: facts.personal_row(PersonalId(id)).cloned(),
        session: match facts.row(&Key::Session(SessionId(id))) {
            Some(Row::Session(held)) => Some(held.clone()),
            _ => None,
        },
        ticket: ticket_in(&facts, id),
        subject: facts.subject(&format!("sub-{id}")).cloned(),
        is_jti_used: facts.is_jti_used(digest("jti")),
        address_attempts: facts.failures(digest("address")),
        consent: facts.consent(&client_id).cloned(),
        facts,
    }
}

/// Returns the code with this id, whatever its digest is.
pub(crate) fn code_in(facts: &Facts, id: i64) -> Option<WithOwners<Code>> {
    match facts.row(&Key::Code(CodeId(id))) {
        Some(Row::Code(held)) => Some((**held).clone()),
        _ => None,
    }
}

/// The ticket in this row, whatever its digest is.
pub(crate) fn ticket_in(facts: &Facts, id: i64) -> Option<WithOwners<Ticket>> {
    match facts.row(&Key::Ticket(TicketId(id))) {
        Some(Row::Ticket(held)) => Some((**held).clone()),
        _ => None,
    }
}

/// Returns the access token with this id, whatever its digest is.
pub(crate) fn access_in(facts: &Facts, id: i64) -> Option<WithOwners<Access>> {
    match facts.row(&Key::Access(AccessId(id))) {
        Some(Row::Access(held)) => Some(held.clone()),
        _ => None,
    }
}

/// Loads the row of one key.
pub(crate) async fn load(store: &dyn Store, key: Key) -> Facts {
    store.load(Wants::of([key])).await.expect("the store can be read")
}

/// Returns the user who signs in by this name.
pub(crate) async fn login(store: &dyn Store, typed: &str) -> Option<Arc<User>> {
    load(store, Key::Login(typed.to_owned())).await.login(typed).cloned()
}

/// Returns the failed attempts of a counter.
pub(crate) async fn failures(store: &dyn Store, counter: Digest) -> Option<Attempts> {
    load(store, Key::Failures(counter)).await.failures(counter)
}

pub(crate) async fn commit(store: &dyn Store, changes: impl Into<Changes>) {
    store.commit(changes.into()).await.expect("nothing stands against these changes");
}

/// Returns events without their ids, which differ between stores.
pub(crate) async fn events(store: &dyn Store, filter: EventFilter) -> Vec<Event> {
    let found = store.events(filter).await.expect("the store can be read");
    found.into_iter().map(|noted| noted.event).collect()
}

/// Returns everything that queries can show of a store, as text.
pub(crate) async fn everything(store: &dyn Store) -> String {
    let mut text = String::new();
    let mut add = |what: &dyn std::fmt::Debug| text.push_str(&format!("{what:#?}\n"));
    for id in 0..=IDS {
        add(&facts(store, id).await);
        let login = AccountKey::Login(format!(" USER{id} "));
        add(&store.load(wants_of(id, [login.clone()], "client-1")).await);
        let identity = AccountKey::Identity(identity_name(id));
        add(&store.load(wants_of(id, [identity, login], "client-1")).await);
        add(&failures(store, account_attempts_key(Some(UserKey(id)), "")).await);
        let (user, client) = (UserKey(id), ClientKey(id));
        for query in [
            Query::Client(client),
            Query::User(user),
            Query::Sessions(user),
            Query::Identities(user),
            Query::Applications { user, now: NOW },
            Query::Grants { user: Some(user), client: None, live_at: Some(NOW), rows_max: 2 },
            Query::Grants { user: None, client: Some(client), live_at: None, rows_max: 10 },
            Query::Grants { user: Some(user), client: Some(client), live_at: None, rows_max: 10 },
            Query::Connected { client, now: NOW, users_max: 3 },
            Query::Personals { user: Some(user) },
            Query::SecretUses(client),
            Query::Clients { owner: Some(user), after: None, rows_max: 10 },
        ] {
            add(&store.list(&query).await);
        }
        add(&events(store, EventFilter { user: Some(user), rows_max: 3, ..EventFilter::default() }).await);
    }
    for query in [
        Query::Clients { owner: None, after: None, rows_max: 10 },
        Query::Users { after: None, rows_max: 10 },
        Query::Grants { user: None, client: None, live_at: None, rows_max: 10 },
        Query::Personals { user: None },
        Query::SealKeys,
        Query::SigningKeys,
        Query::Jobs(JobFilter { rows_max: 99, ..JobFilter::default() }),
        Query::JobCounts,
    ] {
        add(&store.list(&query).await);
    }
    add(&events(store, EventFilter { rows_max: 100, ..EventFilter::default() }).await);
    add(&store.counts().await.expect("the store can be counted").rows);
    text
}

/// Commits changes that must be lost, alone and after other changes. Checks that nothing was written.
pub(crate) async fn must_lose(store: &dyn Store, change: impl Into<Changes>) {
    must_fail(store, change, CommitError::Lost).await;
}

/// As [`must_lose`], but with the given error.
pub(crate) async fn must_fail(store: &dyn Store, change: impl Into<Changes>, error: CommitError) {
    let change = change.into();
    let before = everything(store).await;
    assert_eq!(store.commit(change.clone()).await, Err(error.clone()), "{change:?}");
    let behind = Changes::from([
        Write::PutGrant(Box::new(grant(99, 1, 1))),
        Write::PutAccess(Box::new(access(99, 1, 1))),
        Write::PutTicket(Box::new(ticket(99, 1, 1))),
        Write::PutIdentity(identity(IDS, 1)),
        burn("behind", 5),
        Write::PutConsent(consent(2, 2)),
        Write::TouchSession { id: SessionId(1), seen_at: later(5), idle_until: later(5) },
        Write::TouchPersonal { id: PersonalId(1), used_at: later(5) },
        Write::TouchSecret { client: ClientKey(1), secret: digest("behind"), used_at: later(5) },
        Write::Note(event("never happened", None)),
    ])
    .with(change.clone());
    assert_eq!(store.commit(behind).await, Err(error), "behind others: {change:?}");
    assert_eq!(everything(store).await, before, "{change:?}");
}
