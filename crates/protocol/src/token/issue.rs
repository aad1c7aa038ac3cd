//! A grant becomes tokens. The only place where access and refresh tokens are made.

use std::sync::Arc;

use crate::crypto::keys::{Minted, Spelling, TokenKind};
use crate::line::{Rely, Turn, Write};
use crate::line::{Reply, ReplyKind};
use crate::model::{
    Access, AccessId, Client, ClientKind, EventKind, Grant, GrantId, GrantType, Refresh, RefreshMode, User,
};
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::resource::userinfo::{self, Reach};
use crate::resource_indicator;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::wire::{Field, Fields, Param, Params};

/// The number of a grant's first refresh token. Rows from before tokens were counted have 0.
const FIRST_GENERATION: u32 = 1;

/// What an access token will say.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// To whom it is issued.
    pub client: &'a Arc<Client>,
    /// On whose behalf.
    pub user: Option<&'a Arc<User>>,
    /// The grant that it comes of.
    pub grant: Option<GrantId>,
    /// What it allows.
    pub scope: &'a Scope,
    /// For which resources.
    pub audience: &'a [String],
    /// The grant with which it began, where its tokens may have a spelling of their own.
    pub begun_by: Option<GrantType>,
}

impl Subject<'_> {
    /// How its access and refresh tokens are written.
    fn spellings<'p>(&self, policy: &'p Policy) -> (&'p Spelling, &'p Spelling) {
        match self.begun_by {
            Some(grant) => policy.spellings_of(grant),
            None => (&policy.access.spelling, &policy.refresh.spelling),
        }
    }

    /// The refresh token number `generation` of the grant with this id.
    pub(crate) fn mint_refresh(&self, id: GrantId, generation: u32, turn: &mut Turn<'_>) -> Minted {
        let (_, spelling) = self.spellings(turn.policy);
        turn.keys.mint_refresh(id.0, generation, spelling, &mut turn.entropy)
    }
}

/// Issues an access token, relying on the rows that let it.
pub fn access(subject: &Subject<'_>, turn: &mut Turn<'_>) -> (Minted, UnixTime) {
    let (spelling, _) = subject.spellings(turn.policy);
    let minted = turn.keys.mint(TokenKind::Access, spelling, &mut turn.entropy);
    let ttl_s = subject.client.access_ttl_s.or(turn.policy.access.ttl_s);
    let expires_at = ttl_s.map_or(UnixTime::NEVER, |ttl_s| turn.now.plus(ttl_s));
    turn.rely(Rely::Client(subject.client.key, subject.client.version));
    if let Some(user) = subject.user {
        turn.rely_on(user);
    }
    turn.write(Write::PutAccess(Box::new(Access {
        id: AccessId(minted.id),
        digest: minted.digest,
        client: subject.client.key,
        user: subject.user.map(|user| user.key),
        grant: subject.grant,
        scope: subject.scope.clone(),
        audience: subject.audience.to_vec(),
        issued_at: turn.now,
        expires_at,
    })));
    (minted, expires_at)
}

/// Does this client get refresh tokens, and how do they behave?
#[must_use]
pub fn refresh_mode(client: &Client, turn: &Turn<'_>) -> RefreshMode {
    let grant = GrantType::RefreshToken;
    if !client.grants.contains(&grant) || !turn.policy.grants.contains(&grant) {
        return RefreshMode::None;
    }
    match (client.kind, client.refresh) {
        // RFC 9700 §2.2.2: "Refresh tokens for public clients MUST be sender-constrained or use refresh token rotation".
        (ClientKind::Public, RefreshMode::Reuse) => RefreshMode::Rotate,
        (_, mode) => mode,
    }
}

/// Until when a refresh token of a grant may lie idle when it is used now: never past the grant's absolute end.
#[must_use]
pub fn refresh_idle_until(client: &Client, began_at: UnixTime, turn: &Turn<'_>) -> UnixTime {
    let idle_s = client.refresh_ttl_s.or(turn.policy.refresh.ttl_s);
    let idle = idle_s.map_or(UnixTime::NEVER, |idle_s| turn.now.plus(idle_s));
    let absolute = turn.policy.refresh_absolute_ttl_s.map_or(UnixTime::NEVER, |ttl_s| began_at.plus(ttl_s));
    idle.min(absolute)
}

/// How a grant begins.
#[derive(Clone, Debug)]
pub struct Beginning<'a> {
    /// The grant's id.
    pub id: GrantId,
    /// What its first access token is for, which may be fewer resources than the grant is for.
    pub access_audience: &'a [String],
    /// When the user was authenticated.
    pub auth_time: UnixTime,
    /// May it have a refresh token, if the client gets one?
    pub may_refresh: bool,
}

impl<'a> Beginning<'a> {
    /// A grant whose user was authenticated in this very turn.
    #[must_use]
    pub fn now(access_audience: &'a [String], turn: &mut Turn<'_>) -> Self {
        Self { id: GrantId(turn.entropy.next_id()), access_audience, auth_time: turn.now, may_refresh: true }
    }
}

/// Begins a grant of `subject`: its row, its refresh token if there is to be one, and its first access token.
pub fn begin(beginning: &Beginning<'_>, subject: &Subject<'_>, turn: &mut Turn<'_>) -> Reply {
    let &Beginning { id, access_audience, auth_time, may_refresh } = beginning;
    let user = subject.user.expect("a grant is a user's; its callers have one");
    let (minted, access_expires_at) =
        access(&Subject { grant: Some(id), audience: access_audience, ..subject.clone() }, turn);
    let may_refresh = may_refresh && subject.begun_by.is_none_or(|grant| grant.row().gives_refresh_token);
    let refresh = (may_refresh && refresh_mode(subject.client, turn) != RefreshMode::None).then(|| {
        let idle_until = refresh_idle_until(subject.client, turn.now, turn);
        (subject.mint_refresh(id, FIRST_GENERATION, turn), idle_until)
    });
    turn.write(Write::PutGrant(Box::new(Grant {
        id,
        user: user.key,
        client: subject.client.key,
        scope: subject.scope.clone(),
        audience: subject.audience.to_vec(),
        auth_time,
        created_at: turn.now,
        expires_at: refresh.as_ref().map_or(access_expires_at, |(_, idle_until)| access_expires_at.max(*idle_until)),
        refresh: refresh.as_ref().map(|(minted, idle_until)| Refresh {
            current: minted.digest,
            previous: None,
            answer: None,
            generation: FIRST_GENERATION,
            idle_until: *idle_until,
        }),
        is_revoked: false,
    })));
    turn.note(EventKind::GrantBegun, Some(user.key), Some(subject.client.key), subject.scope.as_str());
    reply(&minted.text, access_expires_at, refresh.as_ref().map(|(minted, _)| &minted.text), subject, turn)
}

/// The members of a token answer, RFC 6749 §5.1.
#[must_use]
pub fn reply(
    access: &Secret,
    expires_at: UnixTime,
    refresh: Option<&Secret>,
    subject: &Subject<'_>,
    turn: &Turn<'_>,
) -> Reply {
    let lives_s = (expires_at != UnixTime::NEVER).then(|| turn.now.seconds_until(expires_at));
    let fields = Fields::new()
        .with(Field::AccessToken, access.reveal())
        .with_some(Field::ExpiresIn, lives_s)
        .with_some(Field::ExpiresAt, lives_s.map(|_| expires_at.0))
        .with_some(Field::RefreshToken, refresh.map(Secret::reveal))
        .with(Field::Scope, subject.scope.as_str());
    // A surface whose answers say nothing about the user should not pay for it with every token.
    let user = subject.user.filter(|_| turn.policy.is_user_in_token_reply);
    let user = user.map(|user| userinfo::claims(user, &Reach::new(subject.scope, &turn.policy.scope, turn.policy)));
    Reply::new(ReplyKind::Token, fields.with_some(Field::User, user))
}

/// Reads and checks the scope of a request of this client.
///
/// # Errors
/// [`No::ScopeUnknown`] or [`No::ScopeNotAllowed`].
pub fn requested_scope(params: &Params, client: &Client, turn: &Turn<'_>) -> Result<Scope, Refusal> {
    let policy = &turn.policy.scope;
    let asked = match params.value(Param::Scope) {
        Some(text) => Scope::parse(text).map_err(|_| Refusal::of(No::ScopeUnknown, Param::Scope))?,
        None => Scope::default(),
    };
    if asked.is_empty() {
        // RFC 6749 §3.3: "If the client omits the scope parameter when requesting authorization, the authorization
        // server MUST either process the request using a pre-defined default value or fail the request".
        let allowed = policy.of_client(client);
        let default = policy.default.intersection(&policy.closure(&allowed));
        return Ok(if policy.default.is_empty() { allowed } else { default });
    }
    if asked.iter().any(|word| policy.sentence(word).is_none()) {
        return Err(Refusal::of(No::ScopeUnknown, Param::Scope));
    }
    if !asked.is_within(&policy.closure(&policy.of_client(client))) {
        return Err(Refusal::of(No::ScopeNotAllowed, Param::Scope));
    }
    Ok(asked)
}

/// Reads and checks the resources of an authorization or client_credentials request, RFC 8707 §2.
///
/// # Errors
/// [`No::ResourceUnknown`].
pub fn requested_resources(params: &Params, turn: &Turn<'_>) -> Result<Vec<String>, Refusal> {
    // RFC 8707 §2: "If the client omits the resource parameter […] the authorization server SHOULD process the request
    // with no specific resource or by using a pre-defined default resource value"; an unknown one is "invalid_target".
    let mut resources = Vec::new();
    for asked in params.values(Param::Resource) {
        let refused = Refusal::of(No::ResourceUnknown, Param::Resource);
        add(&mut resources, known_resource(asked, turn.policy).ok_or_else(|| refused.with_value(asked))?);
    }
    Ok(resources)
}

/// The configured spelling of a resource. This server is a resource itself: its userinfo.
fn known_resource<'p>(asked: &str, policy: &'p Policy) -> Option<&'p str> {
    resource_indicator::find(std::iter::once(&policy.issuer).chain(&policy.resources).map(String::as_str), asked)
}

/// Narrows a grant's resources to those that a token request names, RFC 8707 §2.2. A grant that names none is good at
/// every resource, so that to name one narrows it.
///
/// # Errors
/// [`No::ResourceNotGranted`], also when the surface no longer has any of the grant's resources.
pub fn narrowed_resources(params: &Params, granted: &[String], turn: &Turn<'_>) -> Result<Vec<String>, Refusal> {
    let not_granted = Refusal::of(No::ResourceNotGranted, Param::Resource);
    let mut resources = Vec::new();
    for asked in params.values(Param::Resource) {
        let known = known_resource(asked, turn.policy);
        let known = known.filter(|known| granted.is_empty() || resource_indicator::is_among(granted, known));
        add(&mut resources, known.ok_or_else(|| not_granted.with_value(asked))?);
    }
    if !resources.is_empty() {
        return Ok(resources);
    }
    for resource in granted {
        if let Some(known) = known_resource(resource, turn.policy) {
            add(&mut resources, known);
        }
    }
    // To lose all its resources must not make a token that is good everywhere.
    if resources.is_empty() && !granted.is_empty() { Err(not_granted) } else { Ok(resources) }
}

fn add(resources: &mut Vec<String>, resource: &str) {
    if !resources.iter().any(|own| own == resource) {
        resources.push(resource.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UserKey;
    use crate::sample::{self, World};

    fn params(param: Param, values: &[&str]) -> Params {
        let mut params = Params::default();
        for value in values {
            params.push(param, (*value).to_owned()).unwrap();
        }
        params
    }

    /// RFC 3986 §6.2: "URIs […] compared for equivalence".
    #[test]
    fn a_resource_is_known_in_every_spelling_and_answered_in_the_configured_one_rfc_8707_2() {
        let world = World::new();
        let asked = |values: &[&str]| requested_resources(&params(Param::Resource, values), &world.turn());
        for spelling in ["https://api.example", "HTTPS://API.example:443/", "https://api.example/."] {
            assert_eq!(
                asked(&[spelling, "https://api.example/"]),
                Ok(vec!["https://api.example/".to_owned()]),
                "{spelling}"
            );
        }
        assert_eq!(asked(&["https://AUTH.example/"]), Ok(vec!["https://auth.example".to_owned()]));
        let refusal = asked(&["https://api.example/v2"]).unwrap_err();
        let text = "The resource https://api.example/v2 is unknown, malformed, or not part of the grant.";
        assert_eq!((refusal.no, refusal.text().as_str()), (No::ResourceUnknown, text));
    }

    #[test]
    fn a_grant_is_narrowed_by_any_spelling_rfc_8707_2_2() {
        let world = World::new();
        let granted = ["https://api.example".to_owned()];
        let narrowed = |values: &[&str]| narrowed_resources(&params(Param::Resource, values), &granted, &world.turn());
        assert_eq!(narrowed(&["https://API.example"]), Ok(vec!["https://api.example/".to_owned()]));
        assert_eq!(narrowed(&[]), Ok(vec!["https://api.example/".to_owned()]));
        assert_eq!(narrowed(&["https://files.example/"]).unwrap_err().no, No::ResourceNotGranted);
    }

    #[test]
    fn an_application_of_somebodys_own_cannot_ask_for_what_only_the_operator_gives_asvs_10_4_11() {
        let mut world = World::new();
        world.policy.scope.operator_only = Scope::of(["admin"]);
        world.policy.scope.implies.push(("links:write".into(), Scope::of(["admin"])));
        let all = Scope::of(["profile", "links:write", "admin"]);
        let own = Client { owner: Some(UserKey(1)), scope: all.clone(), ..sample::client() };
        let asked =
            |client: &Client, values: &[&str]| requested_scope(&params(Param::Scope, values), client, &world.turn());
        assert_eq!(asked(&own, &[]).unwrap().as_str(), "profile");
        for word in ["admin", "links:write", "profile admin"] {
            assert_eq!(asked(&own, &[word]).unwrap_err().no, No::ScopeNotAllowed, "{word}");
        }
        let given = Client { operator_scope: Scope::of(["links:write"]), ..own };
        assert_eq!(asked(&given, &["links:write"]).unwrap().as_str(), "links:write");
        assert_eq!(asked(&Client { owner: None, ..given }, &[]), Ok(all));
    }
}
