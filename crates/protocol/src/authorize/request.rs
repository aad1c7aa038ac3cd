//! The parameters of an authorization request: row 3 of the table in [`crate::authorize`]. Client and redirect URI are
//! verified by then, so errors are returned to the client.

use crate::line::Turn;
use crate::model::{Client, ClientKind, GrantType, Permission, Pkce};
use crate::openid::{self, ClaimsParameter, OFFLINE_ACCESS, OPENID, RequestedClaims, hint, narrow};
use crate::person::sign_in::Signed;
use crate::pkce;
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::scope::Scope;
use crate::secret::Digest;
use crate::token::issue;
use crate::wire::{Param, Params};

/// Maximum total size of the parameter values of an authorization request, in bytes. Every page of the sign-in carries
/// them.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// The words that `prompt` may have, OpenID Connect Core §3.1.2.1.
pub const PROMPTS: &[&str] = &["none", "login", "select_account", "consent"];

/// Maximum size of a `nonce`, in bytes. The code and the grant keep it.
const NONCE_BYTES_MAX: usize = 512;

/// A well-formed authorization request that the client may make.
pub(super) struct Request {
    pub(super) response_type: ResponseType,
    /// The requested scopes and resources.
    pub(super) permission: Permission,
    /// What the user is asked to allow: the permission, and the scopes of the claims that are requested one by one.
    pub(super) asked: Permission,
    /// The `nonce` of an authentication request.
    pub(super) nonce: Option<String>,
    /// The claims that are requested one by one, as far as the client may request them.
    pub(super) claims: RequestedClaims,
    /// The subjects of which one must be the user; `None` for every user.
    pub(super) subjects: Option<Vec<String>>,
    /// The authentication context classes of which one must be reached; `None` for any.
    pub(super) levels: Option<Vec<String>>,
    pub(super) challenge: Option<Digest>,
    /// `prompt=none`: the user must not be asked anything.
    pub(super) is_prompt_none: bool,
    /// `prompt=consent`: the user must be asked for consent.
    pub(super) is_prompt_consent: bool,
    pub(super) is_redirect_uri_named: bool,
}

/// The requested `response_type`, RFC 6749 §3.1.1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseType {
    /// `code`, RFC 6749 §4.1.1: an authorization code.
    Code,
    /// `token`, RFC 6749 §4.2.1: an access token at once, the implicit grant.
    Token,
}

impl ResponseType {
    pub(super) fn grant(self) -> GrantType {
        match self {
            Self::Code => GrantType::AuthorizationCode,
            Self::Token => GrantType::Implicit,
        }
    }

    /// Returns true if an answer of this type may travel by the `response_mode` named `mode`. OAuth 2.0 Multiple
    /// Response Types §2.1 and §5: a token "MUST NOT" travel in the query. A surface that returns tokens there anyway
    /// needs a waiver.
    fn may_travel(self, mode: &str, policy: &Policy) -> bool {
        match (self, mode) {
            (_, "form_post") | (Self::Code, "query") | (Self::Token, "fragment") => true,
            (Self::Token, "query") => policy.is_implicit_in_query,
            _ => false,
        }
    }
}

impl Request {
    pub(super) fn parse(params: &Params, client: &Client, turn: &Turn<'_>) -> Result<Self, Refusal> {
        check_parameters(params)?;
        let missing = Refusal::of(No::ParameterMissing, Param::ResponseType);
        let asked = params.value(Param::ResponseType).ok_or(missing)?;
        let response_type = match asked {
            "code" => Some(ResponseType::Code),
            "token" => Some(ResponseType::Token),
            _ => None,
        };
        let response_type = response_type.filter(|own| turn.policy.grants.contains(&own.grant())).ok_or_else(|| {
            let offered = words_of(&turn.policy.grants);
            Refusal::of(No::ResponseTypeUnknown, Param::ResponseType).with_value(asked).with_choices(offered)
        })?;
        if !client.grants.contains(&response_type.grant()) {
            let refusal = Refusal::of(No::ResponseTypeNotAllowed, Param::ResponseType).with_value(asked);
            let usable = client.grants.iter().filter(|own| turn.policy.grants.contains(own));
            return Err(refusal.with_choices(words_of(usable)));
        }
        let mode = params.value(Param::ResponseMode);
        if let Some(mode) = mode.filter(|mode| !response_type.may_travel(mode, turn.policy)) {
            let modes = ["query", "fragment", "form_post"];
            let usable = modes.into_iter().filter(|own| response_type.may_travel(own, turn.policy));
            let refusal = Refusal::of(No::ResponseModeUnknown, Param::ResponseMode).with_value(mode);
            return Err(refusal.with_choices(usable));
        }
        let mut permission = issue::requested_permission(params, client, turn)?;
        if response_type != ResponseType::Code {
            // OpenID Connect Core §11: the server "MUST ignore the offline_access request unless the Client is using a
            // response_type value that would result in an Authorization Code being returned".
            permission.scope = turn.policy.scope.without(permission.scope, &[OFFLINE_ACCESS]);
        }
        let authentication = Authentication::parse(params, &permission.scope, client, turn)?;
        let challenge = match response_type {
            ResponseType::Code => challenge(params, client, turn)?,
            // A PKCE challenge is bound to a code, and the implicit grant has none.
            ResponseType::Token => None,
        };
        let prompt = prompt(params.value(Param::Prompt))?;
        // `PendingVisit::demand` reads `prompt` and `max_age` for the sign-in. Here, malformed values are refused.
        if params.value(Param::MaxAge).is_some_and(|text| text.parse::<u64>().is_err()) {
            return Err(Refusal::of(No::ParameterMalformed, Param::MaxAge));
        }
        let Authentication { nonce, claims, subjects, levels } = authentication;
        let scope = permission.scope.union(&claims.scopes().intersection(&turn.policy.scope.offered()));
        Ok(Self {
            response_type,
            asked: Permission { scope, ..permission.clone() },
            permission,
            nonce,
            claims,
            subjects,
            levels,
            challenge,
            is_prompt_none: prompt.contains(&"none"),
            is_prompt_consent: prompt.contains(&"consent"),
            is_redirect_uri_named: params.value(Param::RedirectUri).is_some(),
        })
    }
}

impl Request {
    /// Checks that the user who is signed in is one whom the request asks for, and was authenticated as it demands.
    pub(super) fn check_user(&self, signed: &Signed) -> Result<(), No> {
        // OpenID Connect Core §3.1.2.2: "If the sub (subject) Claim is requested with a specific value for the ID Token, the
        // Authorization Server MUST only send a positive response if the End-User identified by that sub value has an active
        // session with the Authorization Server or has been Authenticated as a result of the request."
        if self.subjects.as_ref().is_some_and(|subjects| !subjects.contains(&signed.user.sub)) {
            return Err(No::OtherUserSignedIn);
        }
        // OpenID Connect Core §5.5.1.1: "If this is an Essential Claim and the requirement cannot be met, then the
        // Authorization Server MUST treat that outcome as a failed authentication attempt."
        let own = openid::level(&signed.session.amr);
        if self.levels.as_ref().is_some_and(|levels| !levels.iter().any(|level| Some(level.as_str()) == own)) {
            return Err(No::LevelNotReached);
        }
        Ok(())
    }
}

/// What OpenID Connect adds to an authorization request with the scope `openid`. Other requests have nothing of it.
#[derive(Default)]
struct Authentication {
    nonce: Option<String>,
    claims: RequestedClaims,
    subjects: Option<Vec<String>>,
    levels: Option<Vec<String>>,
}

impl Authentication {
    fn parse(params: &Params, scope: &Scope, client: &Client, turn: &Turn<'_>) -> Result<Self, Refusal> {
        // OpenID Connect Core §3.1.2.1: "OpenID Connect requests MUST contain the openid scope value. If the openid scope
        // value is not present, the behavior is entirely unspecified." Such a request is one of OAuth alone here.
        if !turn.policy.scope.is_openid || !scope.contains(OPENID) {
            return Ok(Self::default());
        }
        let nonce = params.value(Param::Nonce).map(ToOwned::to_owned);
        if nonce.as_ref().is_some_and(|nonce| nonce.len() > NONCE_BYTES_MAX) {
            return Err(Refusal::of(No::NonceTooLong, Param::Nonce));
        }
        let ClaimsParameter { requested, mut subjects, levels } =
            params.value(Param::Claims).map_or_else(|| Ok(ClaimsParameter::default()), ClaimsParameter::parse)?;
        if let Some(text) = params.value(Param::IdTokenHint) {
            narrow(&mut subjects, Some(vec![hint::subject(text, client, turn)?]));
        }
        // A claim that the client may not have is left out, as one that the user does not have.
        let (offered, allowed) = (turn.policy.scope.offered(), turn.policy.scope.within_reach_of(client));
        let claims = requested.filtered(|claim| !offered.contains(claim.scope()) || allowed.contains(claim.scope()));
        Ok(Self { nonce, claims, subjects, levels })
    }
}

/// The response types by which these grants begin.
fn words_of<'g>(grants: impl IntoIterator<Item = &'g GrantType>) -> impl Iterator<Item = &'static str> {
    grants.into_iter().filter_map(|grant| grant.row().response_type)
}

/// Refuses parameters that could not be read, parameters that together are larger than [`REQUEST_BYTES_MAX`], and a
/// `state` that an HTML form cannot carry back.
fn check_parameters(params: &Params) -> Result<(), Refusal> {
    if let Some(fault) = params.fault {
        return Err(fault);
    }
    let bytes: usize = params.iter().map(|(_, value)| value.len()).sum();
    if bytes > REQUEST_BYTES_MAX {
        return Err(No::RequestTooLarge.into());
    }
    let is_posted = params.value(Param::ResponseMode) == Some("form_post");
    if is_posted && params.value(Param::State).is_some_and(|state| state.contains('\0')) {
        return Err(Refusal::of(No::ParameterMalformed, Param::State));
    }
    Ok(())
}

fn challenge(params: &Params, client: &Client, turn: &Turn<'_>) -> Result<Option<Digest>, Refusal> {
    let method = params.value(Param::CodeChallengeMethod);
    match params.value(Param::CodeChallenge) {
        Some(text) => pkce::challenge(text, method).map(Some).map_err(|no| match no {
            No::ChallengeMethodUnknown => {
                let sent = method.unwrap_or("none, which means plain");
                Refusal::of(no, Param::CodeChallengeMethod).with_value(sent)
            }
            no => Refusal::of(no, Param::CodeChallenge),
        }),
        // RFC 9700 §2.1.1: "Public clients MUST use PKCE". OAuth 2.1 requires it of every client, and so does each
        // surface without a waiver.
        None if client.kind == ClientKind::Public
            || client.pkce == Pkce::Required
            || !turn.policy.is_pkce_waivable
            || method.is_some() =>
        {
            Err(Refusal::of(No::ChallengeMissing, Param::CodeChallenge))
        }
        None => Ok(None),
    }
}

/// Parses the `prompt` parameter into its words, OpenID Connect Core §3.1.2.1.
fn prompt(text: Option<&str>) -> Result<Vec<&str>, Refusal> {
    let words: Vec<&str> = text.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
    // OpenID Connect Core §3.1.2.1 lets a server return an error for a value that it does not understand.
    if let Some(unknown) = words.iter().find(|word| !PROMPTS.contains(word)) {
        return Err(Refusal::of(No::PromptUnknown, Param::Prompt).with_value(unknown));
    }
    // OpenID Connect Core §3.1.2.1: "If this parameter contains none with any other value, an error is returned."
    if words.contains(&"none") && words.len() > 1 {
        return Err(Refusal::of(No::PromptMalformed, Param::Prompt));
    }
    Ok(words)
}
