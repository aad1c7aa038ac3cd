//! The authorization endpoint. A dialect with screens shows the pages itself. Any other dialect hands the browser over
//! to a page of the server.

use protocol::authorize::{Precheck, Reference, RequestObject, Visit};
use protocol::endpoint::Endpoint;
use protocol::person::browser::Goal;
use protocol::refusal::{No, Refusal};
use protocol::wire::{Param, Params};

use super::asked::Asked;
use crate::answers;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::{Response, answer};
use crate::pages::way::browse;

impl Asked<'_> {
    /// Answers an authorization request with the next page, or with the address of the page if the endpoint is an API.
    pub(super) async fn authorize(&self) -> Response {
        if !self.dialect.address(self.at).has_screens {
            return self.hand_off().await.unwrap_or_else(|fault| self.refuse(&answers::broken(self.request, &fault)));
        }
        let page = PageRequest::read(self.app, self.request);
        if let Some(response) = self.posted_from_elsewhere(&page) {
            return response;
        }
        let params = match self.dialect.decode(self.at, &self.incoming()) {
            Ok(params) => self.requested(params, &page.address).await,
            Err(refusal) => Err(refusal),
        };
        match params {
            Ok(params) => {
                let visit = Visit {
                    pending: self.app.pending_visit(Goal::Authorize(Box::new(params))),
                    caller: page.caller.clone(),
                    address: page.address.clone(),
                    answer: None,
                };
                browse(self.app, &page, &self.dialect.name, visit).await
            }
            Err(refusal) => answers::refused(self.app, &page, Some((self.dialect, Some(self.at))), &refusal),
        }
    }

    /// Replaces a reference by the authorization request that the client pushed, RFC 9126 §4, and a request object by its
    /// parameters, RFC 9101. A surface without an endpoint for pushed requests knows neither, and ignores both parameters.
    async fn requested(&self, mut params: Params, address: &str) -> Result<Params, Refusal> {
        if self.dialect.at(Endpoint::Par).is_none() {
            params.take(Param::RequestUri);
            params.take(Param::Request);
            return Ok(params);
        }
        if let Some(object) = RequestObject::take(&mut params) {
            if params.value(Param::RequestUri).is_some() {
                return Err(Refusal::of(No::RequestBesideRequestUri, Param::Request));
            }
            let opened = self.app.turn(&self.surface.policy, &self.request.found, address, object).await;
            return match opened.unwrap_or_else(|fault| Err(answers::broken(self.request, &fault))) {
                Ok(opened) => Ok(opened),
                Err(refusal) if params.value(Param::RedirectUri).is_none() => Err(refusal),
                // The parameters beside the object lead to the application, which is told.
                Err(refusal) => {
                    params.fault.get_or_insert(refusal);
                    Ok(params)
                }
            };
        }
        let Some(reference) = Reference::parse(&params, &self.app.keys()) else { return Ok(params) };
        let found = self.app.turn(&self.surface.policy, &self.request.found, address, reference).await;
        found.unwrap_or_else(|fault| Err(answers::broken(self.request, &fault)))
    }

    /// Answers with the address of the page for the browser, or with the refusal of the request.
    async fn hand_off(&self) -> Result<Response, Fault> {
        self.within_limits(async |params, address| self.hand_off_params(params, address).await).await
    }

    async fn hand_off_params(&self, mut params: Params, address: &str) -> Result<Response, Fault> {
        // Pages on another surface cannot open a reference or an object.
        params.take(Param::RequestUri);
        params.take(Param::Request);
        let is_query_all = self.request.body.is_empty();
        let query = match self.request.uri.query() {
            Some(query) if is_query_all => query.to_owned(),
            _ => self.dialect.page_query(&params),
        };
        let verdict = self.app.turn(&self.surface.policy, &self.request.found, address, Precheck { params }).await?;
        if let Err(refusal) = verdict {
            return Ok(self.refuse(&refusal));
        }
        let out = self.dialect.hand_off(self.at, &query, &self.context(None));
        Ok(out.map_or_else(|| self.refuse(&No::AddressUnknown.into()), answer::outgoing))
    }

    /// Redirects a form that another site posted to the same request by GET. Cookies are `SameSite=Lax`, so the browser
    /// sends them only with the GET request, and the user stays signed in. Returns `None` for other requests.
    fn posted_from_elsewhere(&self, page: &PageRequest<'_>) -> Option<Response> {
        let may_get = self.dialect.address(self.at).methods.iter().any(|method| method == "GET");
        if !page.is_cross_site() || !may_get || self.request.body.is_empty() || !self.request.has_form() {
            return None;
        }
        let query = std::str::from_utf8(&self.request.body).ok()?;
        answer::redirect(&self.request.method, &format!("{}?{query}", self.request.uri.path()))
    }
}
