//! Rate limits at endpoints: each request counts against the limits of its dialect, and a failed one also against the
//! limits for failures.

use dialect::rules::LimitBy;
use protocol::endpoint::Endpoint;
use protocol::line::Wants;
use protocol::model::UserKey;
use protocol::refusal::{No, Refusal};
use protocol::resource::any_token::AnyToken;
use protocol::secret::Secret;
use protocol::time::UnixTime;
use protocol::wire::{Param, Params};

use super::asked::Asked;
use crate::address::address;
use crate::answers::Refused;
use crate::fault::Fault;
use crate::http::Response;
use crate::limits::{self, Asker, Claim};

impl Asked<'_> {
    /// Counts and refuses a request whose body could not be read.
    pub(super) async fn unread(&self, no: No) -> Response {
        let address = address(self.request, &self.app.settings);
        let allowed = if self.dialect.address(self.at).has_screens { Ok(()) } else { self.count(None, &address).await };
        // Do not count it as a failed request: broken connections cause such requests, and they cost no access to the
        // store.
        self.refuse(&allowed.err().unwrap_or_else(|| no.into()))
    }

    /// Decodes the request, counts it against the limits of its dialect, and answers or refuses it.
    pub(super) async fn within_limits(
        &self,
        answer: impl AsyncFnOnce(Params, &str) -> Result<Response, Fault>,
    ) -> Result<Response, Fault> {
        let address = address(self.request, &self.app.settings);
        let decoded = self.dialect.decode(self.at, &self.incoming());
        let response = match self.count(decoded.as_ref().ok(), &address).await.and(decoded) {
            Ok(params) => answer(params, &address).await?,
            Err(refusal) => self.refuse(&refusal),
        };
        Ok(self.judged(response, &address))
    }

    /// Counts the outcome of the request against the limits for failures. Returns the response, or a refusal if a limit
    /// is reached.
    fn judged(&self, response: Response, address: &str) -> Response {
        let no = response.extensions().get::<Refused>().map(|refused| refused.refusal.no);
        let (limiter, now) = (&self.app.limiter, self.app.clock.now());
        if no.is_none() && !limiter.has_failures(now) && self.at.endpoint != Endpoint::Par {
            return response;
        }
        let params = self.dialect.decode(self.at, &self.incoming()).unwrap_or_default();
        let asker = (address, Claim::of(&params));
        match limiter.judged(self.dialect, self.at.endpoint, asker, no, now) {
            Ok(()) => response,
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// Counts the request. `address` is the client's network address, in the form in which failed attempts are counted.
    async fn count(&self, params: Option<&Params>, address: &str) -> Result<(), Refusal> {
        let (none, now) = (Params::default(), self.app.clock.now());
        let params = params.unwrap_or(&none);
        self.app.limiter.check_failed(self.dialect, address, Claim::of(params), now)?;
        let Some((_, limit)) = limits::class(self.dialect, Some(self.at.endpoint)) else { return Ok(()) };
        let text = params.bearer.as_ref().map(Secret::reveal).or(params.value(Param::Token));
        let policy = &self.surface.policy;
        let read = text.map(|text| (text, AnyToken::read_widely(text, policy, &self.app.keys())));
        let token = read.filter(|(_, token)| *token != AnyToken::Foreign);
        let owner = match token {
            // A limit by user applies to all tokens of a user, so the user of the token must be loaded.
            Some((_, token)) if limit.by == LimitBy::User => self.owner(token, now).await,
            _ => None,
        };
        let asker = Asker { address, params, token: token.map(|(text, _)| text), owner };
        match self.app.limiter.count(self.dialect, Some(self.at.endpoint), &asker, now) {
            Some(tally) => self.tally.get_or_init(|| tally).check(now),
            None => Ok(()),
        }
    }

    /// Returns the user of a valid token. `None` also if the store fails; the judge's turn will report that.
    async fn owner(&self, token: AnyToken, now: UnixTime) -> Option<UserKey> {
        let mut wants = Wants::default();
        token.want(&mut wants);
        let facts = self.app.store.load(wants).await.ok()?;
        token.owner(&facts, &self.surface.policy, now)
    }
}
