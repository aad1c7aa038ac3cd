//! The parameters of an authorization request: row 3 of the table. By now it is known where an error may be sent.

use crate::line::Turn;
use crate::model::{Client, ClientKind, GrantType, Permission, Pkce};
use crate::pkce;
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::secret::Digest;
use crate::token::issue;
use crate::wire::{Param, Params};

/// Maximum total size of the parameters of an authorization request, in bytes: they travel in every page.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// A well-formed authorization request that the client may make.
pub(super) struct Request {
    pub(super) response_type: ResponseType,
    /// What the client asks for.
    pub(super) permission: Permission,
    pub(super) challenge: Option<Digest>,
    /// `prompt=none`: the user must not be asked anything.
    pub(super) is_prompt_none: bool,
    /// `prompt=consent`: the user must be asked for consent.
    pub(super) is_prompt_consent: bool,
    pub(super) is_redirect_uri_named: bool,
}

/// What the client wants back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseType {
    /// RFC 6749 §4.1.1
    Code,
    /// RFC 6749 §4.2.1, the implicit grant: an access token.
    Token,
}

impl ResponseType {
    pub(super) fn grant(self) -> GrantType {
        match self {
            Self::Code => GrantType::AuthorizationCode,
            Self::Token => GrantType::Implicit,
        }
    }

    /// OAuth 2.0 Multiple Response Types §2.1 and §5: a token "MUST NOT" travel in the query, unless that is the surface's
    /// own way, for which it has a waiver.
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
        let permission = issue::requested_permission(params, client, turn)?;
        let challenge = match response_type {
            ResponseType::Code => challenge(params, client, turn)?,
            // There is no code to bind to it.
            ResponseType::Token => None,
        };
        let prompt = prompt(params.value(Param::Prompt))?;
        // What prompt and max_age demand of the sign-in, the sign-in knows.
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

/// The response types by which these grants begin.
fn words_of<'g>(grants: impl IntoIterator<Item = &'g GrantType>) -> impl Iterator<Item = &'static str> {
    grants.into_iter().filter_map(|grant| grant.row().response_type)
}

/// Refuses parameters that could not be read, that a form cannot carry back, or that are too large together.
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
        // RFC 9700 §2.1.1: "Public clients MUST use PKCE"; OAuth 2.1 wants it of all.
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

/// The words of `prompt`, OpenID Connect Core §3.1.2.1.
fn prompt(text: Option<&str>) -> Result<Vec<&str>, Refusal> {
    let words: Vec<&str> = text.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
    // OpenID Connect Core §3.1.2.1 lets a server return an error for a value that it does not understand.
    if let Some(unknown) = words.iter().find(|word| !["none", "login", "select_account", "consent"].contains(word)) {
        return Err(Refusal::of(No::PromptUnknown, Param::Prompt).with_value(unknown));
    }
    // OpenID Connect Core §3.1.2.1: "If this parameter contains none with any other value, an error is returned."
    if words.contains(&"none") && words.len() > 1 {
        return Err(Refusal::of(No::PromptMalformed, Param::Prompt));
    }
    Ok(words)
}
