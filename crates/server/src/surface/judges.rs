//! Hands requests to the judges of the endpoints that programs call.

use protocol::authorize::PushRequest;
use protocol::endpoint::Endpoint;
use protocol::line::{Call, Reply};
use protocol::model::GrantType;
use protocol::refusal::{No, Refusal};
use protocol::resource::introspect::IntrospectRequest;
use protocol::resource::revoke::RevokeRequest;
use protocol::resource::userinfo::UserinfoRequest;
use protocol::token::TokenRequest;
use protocol::wire::{Param, Params};

use super::asked::Asked;
use crate::fault::Fault;
use crate::http::{Response, answer};

impl Asked<'_> {
    /// Judges the request, unless a rate limit of its dialect refuses it.
    pub(super) async fn judge(&self) -> Result<Response, Fault> {
        self.within_limits(async |params, address| self.judge_params(params, address).await).await
    }

    /// Hands the decoded request to the judge of its endpoint, and encodes the verdict.
    async fn judge_params(&self, mut params: Params, address: &str) -> Result<Response, Fault> {
        let grant = params.value(Param::GrantType).and_then(GrantType::from_name);
        let (policy, keys) = (&*self.surface.policy, self.app.keys());
        let verdict = match self.at.endpoint {
            Endpoint::Token => self.turn(TokenRequest::parse(params, policy, &keys, address), address).await?,
            Endpoint::Par => self.turn(PushRequest::parse(params), address).await?,
            Endpoint::Introspect => self.turn(IntrospectRequest::parse(params, policy, &keys), address).await?,
            Endpoint::Revoke => self.turn(RevokeRequest::parse(params, policy, &keys), address).await?,
            Endpoint::Userinfo => {
                let required = self.dialect.address(self.at).scope.clone();
                self.turn(UserinfoRequest::parse(params, required, policy, &keys), address).await?
            }
            Endpoint::Authorize | Endpoint::Metadata | Endpoint::Discovery | Endpoint::Jwks => {
                params.bearer = None;
                Err(No::AddressUnknown.into())
            }
        };
        Ok(match verdict {
            Ok(reply) => answer::outgoing(self.dialect.encode(self.at, &reply, &self.context(grant))),
            Err(refusal) => self.refuse(&refusal),
        })
    }

    async fn turn<C: Call<Yes = Reply>>(
        &self,
        call: Result<C, Refusal>,
        address: &str,
    ) -> Result<Result<Reply, Refusal>, Fault> {
        let call = match call {
            Ok(call) => call,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.app.turn(&self.surface.policy, &self.request.found, address, call).await
    }
}
