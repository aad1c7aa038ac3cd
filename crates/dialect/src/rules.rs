//! A checked dialect: every value has its type, every name exists, and every reply that is needed is there.

use protocol::crypto::keys::Spelling;
use protocol::endpoint::Endpoint;
use protocol::model::{ClientKind, GrantType, Pkce, RefreshMode};
use protocol::policy::{ClientPolicy, GrantSpelling, Policy, ScopePolicy, TokenPolicy};
use protocol::refusal::ErrorKind;
use protocol::scope::Scope;
use protocol::wire::{Field, Param, ReplyKind};

use crate::template::{Json, Pairs, Text};
use crate::value::Name;

/// A dialect: a checked description of how one surface spells OAuth.
#[derive(Debug)]
pub struct Dialect {
    /// The dialect's name: that of its file or folder.
    pub name: String,
    /// The host names that the dialect answers on, in lower case, with a port if it is not the default.
    pub hosts: Vec<String>,
    /// The common prefix of all paths of the dialect, if the file or the operator sets one.
    pub prefix: Option<String>,
    /// The base URL for clients: scheme, host and prefix. Empty until [`crate::Dialects::new`] mounts the dialect.
    pub base_url: String,
    /// The waivers that the dialect declares; see [`crate::hazard::HAZARDS`].
    pub waives: Vec<String>,
    /// True if error texts name the faulty value and the next step.
    pub(crate) has_long_texts: bool,
    /// The rules for registering applications.
    pub client: ClientRules,
    /// The peculiarities of the surface's pages.
    pub screen: ScreenRules,
    /// The rate limits.
    pub limits: LimitRules,
    pub(crate) grants: Vec<GrantType>,
    pub(crate) resources: Vec<String>,
    pub(crate) resource_names: Vec<(String, String)>,
    pub(crate) scope: ScopePolicy,
    pub(crate) sep: String,
    pub(crate) tokens: TokenRules,
    pub(crate) addresses: Vec<Address>,
    pub(crate) words: Vec<GrantRules>,
    pub(crate) bearer: BearerRules,
    pub(crate) replies: Vec<ReplyRules>,
    /// For each [`ReplyKind`], its index in `replies`.
    pub(crate) by_kind: Vec<Option<usize>>,
    /// The wording of each [`ErrorKind`].
    pub(crate) errors: Vec<ErrorRules>,
    /// The position of `waives` in the file (file, line, column), for the message to the operator who must accept the
    /// waivers.
    pub(crate) waives_at: (String, usize, usize),
}

/// What the authorization endpoint answers for each grant type that begins there.
pub(crate) const ANSWERS: [(GrantType, ReplyKind); 2] =
    [(GrantType::AuthorizationCode, ReplyKind::Code), (GrantType::Implicit, ReplyKind::Implicit)];

/// The rules for each kind of token.
#[derive(Debug)]
pub(crate) struct TokenRules {
    pub(crate) code: TokenPolicy,
    pub(crate) access: TokenPolicy,
    pub(crate) refresh: TokenPolicy,
    pub(crate) personal: TokenPolicy,
    pub(crate) refresh_absolute_ttl_s: Option<u64>,
    pub(crate) refresh_grace_s: u64,
    pub(crate) refresh_mode: RefreshMode,
}

/// One endpoint of a surface: its path, its role, and the spelling of its requests and answers.
#[derive(Debug)]
pub struct Address {
    /// The endpoint's name in the file: that of its role, or another if several endpoints have the same role.
    pub name: String,
    /// The role.
    pub endpoint: Endpoint,
    /// The path, relative to the dialect's prefix.
    pub path: String,
    /// The accepted HTTP methods.
    pub methods: Vec<String>,
    /// The scope that a token must have at this endpoint.
    pub scope: Scope,
    /// The origins whose scripts may read the answers (CORS); `*` for all.
    pub cors: Vec<String>,
    /// True if this server shows its own pages here. Otherwise a browser gets a reply of the dialect.
    pub has_screens: bool,
    pub(crate) from: From,
    /// The wire name and the canonical name of every known parameter.
    pub(crate) names: Vec<(String, Param)>,
    pub(crate) need: Vec<Param>,
    pub(crate) assume: Vec<(Param, String)>,
    pub(crate) auth: Auth,
    pub(crate) reply: Option<usize>,
    /// True if a token request without a redirect URI means that of the authorization request.
    pub(crate) is_redirect_uri_implied: bool,
}

impl Address {
    /// Returns the wire name of a parameter.
    #[must_use]
    pub fn wire_name(&self, param: Param) -> &str {
        self.names.iter().find(|(_, own)| *own == param).map_or(param.as_str(), |(name, _)| name)
    }
}

/// The places that parameters are read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct From {
    pub(crate) query: bool,
    pub(crate) form: bool,
    pub(crate) json: bool,
}

/// The accepted methods of client authentication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Auth {
    pub(crate) basic: bool,
    pub(crate) params: bool,
    pub(crate) none: bool,
    pub(crate) anybody: bool,
    /// Assertions: `client_secret_jwt` and `private_key_jwt`.
    pub(crate) assertion: bool,
}

/// The surface's words for a grant, and its own reply and token spelling.
#[derive(Debug)]
pub(crate) struct GrantRules {
    pub(crate) grant: GrantType,
    /// The `grant_type` on the wire.
    pub(crate) word: Option<String>,
    /// The `response_type` on the wire.
    pub(crate) response_type: Option<String>,
    /// The index of the grant's own reply, if it has one.
    pub(crate) reply: Option<usize>,
    /// The grant's own spelling of access and refresh tokens, if it has one.
    pub(crate) spellings: Option<(Spelling, Spelling)>,
}

/// The places that access tokens are read from, and when a challenge is sent.
#[derive(Debug)]
pub(crate) struct BearerRules {
    pub(crate) accept: Vec<TokenLocation>,
    pub(crate) challenge: Challenge,
}

/// A place that an access token is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenLocation {
    /// The `Authorization` header, after this scheme.
    Scheme(String),
    /// The whole value of the `Authorization` header.
    Raw,
    Header(String),
    Query(String),
    Form(String),
}

impl TokenLocation {
    /// Returns the parameter name, if the place is the query.
    pub(crate) fn query(&self) -> Option<&str> {
        if let Self::Query(name) = self { Some(name) } else { None }
    }

    /// Returns the parameter name, if the place is a form.
    pub(crate) fn form(&self) -> Option<&str> {
        if let Self::Form(name) = self { Some(name) } else { None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    On401,
    IfAuthorization,
    Never,
}

/// A reply: a template with its status, headers and media type.
#[derive(Debug)]
pub(crate) struct ReplyRules {
    pub(crate) name: String,
    pub(crate) status: Option<u16>,
    pub(crate) shape: Shape,
    pub(crate) headers: Vec<(String, Text)>,
}

#[derive(Debug)]
pub(crate) enum Shape {
    Json(Json),
    Form(Pairs),
    /// A text template and its media type.
    Text(String, Text),
    Redirect(Delivery, Pairs),
    Empty,
}

impl Shape {
    /// Returns true if the template contains a name for which `is` returns true.
    pub(crate) fn has(&self, is: impl Fn(&Name) -> bool) -> bool {
        self.names().into_iter().any(is)
    }

    /// Returns every name in the template.
    pub(crate) fn names(&self) -> Vec<&Name> {
        match self {
            Self::Json(json) => json.names(),
            Self::Form(pairs) | Self::Redirect(_, pairs) => pairs.names(),
            Self::Text(_, text) => text.names(),
            Self::Empty => Vec::new(),
        }
    }
}

/// The default response mode of an authorization response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Query,
    Fragment,
    FormPost,
    /// The same mode as that of the successful answer.
    Same,
}

/// The wording of a kind of refusal.
#[derive(Debug)]
pub(crate) struct ErrorRules {
    pub(crate) status: u16,
    pub(crate) word: String,
    pub(crate) text: Option<String>,
    pub(crate) reply: usize,
}

/// The rules for registering applications.
#[derive(Debug)]
pub struct ClientRules {
    /// True if users may register applications on the developer pages. Otherwise only the operator may.
    pub is_self_service: bool,
    /// The client type of a new application, unless the registration sets one.
    pub kind: ClientKind,
    /// The PKCE setting of a new application, unless the registration sets one.
    pub pkce: Pkce,
    pub(crate) is_pkce_waivable: bool,
}

/// The peculiarities of a surface's pages.
#[derive(Debug)]
pub struct ScreenRules {
    /// The URL of the provider's own page that browsers are handed off to.
    pub at: Option<String>,
    /// Number of digits in a second-factor code.
    pub otp_digits: u32,
}

/// Rate limits. `None` means no limit.
#[derive(Debug, Default)]
pub struct LimitRules {
    /// The limit of endpoints that authenticate clients.
    pub token: Option<Limit>,
    /// The limit of endpoints that take access tokens.
    pub api: Option<Limit>,
    /// The limit, per network address, of requests without any valid credential, such as a correct client secret.
    pub failed: Option<Limit>,
    /// The names of the headers that inform a client of its limit.
    pub headers: LimitHeaders,
}

/// A rate limit: a number of requests within a window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Maximum number of requests per window.
    pub count: u32,
    /// Length of the window, in seconds.
    pub window_s: u64,
    /// The key that requests are counted by.
    pub by: LimitBy,
}

/// The key that requests are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitBy {
    /// The client's network address.
    Address,
    /// The client.
    Client,
    /// The access token.
    Token,
    /// The user.
    User,
}

/// Names of rate-limit headers. `None` means that the header is not sent.
#[derive(Debug, Default)]
pub struct LimitHeaders {
    /// The header with the maximum number of requests.
    pub limit: Option<String>,
    /// The header with the number of remaining requests.
    pub remaining: Option<String>,
    /// The header with the Unix time at which the window ends.
    pub reset: Option<String>,
    /// The header with the number of requests made so far.
    pub used: Option<String>,
}

/// An endpoint of a dialect, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The role of the endpoint.
    pub endpoint: Endpoint,
    pub(crate) index: usize,
}

impl Dialect {
    /// Returns the policy that requests on this surface are judged by.
    #[must_use]
    pub fn policy(&self, issuer: &str) -> Policy {
        let tokens = &self.tokens;
        Policy {
            dialect: self.name.clone(),
            grants: self.grants.clone(),
            scope: self.scope.clone(),
            resources: self.resources.clone(),
            resource_names: self.resource_names.clone(),
            code: tokens.code.clone(),
            access: tokens.access.clone(),
            refresh: tokens.refresh.clone(),
            refresh_absolute_ttl_s: tokens.refresh_absolute_ttl_s,
            refresh_grace_s: tokens.refresh_grace_s,
            refresh_mode: tokens.refresh_mode,
            spelled: self.spelled(),
            personal: tokens.personal.clone(),
            is_personal_offered: self.is_personal_offered(),
            client: ClientPolicy {
                is_self_service: self.client.is_self_service,
                kind: self.client.kind,
                pkce: self.client.pkce,
            },
            is_pkce_waivable: self.client.is_pkce_waivable,
            assertion_endpoints: self.assertion_endpoints(),
            is_par_offered: self.at(Endpoint::Par).is_some(),
            is_iss_sent: self.is_iss_sent(),
            is_implicit_in_query: self.is_implicit_in_query(),
            is_user_in_introspection: self.is_user_in_introspection(),
            is_user_in_token_reply: self.is_user_in_token_reply(),
            is_introspection_open: self.is_open(Endpoint::Introspect),
            is_revocation_open: self.is_open(Endpoint::Revoke),
            otp_digits: self.screen.otp_digits,
            ..Policy::standard(issuer)
        }
    }

    /// Returns the URLs of the endpoints at which clients authenticate by assertions.
    fn assertion_endpoints(&self) -> Vec<String> {
        let takes = |own: &&Address| own.endpoint.row().takes_client && own.auth.assertion;
        self.addresses.iter().filter(takes).map(|own| format!("{}{}", self.base_url, own.path)).collect()
    }

    /// Returns the grants whose tokens have a spelling of their own.
    pub(crate) fn spelled(&self) -> Vec<GrantSpelling> {
        let own = self.words.iter().filter(|own| self.grants.contains(&own.grant));
        own.filter_map(|own| {
            let (access, refresh) = own.spellings.clone()?;
            Some(GrantSpelling { grant: own.grant, access, refresh })
        })
        .collect()
    }

    /// Returns every endpoint with its index. Discovery and keys are not there if the operator took away a grant without
    /// which the surface is no OpenID provider: nothing is signed there.
    pub fn addresses(&self) -> impl Iterator<Item = (At, &Address)> {
        let all = self.addresses.iter().enumerate().map(|(index, own)| (At { endpoint: own.endpoint, index }, own));
        all.filter(|(at, _)| !matches!(at.endpoint, Endpoint::Discovery | Endpoint::Jwks) || self.scope.is_openid)
    }

    /// Returns the first endpoint with this role.
    #[must_use]
    pub fn at(&self, endpoint: Endpoint) -> Option<At> {
        self.addresses().find(|(at, _)| at.endpoint == endpoint).map(|(at, _)| at)
    }

    /// Returns the endpoint with this index.
    #[must_use]
    pub fn address(&self, at: At) -> &Address {
        &self.addresses[at.index]
    }

    /// Returns the URL of the first endpoint with this role.
    #[must_use]
    pub fn url(&self, endpoint: Endpoint) -> Option<String> {
        let at = self.at(endpoint)?;
        Some(format!("{}{}", self.base_url, self.address(at).path))
    }

    /// Returns true if authorization responses name the issuer, RFC 9207.
    fn is_iss_sent(&self) -> bool {
        let is_iss = |name: &Name| *name == Name::Field(Field::Iss);
        let mut offered = ANSWERS.iter().filter(|(grant, _)| self.grants.contains(grant)).peekable();
        offered.peek().is_some()
            && offered.all(|(_, kind)| self.reply(*kind).is_some_and(|reply| reply.shape.has(is_iss)))
    }

    /// Returns true if the implicit grant returns its token in the query by default.
    pub(crate) fn is_implicit_in_query(&self) -> bool {
        let shape = self.reply(ReplyKind::Implicit).map(|reply| &reply.shape);
        self.grants.contains(&GrantType::Implicit) && matches!(shape, Some(Shape::Redirect(Delivery::Query, _)))
    }

    /// Returns true if the introspection reply contains claims about the user.
    fn is_user_in_introspection(&self) -> bool {
        let of_addresses = self.addresses.iter().filter(|own| own.endpoint == Endpoint::Introspect);
        let of_addresses = of_addresses.filter_map(|own| own.reply).map(|at| &self.replies[at]);
        of_addresses.chain(self.reply(ReplyKind::Introspect)).any(|reply| reply.shape.has(is_user))
    }

    /// Returns true if any token reply contains claims about the user.
    fn is_user_in_token_reply(&self) -> bool {
        let of_kinds = [ReplyKind::Token, ReplyKind::Implicit].into_iter().filter_map(|kind| self.reply(kind));
        let of_grants = self.words.iter().filter_map(|own| own.reply);
        let of_addresses =
            self.addresses.iter().filter(|own| own.endpoint == Endpoint::Token).filter_map(|own| own.reply);
        of_kinds.chain(of_grants.chain(of_addresses).map(|at| &self.replies[at])).any(|reply| reply.shape.has(is_user))
    }

    /// Returns true if users may create personal access tokens for this surface. They may on the standard surface, and
    /// on others whose file gives personal tokens a prefix.
    fn is_personal_offered(&self) -> bool {
        self.name == "standard" || !self.tokens.personal.spelling.prefix.is_empty()
    }

    /// Returns true if a code can be redeemed at this endpoint without naming its redirect URI. Each endpoint decides
    /// this for itself.
    pub(crate) fn is_redirect_uri_waived_at(&self, address: &Address) -> bool {
        address.is_redirect_uri_implied
            && self.grants.contains(&GrantType::AuthorizationCode)
            && !address.need.contains(&Param::RedirectUri)
    }

    /// Returns true if the endpoint answers without client authentication.
    pub(crate) fn is_open(&self, endpoint: Endpoint) -> bool {
        let mut own = self.addresses.iter().filter(|own| own.endpoint == endpoint).peekable();
        own.peek().is_some() && own.all(|own| own.auth.anybody)
    }

    pub(crate) fn reply(&self, kind: ReplyKind) -> Option<&ReplyRules> {
        self.by_kind[kind as usize].map(|at| &self.replies[at])
    }

    pub(crate) fn error(&self, kind: ErrorKind) -> &ErrorRules {
        &self.errors[kind as usize]
    }

    pub(crate) fn words_of(&self, grant: GrantType) -> Option<&GrantRules> {
        self.words.iter().find(|own| own.grant == grant)
    }
}

fn is_user(name: &Name) -> bool {
    matches!(name, Name::User(_) | Name::Field(Field::User))
}

/// Returns the spelling of a token as a dialect file writes it, for [`crate::Dialect::describe`].
pub(crate) fn form_text(spelling: &Spelling) -> String {
    format!("{}{{{}}}", spelling.prefix, format!("{:?}", spelling.alphabet).to_lowercase())
}
