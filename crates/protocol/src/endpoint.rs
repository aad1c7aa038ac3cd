//! The table of endpoints: every role that an endpoint can have, its parameters, and the RFC that defines it.

use crate::model::GrantType;
use crate::wire::Param;

/// The role of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// The authorization endpoint, RFC 6749 §3.1.
    Authorize,
    /// The endpoint for pushed authorization requests, RFC 9126.
    Par,
    /// The token endpoint, RFC 6749 §3.2.
    Token,
    /// The introspection endpoint, RFC 7662.
    Introspect,
    /// The revocation endpoint, RFC 7009.
    Revoke,
    /// The userinfo endpoint, OpenID Connect Core §5.3.
    Userinfo,
    /// Authorization server metadata, RFC 8414.
    Metadata,
    /// The same document where OpenID Connect looks for it, OpenID Connect Discovery 1.0 §4. A surface that has it is an
    /// OpenID provider.
    Discovery,
    /// The public keys of this server, RFC 7517 §5.
    Jwks,
}

/// A row of the table of endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The endpoint's name in dialect files, metrics and documentation.
    pub name: &'static str,
    /// The accepted HTTP methods.
    pub methods: &'static [&'static str],
    /// The known parameters. Others are ignored.
    pub params: &'static [Param],
    /// True if the endpoint takes an access token.
    pub takes_bearer: bool,
    /// True if the endpoint authenticates clients.
    pub takes_client: bool,
    /// The names of the replies that a dialect with this endpoint must have.
    pub replies: &'static [&'static str],
    /// The member of the metadata document that names the endpoint's URL (RFC 8414 §2), if there is one.
    pub metadata: Option<&'static str>,
    /// The member of the metadata document that lists how clients authenticate at the endpoint, if there is one.
    pub metadata_auth: Option<&'static str>,
    /// The RFC and section that defines the endpoint.
    pub rfc: &'static str,
    /// The purpose of the endpoint, one sentence.
    pub sentence: &'static str,
}

use Param as P;

/// Parameters of the authorization request.
const AUTHORIZE: &[Param] = &[
    P::ResponseType,
    P::ClientId,
    P::RedirectUri,
    P::Scope,
    P::State,
    P::ResponseMode,
    P::CodeChallenge,
    P::CodeChallengeMethod,
    P::Resource,
    P::Prompt,
    P::MaxAge,
    P::LoginHint,
    P::Nonce,
    P::Claims,
    P::IdTokenHint,
    P::Request,
    P::RequestUri,
];

/// Parameters of a pushed authorization request: those of an authorization request, and the client's credentials.
const PAR: &[Param] = PAR_PARAMS.0.split_at(PAR_PARAMS.1).0;

const PAR_PARAMS: &(AllParams, usize) =
    &with(with(NO_PARAMS, AUTHORIZE), &[P::ClientSecret, P::ClientAssertion, P::ClientAssertionType]);

/// Parameters of the token request: those of the client and those of every grant type, each once.
const TOKEN: &[Param] = TOKEN_PARAMS.0.split_at(TOKEN_PARAMS.1).0;

const TOKEN_PARAMS: &(AllParams, usize) = &{
    let mut list = with(NO_PARAMS, &[P::GrantType, P::ClientId, P::ClientSecret]);
    let mut at = 0;
    while at < GrantType::ALL.len() {
        let row = GrantType::ALL[at].row();
        list = with(with(list, row.needs), row.reads);
        at += 1;
    }
    with(list, &[P::ClientAssertion, P::ClientAssertionType])
};

/// Room for every parameter.
type AllParams = [Param; Param::ALL.len()];

/// An empty list with room for every parameter.
const NO_PARAMS: (AllParams, usize) = ([P::GrantType; Param::ALL.len()], 0);

/// Adds the parameters that are not among the first `count` of the list, and returns the list with its new count.
const fn with((mut list, mut count): (AllParams, usize), more: &[Param]) -> (AllParams, usize) {
    let mut next = 0;
    while next < more.len() {
        let mut at = 0;
        while at < count && list[at] as usize != more[next] as usize {
            at += 1;
        }
        if at == count {
            list[count] = more[next];
            count += 1;
        }
        next += 1;
    }
    (list, count)
}

/// Parameters of introspection and revocation.
const ABOUT_TOKEN: &[Param] =
    &[P::Token, P::TokenTypeHint, P::ClientId, P::ClientSecret, P::ClientAssertion, P::ClientAssertionType];

/// All endpoints.
pub const TABLE: &[Row] = &[
    Row {
        endpoint: Endpoint::Authorize,
        name: "authorize",
        methods: &["GET", "POST"],
        params: AUTHORIZE,
        takes_bearer: false,
        takes_client: false,
        replies: &["denied"],
        metadata: Some("authorization_endpoint"),
        metadata_auth: None,
        rfc: "RFC 6749 §3.1",
        sentence: "A browser asks on behalf of an application; the user signs in and allows or denies.",
    },
    Row {
        endpoint: Endpoint::Par,
        name: "par",
        methods: &["POST"],
        params: PAR,
        takes_bearer: false,
        takes_client: true,
        replies: &["par"],
        metadata: Some("pushed_authorization_request_endpoint"),
        // RFC 9126 §5 has no member for it: clients authenticate as at the token endpoint.
        metadata_auth: None,
        rfc: "RFC 9126 §2",
        sentence: "An application leaves its authorization request here, and gets a reference that the browser brings.",
    },
    Row {
        endpoint: Endpoint::Token,
        name: "token",
        methods: &["POST"],
        params: TOKEN,
        takes_bearer: false,
        takes_client: true,
        replies: &["token"],
        metadata: Some("token_endpoint"),
        metadata_auth: Some("token_endpoint_auth_methods_supported"),
        rfc: "RFC 6749 §3.2",
        sentence: "An application turns a grant into tokens.",
    },
    Row {
        endpoint: Endpoint::Introspect,
        name: "introspect",
        methods: &["POST"],
        params: ABOUT_TOKEN,
        takes_bearer: false,
        takes_client: true,
        replies: &["introspect", "inactive"],
        metadata: Some("introspection_endpoint"),
        metadata_auth: Some("introspection_endpoint_auth_methods_supported"),
        rfc: "RFC 7662 §2",
        sentence: "An API asks what a token is worth.",
    },
    Row {
        endpoint: Endpoint::Revoke,
        name: "revoke",
        methods: &["POST"],
        params: ABOUT_TOKEN,
        takes_bearer: false,
        takes_client: true,
        replies: &["revoke"],
        metadata: Some("revocation_endpoint"),
        metadata_auth: Some("revocation_endpoint_auth_methods_supported"),
        rfc: "RFC 7009 §2",
        sentence: "An application ends a token that it no longer needs.",
    },
    Row {
        endpoint: Endpoint::Userinfo,
        name: "userinfo",
        methods: &["GET", "POST"],
        params: &[],
        takes_bearer: true,
        takes_client: false,
        replies: &["userinfo"],
        metadata: Some("userinfo_endpoint"),
        metadata_auth: None,
        rfc: "OpenID Connect Core §5.3",
        sentence: "An application asks who the user is.",
    },
    Row {
        endpoint: Endpoint::Metadata,
        name: "metadata",
        methods: &["GET"],
        params: &[],
        takes_bearer: false,
        takes_client: false,
        replies: &[],
        metadata: None,
        metadata_auth: None,
        rfc: "RFC 8414 §3",
        sentence: "Anybody asks what this server can do and where.",
    },
    Row {
        endpoint: Endpoint::Discovery,
        name: "discovery",
        methods: &["GET"],
        params: &[],
        takes_bearer: false,
        takes_client: false,
        replies: &[],
        metadata: None,
        metadata_auth: None,
        rfc: "OpenID Connect Discovery §4",
        sentence: "Anybody asks what this OpenID provider can do and where.",
    },
    Row {
        endpoint: Endpoint::Jwks,
        name: "jwks",
        methods: &["GET"],
        params: &[],
        takes_bearer: false,
        takes_client: false,
        replies: &[],
        metadata: Some("jwks_uri"),
        metadata_auth: None,
        rfc: "RFC 7517 §5",
        sentence: "Anybody asks for the public keys that verify the signatures of this server.",
    },
];

impl Endpoint {
    /// Returns true if the endpoint gives the metadata document of the surface, which is the same at every request.
    #[must_use]
    pub const fn is_metadata(self) -> bool {
        matches!(self, Self::Metadata | Self::Discovery)
    }

    /// Returns the row of the table.
    #[must_use]
    pub fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.endpoint == self).expect("every endpoint has its row; a test asserts it")
    }

    /// Returns the endpoint with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_endpoint_knows_the_parameters_of_every_grant_type_once() {
        for row in GrantType::ALL.iter().map(|grant| grant.row()) {
            for param in row.needs.iter().chain(row.reads) {
                assert_eq!(TOKEN.iter().filter(|own| *own == param).count(), 1, "{param}");
            }
        }
        assert_eq!(TOKEN[..4], [P::GrantType, P::ClientId, P::ClientSecret, P::Code]);
        assert!(TOKEN.iter().enumerate().all(|(at, param)| !TOKEN[..at].contains(param)), "{TOKEN:?}");
    }

    #[test]
    fn every_endpoint_has_its_row() {
        for endpoint in [
            Endpoint::Authorize,
            Endpoint::Par,
            Endpoint::Token,
            Endpoint::Introspect,
            Endpoint::Revoke,
            Endpoint::Userinfo,
            Endpoint::Metadata,
            Endpoint::Discovery,
            Endpoint::Jwks,
        ] {
            assert_eq!(endpoint.row().endpoint, endpoint);
            assert_eq!(Endpoint::from_name(endpoint.row().name), Some(endpoint));
        }
    }
}
