//! Issues access and refresh tokens from an authorization. No other file makes them.

use std::sync::Arc;

use crate::crypto::keys::{Minted, Spelling, TokenKind};
use crate::line::Reply;
use crate::line::{Rely, Turn, Write};
use crate::model::{
    Access, AccessId, Amr, Authorization, Circumstances, Client, ClientKind, EventKind, Grant, GrantId, GrantType,
    Permission, Refresh, RefreshMode, User,
};
use crate::openid::id_token;
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::resource::userinfo::{self, Reach};
use crate::resource_indicator;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::wire::{Field, Fields, Param, Params, ReplyKind};

/// Generation of a grant's first refresh token. Rows of versions without generations have 0.
const FIRST_GENERATION: u32 = 1;

/// For whom tokens are issued, and from which authorization.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The client that gets the tokens.
    pub client: &'a Arc<Client>,
    /// What the tokens are issued from; `None` for a client that acts for itself.
    pub granted: Option<Granted<'a>>,
    /// The grant type whose token spellings apply; `None` for the dialect's usual spellings.
    pub spelled_for: Option<GrantType>,
}

/// An authorization with the rows of its grant and its user.
#[derive(Clone, Copy, Debug)]
pub struct Granted<'a> {
    /// The grant.
    pub grant: GrantId,
    /// The user.
    pub user: &'a Arc<User>,
    /// What the user authorized.
    pub authorization: &'a Authorization,
    /// True if the grant begins in this turn.
    pub is_new: bool,
}

impl<'a> Source<'a> {
    fn user(&self) -> Option<&'a Arc<User>> {
        self.granted.map(|granted| granted.user)
    }

    /// The spellings of access and refresh tokens.
    fn spellings<'p>(&self, policy: &'p Policy) -> (&'p Spelling, &'p Spelling) {
        match self.spelled_for {
            Some(grant) => policy.spellings_of(grant),
            None => (&policy.access.spelling, &policy.refresh.spelling),
        }
    }

    /// Makes the refresh token number `generation` of the grant with this id.
    pub(crate) fn mint_refresh(&self, id: GrantId, generation: u32, turn: &mut Turn<'_>) -> Minted {
        let (_, spelling) = self.spellings(turn.policy);
        turn.keys.mint_refresh(id.0, generation, spelling, &mut turn.entropy)
    }
}

/// Issues an access token with this permission. Adds the preconditions that client and user are unchanged. Returns the
/// token and its expiry time.
pub fn access(source: &Source<'_>, permission: Permission, turn: &mut Turn<'_>) -> (Minted, UnixTime) {
    let client = source.client;
    let (spelling, _) = source.spellings(turn.policy);
    let minted = turn.keys.mint(TokenKind::Access, spelling, &mut turn.entropy);
    let ttl_s = client.access_ttl_s.or(turn.policy.access.ttl_s);
    let expires_at = ttl_s.map_or(UnixTime::NEVER, |ttl_s| turn.now.plus(ttl_s));
    turn.rely(Rely::Client(client.key, client.version));
    if let Some(user) = source.user() {
        turn.rely_on(user);
    }
    turn.write(Write::PutAccess(Box::new(Access {
        id: AccessId(minted.id),
        digest: minted.digest,
        client: client.key,
        user: source.user().map(|user| user.key),
        grant: source.granted.map(|granted| granted.grant),
        permission,
        issued_at: turn.now,
        expires_at,
    })));
    (minted, expires_at)
}

/// Returns how the refresh tokens of this client behave; [`RefreshMode::None`] if it gets none.
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

/// Returns when a refresh token that is used now expires unless it is used again: never later than the grant's absolute end.
#[must_use]
pub fn refresh_idle_until(client: &Client, began_at: UnixTime, turn: &Turn<'_>) -> UnixTime {
    let idle_s = client.refresh_ttl_s.or(turn.policy.refresh.ttl_s);
    let idle = idle_s.map_or(UnixTime::NEVER, |idle_s| turn.now.plus(idle_s));
    let absolute = turn.policy.refresh_absolute_ttl_s.map_or(UnixTime::NEVER, |ttl_s| began_at.plus(ttl_s));
    idle.min(absolute)
}

/// A grant that begins in this turn.
#[derive(Clone, Debug)]
pub struct NewGrant<'a> {
    /// The grant's id.
    pub id: GrantId,
    /// The row of the authorized client.
    pub client: &'a Arc<Client>,
    /// The row of the user who authorized it.
    pub user: &'a Arc<User>,
    /// What the user authorized.
    pub authorization: Authorization,
    /// The resources of the first access token, which may be fewer than those of the grant.
    pub access_audience: Vec<String>,
}

impl<'a> NewGrant<'a> {
    /// A grant of this permission by a user who authenticated in the current turn, by the methods `amr`.
    #[must_use]
    pub fn now(
        (client, user): (&'a Arc<Client>, &'a Arc<User>),
        permission: Permission,
        amr: Vec<Amr>,
        first_grant: GrantType,
        turn: &mut Turn<'_>,
    ) -> Self {
        let circumstances = Circumstances { amr, ..Circumstances::of(first_grant) };
        let access_audience = permission.audience.clone();
        let authorization =
            Authorization { user: user.key, client: client.key, permission, auth_time: turn.now, circumstances };
        let id = GrantId(turn.entropy.next_id());
        Self { id, client, user, authorization, access_audience }
    }
}

/// Begins a grant: its row, its first access token, and a refresh token if grant type and client allow one. Returns the token
/// answer.
pub fn begin(new: NewGrant<'_>, turn: &mut Turn<'_>) -> Reply {
    let NewGrant { id, client, user, authorization, access_audience } = new;
    let source = Source {
        client,
        granted: Some(Granted { grant: id, user, authorization: &authorization, is_new: true }),
        spelled_for: authorization.circumstances.first_grant,
    };
    let scope = &authorization.permission.scope;
    let permission = Permission { scope: scope.clone(), audience: access_audience };
    let (minted, access_expires_at) = access(&source, permission, turn);
    let may_refresh = source.spelled_for.is_some_and(|grant| grant.row().gives_refresh_token);
    let refresh = (may_refresh && refresh_mode(client, turn) != RefreshMode::None).then(|| {
        let idle_until = refresh_idle_until(client, turn.now, turn);
        (source.mint_refresh(id, FIRST_GENERATION, turn), idle_until)
    });
    let refresh_text = refresh.as_ref().map(|(minted, _)| &minted.text);
    let reply = reply((&minted.text, access_expires_at), refresh_text, scope, &source, turn);
    let detail = scope.as_str().to_owned();
    turn.write(Write::PutGrant(Box::new(Grant {
        id,
        authorization,
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
    turn.note(EventKind::GrantBegun, Some(user.key), Some(client.key), detail);
    reply
}

/// Returns the members of a token answer, RFC 6749 §5.1, and has the ID token signed if one belongs to it. `scope` is that
/// of the access token.
#[must_use]
pub fn reply(
    (access, expires_at): (&Secret, UnixTime),
    refresh: Option<&Secret>,
    scope: &Scope,
    source: &Source<'_>,
    turn: &mut Turn<'_>,
) -> Reply {
    let id_token = source.granted.and_then(|granted| {
        let Granted { user, authorization, is_new: is_first, .. } = granted;
        id_token::Subject { client: source.client, user, authorization, is_first }.id_token(access, scope, turn)
    });
    if let Some(id_token) = id_token {
        turn.sign(Field::IdToken, id_token);
    }
    let lives_s = (expires_at != UnixTime::NEVER).then(|| turn.now.seconds_until(expires_at));
    let fields = Fields::new()
        .with(Field::AccessToken, access.reveal())
        .with_some(Field::ExpiresIn, lives_s)
        .with_some(Field::ExpiresAt, lives_s.map(|_| expires_at.0))
        .with_some(Field::RefreshToken, refresh.map(Secret::reveal))
        .with(Field::Scope, scope.as_str());
    // Claims are computed only for surfaces whose token answers have them.
    let user = source.user().filter(|_| turn.policy.is_user_in_token_reply);
    let user = user.map(|user| userinfo::claims(user, &Reach::new(scope, &turn.policy.scope, turn.policy)));
    Reply::new(ReplyKind::Token, fields.with_some(Field::User, user))
}

/// Reads and checks what an authorization or token request asks for.
///
/// # Errors
/// Those of [`requested_scope`] and [`requested_resources`].
pub fn requested_permission(params: &Params, client: &Client, turn: &Turn<'_>) -> Result<Permission, Refusal> {
    let scope = requested_scope(params, client, turn)?;
    Ok(Permission { scope, audience: requested_resources(params, turn)? })
}

/// Reads and checks the scope of a request of this client.
///
/// # Errors
/// [`No::ScopeUnknown`] or [`No::ScopeNotAllowed`].
pub fn requested_scope(params: &Params, client: &Client, turn: &Turn<'_>) -> Result<Scope, Refusal> {
    let policy = &turn.policy.scope;
    let asked = match params.value(Param::Scope) {
        Some(text) => Scope::parse(text).map_err(|word| scope_refusal(No::ScopeUnknown, &word, client, turn))?,
        None => Scope::default(),
    };
    if asked.is_empty() {
        // RFC 6749 §3.3: "If the client omits the scope parameter when requesting authorization, the authorization
        // server MUST either process the request using a pre-defined default value or fail the request".
        return Ok(policy.unasked(client));
    }
    if let Some(unknown) = asked.iter().find(|word| policy.sentence(word).is_none()) {
        return Err(scope_refusal(No::ScopeUnknown, unknown, client, turn));
    }
    let allowed = policy.within_reach_of(client);
    if let Some(word) = asked.iter().find(|word| !allowed.contains(word)) {
        return Err(scope_refusal(No::ScopeNotAllowed, word, client, turn));
    }
    Ok(asked)
}

/// The refusal of a scope word, with the words that the client may ask for.
pub(super) fn scope_refusal(no: No, word: &str, client: &Client, turn: &Turn<'_>) -> Refusal {
    let allowed = turn.policy.scope.of_client(client);
    Refusal::of(no, Param::Scope).with_value(word).with_choices(allowed.iter())
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

/// Returns the configured spelling of a resource; `None` if it is not configured. The server itself is a resource too,
/// because of its userinfo endpoint.
fn known_resource<'p>(asked: &str, policy: &'p Policy) -> Option<&'p str> {
    resource_indicator::find(std::iter::once(&policy.issuer).chain(&policy.resources).map(String::as_str), asked)
}

/// Narrows a grant's resources to those that a token request names, RFC 8707 §2.2. A grant without resources is valid
/// at every resource, so naming one narrows it.
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
    // A token without resources is valid everywhere. A grant that lost all its resources must not get one.
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
