//! The parameters of an authorization request: row 3 of the table in [`crate::authorize`]. Client and redirect URI are
//! verified by then, so errors are returned to the client.

use crate::line::Turn;
use crate::model::{Client, ClientKind, GrantType, Permission, Pkce};
use crate::pkce;
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::secret::Digest;
use crate::token::issue;
use crate::wire::{Param, Params};

/// Maximum total size of the parameter values of an authorization request, in bytes. Every page of the sign-in carries
/// them.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// A well-formed authorization request that the client may make.
pub(super) struct Request {
    pub(super) response_type: ResponseType,
    /// The requested scopes and resources.
    pub(super) permission: Permission,
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
        let response_type = match params.value(Param::ResponseType).ok_or(missing)? {
            "code" => Some(ResponseType::Code),
            "token" => Some(ResponseType::Token),
            _ => None,
        };
        let response_type = response_type
            .filter(|own| turn.policy.grants.contains(&own.grant()))
            .ok_or(Refusal::of(No::ResponseTypeUnknown, Param::ResponseType))?;
        if !client.grants.contains(&response_type.grant()) {
            return Err(Refusal::of(No::ResponseTypeNotAllowed, Param::ResponseType));
        }
        if params.value(Param::ResponseMode).is_some_and(|mode| !response_type.may_travel(mode, turn.policy)) {
            return Err(Refusal::of(No::ResponseModeUnknown, Param::ResponseMode));
        }
        let permission = issue::requested_permission(params, client, turn)?;
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
        Ok(Self {
            response_type,
            permission,
            challenge,
            is_prompt_none: prompt.contains(&"none"),
            is_prompt_consent: prompt.contains(&"consent"),
            is_redirect_uri_named: params.value(Param::RedirectUri).is_some(),
        })
    }
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
        Some(text) => pkce::challenge(text, method).map(Some).map_err(|no| Refusal {
            param: Some(if no == No::ChallengeMethodUnknown {
                Param::CodeChallengeMethod
            } else {
                Param::CodeChallenge
            }),
            ..no.into()
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
    if words.iter().any(|word| !["none", "login", "select_account", "consent"].contains(word)) {
        return Err(Refusal::of(No::PromptUnknown, Param::Prompt));
    }
    // OpenID Connect Core §3.1.2.1: "If this parameter contains none with any other value, an error is returned."
    if words.contains(&"none") && words.len() > 1 {
        return Err(Refusal::of(No::PromptMalformed, Param::Prompt));
    }
    Ok(words)
}
