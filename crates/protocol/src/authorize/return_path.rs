//! The verified client and redirect URI of an authorization request (rows 1 and 2 of the table in
//! [`crate::authorize`]), and the response mode by which an answer travels there.

use std::sync::Arc;

use crate::line::{Facts, Reply, Turn};
use crate::model::{Client, Consent};
use crate::person::browser::{ResponseMode, Return, Step};
use crate::redirect::{self, VerifiedRedirect};
use crate::refusal::{No, Refusal};
use crate::wire::{Field, Fields, Param, Params, ReplyKind};

/// The client of an authorization request, and the redirect URI, which is one that the client registered.
pub(super) struct ReturnPath<'a> {
    pub(super) params: &'a Params,
    pub(super) client: &'a Arc<Client>,
    pub(super) to: VerifiedRedirect,
    pub(super) facts: &'a Facts,
}

impl<'a> ReturnPath<'a> {
    /// Returns the stored consent of the signed-in user for this client, if there is one.
    pub(super) fn consent(&self) -> Option<&'a Consent> {
        self.params.value(Param::ClientId).and_then(|client_id| self.facts.consent(client_id))
    }

    /// Returns true if the answer may travel in the query. A token may do so only on a surface that declares it. A
    /// refusal of a request for a token follows the same rule, so that its place does not depend on what was wrong.
    fn may_use_query(&self, turn: &Turn<'_>) -> bool {
        !self.is_for_token() || turn.policy.is_implicit_in_query
    }

    fn is_for_token(&self) -> bool {
        self.params.value(Param::ResponseType) == Some("token")
    }

    /// Judges rows 1 and 2 of the table.
    ///
    /// # Errors
    /// The client is unknown or disabled, or the redirect URI is not registered for it. The server shows such a refusal
    /// on a page of its own and never redirects.
    ///
    /// # Errors
    /// The client is unknown or disabled, or the redirect URI is not registered for it. The server shows such a refusal
    /// on a page of its own and never redirects.
    pub(super) fn find(params: &'a Params, facts: &'a Facts, turn: &Turn<'_>) -> Result<Self, Refusal> {
        let client = known_client(params.value(Param::ClientId), facts, turn)?;
        let to = redirect::verify(client, params.value(Param::RedirectUri))?;
        Ok(Self { params, client, to, facts })
    }

    /// Returns the step that sends `answer` to the client's redirect URI, with `state` and `iss`.
    pub(super) fn back(&self, answer: Result<Reply, Refusal>, turn: &Turn<'_>) -> Step {
        let mode = match self.params.value(Param::ResponseMode) {
            Some("query") => self.may_use_query(turn).then_some(ResponseMode::Query),
            Some("fragment") => Some(ResponseMode::Fragment),
            Some("form_post") => Some(ResponseMode::FormPost),
            _ => None,
        };
        // An HTML form cannot carry a NUL character, so a `state` that has one is left out. [`Request::parse`] refuses
        // such a request.
        let state = self.params.value(Param::State);
        let state = state.filter(|state| mode != Some(ResponseMode::FormPost) || !state.contains('\0'));
        // RFC 6749 §4.1.2: "REQUIRED if the "state" parameter was present in the client authorization request. The exact
        // value received from the client." RFC 9207 §2: "an authorization server that supports this specification MUST
        // indicate its identity by including the iss parameter in the response", also in an error.
        let fields = Fields::new()
            .with_some(Field::State, state)
            .with_some(Field::Iss, turn.policy.is_iss_sent.then_some(turn.policy.issuer.as_str()));
        let asked = if self.is_for_token() { ReplyKind::Implicit } else { ReplyKind::Code };
        Step::Return(Return { to: self.to.clone(), mode, asked, answer, fields })
    }
}

/// Returns the client with this identifier, if it is enabled and belongs to the surface.
pub(super) fn known_client<'f>(
    client_id: Option<&str>,
    facts: &'f Facts,
    turn: &Turn<'_>,
) -> Result<&'f Arc<Client>, Refusal> {
    let client = client_id.and_then(|client_id| facts.client(client_id));
    let client = client.filter(|client| !client.is_disabled && client.dialect == turn.policy.dialect);
    // RFC 6749 §4.1.2.1: "If the request fails due to a missing, invalid, or mismatching redirection URI, or if the client
    // identifier is missing or invalid, the authorization server SHOULD inform the resource owner of the error and MUST
    // NOT automatically redirect the user-agent to the invalid redirection URI."
    client.ok_or(Refusal::of(No::AuthorizeClientUnknown, Param::ClientId))
}
