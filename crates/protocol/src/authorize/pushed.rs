//! Pushed authorization requests, RFC 9126. A client sends its authorization request to this server, and the browser brings a
//! reference to it.
//!
//! The reference can begin a visit for 90 seconds, also more than once: a user may load the page again. The visit itself, in
//! which the user signs in and decides, may take longer. The request is used up when an answer to it is returned to the client.

use serde::{Deserialize, Serialize};

use super::request::Request;
use super::request_object::RequestObject;
use super::return_path::ReturnPath;
use crate::client::authenticate::Credentials;
use crate::crypto::keys::{Alphabet, Keys, Presented, Spelling, TokenKind};
use crate::endpoint::Endpoint;
use crate::line::{Call, Facts, Key, LiveTicket, Rely, Reply, Turn, Wants, Write};
use crate::model::{Client, Ticket, TicketId, TicketKind};
use crate::refusal::{No, Refusal};
use crate::time::UnixTime;
use crate::wire::{Field, Fields, Param, Params, ReplyKind};

/// The beginning of a reference, RFC 9126 §2.2.
const URN: &str = "urn:ietf:params:oauth:request_uri:";
/// Time within which the browser must bring the reference, in seconds. RFC 9126 §2.2 has from 5 to 600.
const TTL_S: u64 = 90;
/// Maximum duration of a visit, from the reference to the answer, in seconds.
const VISIT_MAX_S: u64 = 60 * 60;

/// The document of the ticket.
#[derive(Debug, Serialize, Deserialize)]
struct PushedRequest {
    /// The parameters of the authorization request, by their canonical names.
    params: Vec<(String, String)>,
    /// The time before which a visit must begin. The ticket itself expires [`VISIT_MAX_S`] later.
    begin_by: UnixTime,
    /// True if the client signed the parameters.
    #[serde(default)]
    is_signed: bool,
}

impl TicketKind for PushedRequest {
    const NAME: &'static str = "pushed_request";
}

fn spelling() -> Spelling {
    Spelling { prefix: URN.to_owned(), alphabet: Alphabet::Url }
}

/// A request of a client to the endpoint for pushed authorization requests.
#[derive(Debug)]
pub struct PushRequest {
    credentials: Credentials,
    /// The authorization request.
    params: Params,
    /// The authorization request as an object that the client signed, in the place of the parameters.
    object: Option<RequestObject>,
}

impl PushRequest {
    /// Reads a pushed authorization request.
    ///
    /// # Errors
    /// Missing credentials, or a reference in the place of a request.
    pub fn parse(mut params: Params) -> Result<Self, Refusal> {
        let credentials = Credentials::parse(&mut params)?;
        // RFC 9126 §2.1: "The request_uri authorization request parameter is one exception, and it MUST NOT be provided."
        if params.value(Param::RequestUri).is_some() {
            return Err(Refusal::of(No::RequestUriPushed, Param::RequestUri));
        }
        let is_asked = |param: Param| Endpoint::Authorize.row().params.contains(&param);
        let mut request = Params::default();
        request.fault = params.fault;
        for (param, value) in params.iter().filter(|(param, _)| is_asked(*param)) {
            request.push(param, value.to_owned()).map_err(|param| Refusal::of(No::ParameterRepeated, param))?;
        }
        request
            .push(Param::ClientId, credentials.client_id.clone())
            .expect("Credentials::parse took the client_id out of the parameters");
        let object = RequestObject::take(&mut request);
        Ok(Self { credentials, params: request, object })
    }
}

impl Call for PushRequest {
    type Yes = Reply;

    fn wants(&self) -> Wants {
        self.credentials.wants()
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        // RFC 9126 §2.1: "Authenticate the client in the same way as at the token endpoint". RFC 9126 §2: "the rules for client
        // authentication as defined in [RFC6749] for token endpoint requests […] apply for the PAR endpoint as well."
        let client = self.credentials.verify(facts, turn)?;
        // RFC 9126 §2.1: "Validate the pushed request as it would an authorization request sent to the authorization
        // endpoint."
        let opened = self.object.as_ref().map(|object| object.open(client, turn)).transpose()?;
        let request = opened.as_ref().unwrap_or(&self.params);
        let way = ReturnPath::find(request, facts, turn)?;
        Request::parse(request, way.client, turn)?;
        check_signed(request, client)?;
        let minted = turn.keys.mint(TokenKind::Pushed, &spelling(), &mut turn.entropy);
        let params = request.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_owned())).collect();
        let begin_by = turn.now.plus(TTL_S);
        let ticket = Ticket::new(
            &minted,
            &PushedRequest { params, begin_by, is_signed: request.is_signed },
            begin_by.plus(VISIT_MAX_S),
        );
        turn.rely(Rely::Client(client.key, client.version));
        turn.write(Write::PutTicket(Box::new(Ticket { client: Some(client.key), ..ticket })));
        let fields = Fields::new().with(Field::RequestUri, minted.text.reveal()).with(Field::ExpiresIn, TTL_S);
        Ok(Reply::new(ReplyKind::Par, fields))
    }

    fn credentials(&self) -> Option<&Credentials> {
        Some(&self.credentials)
    }
}

/// A browser's reference to a pushed authorization request. It is judged in a turn of its own, because the visit depends on
/// the parameters that were pushed.
#[derive(Debug)]
pub struct Reference {
    /// The reference; `None` if this server did not issue the text.
    presented: Option<Presented>,
    client_id: Option<String>,
}

impl Reference {
    /// Reads the reference of an authorization request; `None` if the request has none.
    #[must_use]
    pub fn parse(params: &Params, keys: &Keys) -> Option<Self> {
        let text = params.value(Param::RequestUri)?;
        let presented = keys.read(TokenKind::Pushed, &spelling(), text);
        Some(Self { presented, client_id: params.value(Param::ClientId).map(ToOwned::to_owned) })
    }

    fn find<'f>(&self, facts: &'f Facts, turn: &Turn<'_>) -> Option<(Presented, LiveTicket<'f, PushedRequest>)> {
        let presented = self.presented?;
        let found = facts.ticket::<PushedRequest>(presented, turn).ok()?;
        // RFC 9126 §2.2: "The request_uri value MUST be bound to the client that posted the authorization request." RFC 9126
        // §4: "An expired request_uri MUST be rejected as invalid."
        let is_theirs = found.held.client.as_ref().map(|client| &client.client_id) == self.client_id.as_ref();
        (is_theirs && !turn.now.is_past(found.document.begin_by)).then_some((presented, found))
    }
}

impl Call for Reference {
    /// The parameters that were pushed. Parameters that the browser sent beside the reference are not among them.
    type Yes = Params;

    fn wants(&self) -> Wants {
        Wants::of(self.presented.map(|own| Key::Ticket(TicketId(own.id))))
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Params, Refusal> {
        let unknown = Refusal::of(No::RequestUriUnknown, Param::RequestUri);
        let (presented, found) = self.find(facts, turn).ok_or(unknown)?;
        let mut params = Params::default();
        params.pushed = Some(presented);
        params.is_signed = found.document.is_signed;
        for (name, value) in found.document.params {
            let param = Param::from_name(&name).ok_or(unknown)?;
            params.push(param, value).map_err(|_| unknown)?;
        }
        Ok(params)
    }
}

/// Adds the key of the ticket, if the request was pushed.
pub(super) fn want(params: &Params, wants: &mut Wants) {
    if let Some(pushed) = params.pushed {
        wants.add(Key::Ticket(TicketId(pushed.id)));
    }
}

/// Refuses a request that was not pushed or not signed, if its client must push or sign all requests.
///
/// # Errors
/// [`No::RequestNotPushed`] or [`No::RequestNotSigned`].
pub(super) fn check_need(params: &Params, client: &Client) -> Result<(), Refusal> {
    // RFC 9126 §6, of require_pushed_authorization_requests: "Boolean parameter indicating whether the only means of
    // initiating an authorization request the client is allowed to use is PAR."
    if client.is_par_required && params.pushed.is_none() {
        return Err(No::RequestNotPushed.into());
    }
    check_signed(params, client)
}

fn check_signed(params: &Params, client: &Client) -> Result<(), Refusal> {
    // RFC 9101 §10.5, of require_signed_request_object: "If omitted, the default value is "false"." If true, the server refuses a
    // request that is not a signed object.
    if client.is_signature_required && !params.is_signed { Err(No::RequestNotSigned.into()) } else { Ok(()) }
}

/// Returns the write that uses up a pushed request; `None` for any other request.
///
/// # Errors
/// [`No::RequestUriUnknown`] if the pushed request was used or has expired since the visit began, or a refusal of
/// [`check_need`].
pub(super) fn spend(
    params: &Params,
    client: &Client,
    facts: &Facts,
    turn: &Turn<'_>,
) -> Result<Option<Write>, Refusal> {
    check_need(params, client)?;
    let Some(pushed) = params.pushed else { return Ok(None) };
    let found = facts.ticket::<PushedRequest>(pushed, turn);
    found.map(|found| Some(found.spend())).map_err(|_| No::RequestUriUnknown.into())
}
