//! The way back to the application: rows 1 and 2 of the table, and how an answer travels.

use std::sync::Arc;

use crate::line::{Facts, Reply, Turn};
use crate::model::{Client, Consent};
use crate::person::browser::{ResponseMode, Return, Step};
use crate::redirect::{self, VerifiedRedirect};
use crate::refusal::{No, Refusal};
use crate::wire::{Field, Fields, Param, Params, ReplyKind};

/// The client, and its redirect URI, which was compared with those that it registered.
pub(super) struct ReturnPath<'a> {
    pub(super) params: &'a Params,
    pub(super) client: &'a Arc<Client>,
    pub(super) to: VerifiedRedirect,
    pub(super) facts: &'a Facts,
}

impl<'a> ReturnPath<'a> {
    /// Returns what the user allowed the client before.
    pub(super) fn consent(&self) -> Option<&'a Consent> {
        self.params.value(Param::ClientId).and_then(|client_id| self.facts.consent(client_id))
    }

    /// True if an answer may travel in the query. An answer to a request for a token may only where the surface has tokens
    /// there. So may a refusal: its place must not depend on how far the request got.
    fn may_use_query(&self, turn: &Turn<'_>) -> bool {
        !self.is_for_token() || turn.policy.is_implicit_in_query
    }

    fn is_for_token(&self) -> bool {
        self.params.value(Param::ResponseType) == Some("token")
    }

    /// Judges rows 1 and 2 of the table. Without a redirect URI that is registered, every refusal stays here.
    pub(super) fn find(params: &'a Params, facts: &'a Facts, turn: &Turn<'_>) -> Result<Self, Refusal> {
        let client = known_client(params, facts, turn)?;
        let to = redirect::verify(client, params.value(Param::RedirectUri))?;
        Ok(Self { params, client, to, facts })
    }

    /// Sends the answer back to the application.
    pub(super) fn back(&self, answer: Result<Reply, Refusal>, turn: &Turn<'_>) -> Step {
        let mode = match self.params.value(Param::ResponseMode) {
            Some("query") => self.may_use_query(turn).then_some(ResponseMode::Query),
            Some("fragment") => Some(ResponseMode::Fragment),
            Some("form_post") => Some(ResponseMode::FormPost),
            _ => None,
        };
        // HTML cannot carry a NUL, so a state that has one stays out of a form; [`Request::parse`] refuses such a request.
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

fn known_client<'f>(params: &Params, facts: &'f Facts, turn: &Turn<'_>) -> Result<&'f Arc<Client>, Refusal> {
    let client = params.value(Param::ClientId).and_then(|client_id| facts.client(client_id));
    let client = client.filter(|client| !client.is_disabled && client.dialect == turn.policy.dialect);
    // RFC 6749 §4.1.2.1: "If the request fails due to a missing, invalid, or mismatching redirection URI, or if the client
    // identifier is missing or invalid, the authorization server SHOULD inform the resource owner of the error and MUST
    // NOT automatically redirect the user-agent to the invalid redirection URI."
    client.ok_or(Refusal::of(No::AuthorizeClientUnknown, Param::ClientId))
}
