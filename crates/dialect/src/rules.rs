//! A dialect after its file was checked: everything is of its type, every name exists, every reply that is needed is there.

use protocol::crypto::keys::Spelling;
use protocol::endpoint::Endpoint;
use protocol::line::ReplyKind;
use protocol::model::{ClientKind, GrantType, Pkce, RefreshMode};
use protocol::policy::{ClientPolicy, GrantSpelling, Policy, ScopePolicy, TokenPolicy};
use protocol::refusal::ErrorKind;
use protocol::scope::Scope;
use protocol::wire::{Field, Param};

use crate::template::{Json, Pairs, Text};
use crate::value::Name;

/// A checked set of renamings and places: how one surface spells OAuth.
#[derive(Debug)]
pub struct Dialect {
    /// The name of its file or folder.
    pub name: String,
    /// The Host names that reach it, in lower case, with a port where it matters.
    pub hosts: Vec<String>,
    /// The path that all of its paths begin with, if the file or the operator says so.
    pub prefix: Option<String>,
    /// Where its clients find it: scheme, host and prefix. Empty until [`crate::Dialects::new`] mounts it.
    pub base_url: String,
    /// The names of the rules that it breaks and says that it breaks; see [`crate::hazard::HAZARDS`].
    pub waives: Vec<String>,
    /// How applications are registered.
    pub client: ClientRules,
    /// What is odd about its pages.
    pub screen: ScreenRules,
    /// Rate limits.
    pub limits: LimitRules,
    pub(crate) grants: Vec<GrantType>,
    pub(crate) resources: Vec<String>,
    pub(crate) scope: ScopePolicy,
    pub(crate) sep: String,
    pub(crate) tokens: TokenRules,
    pub(crate) addresses: Vec<Address>,
    pub(crate) words: Vec<GrantRules>,
    pub(crate) bearer: BearerRules,
    pub(crate) replies: Vec<ReplyRules>,
    /// By [`ReplyKind`], where in `replies`.
    pub(crate) by_kind: Vec<Option<usize>>,
    /// By [`ErrorKind`].
    pub(crate) errors: Vec<ErrorRules>,
    /// Where the file says what it waives, for whoever must accept it: file, line, column.
    pub(crate) waives_at: (String, usize, usize),
}

/// Tokens of each kind.
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

/// One address: a path, what it is for, and how its requests and answers are spelled.
#[derive(Debug)]
pub struct Address {
    /// Its name in the file; the role's own, or another where a role has several addresses.
    pub name: String,
    /// What it is for.
    pub endpoint: Endpoint,
    /// Below the dialect's prefix.
    pub path: String,
    /// The methods that it may be asked by.
    pub methods: Vec<String>,
    /// The scope that a token needs here.
    pub scope: Scope,
    /// The origins whose scripts may read its answers; `*` for all.
    pub cors: Vec<String>,
    /// Does a browser get pages of this server here, rather than a reply of the dialect?
    pub has_screens: bool,
    pub(crate) from: From,
    /// Wire name and canonical name of all parameters that are known here.
    pub(crate) names: Vec<(String, Param)>,
    pub(crate) need: Vec<Param>,
    pub(crate) assume: Vec<(Param, String)>,
    pub(crate) auth: Auth,
    pub(crate) reply: Option<usize>,
    /// Is the redirect URI of the authorization request meant when none is named?
    pub(crate) is_redirect_uri_implied: bool,
}

impl Address {
    /// How a parameter is called here.
    pub(crate) fn wire_name(&self, param: Param) -> &str {
        self.names.iter().find(|(_, own)| *own == param).map_or(param.as_str(), |(name, _)| name)
    }
}

/// Where parameters are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct From {
    pub(crate) query: bool,
    pub(crate) form: bool,
    pub(crate) json: bool,
}

/// How clients may prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Auth {
    pub(crate) basic: bool,
    pub(crate) params: bool,
    pub(crate) none: bool,
    pub(crate) anybody: bool,
}

/// How a grant is called.
#[derive(Debug)]
pub(crate) struct GrantRules {
    pub(crate) grant: GrantType,
    /// Its `grant_type` on the wire.
    pub(crate) word: Option<String>,
    /// Its `response_type` on the wire.
    pub(crate) response_type: Option<String>,
    /// Its own reply.
    pub(crate) reply: Option<usize>,
    /// Its own spelling of access and refresh tokens.
    pub(crate) spellings: Option<(Spelling, Spelling)>,
}

/// Where access tokens are read, and when a challenge asks for one.
#[derive(Debug)]
pub(crate) struct BearerRules {
    pub(crate) accept: Vec<Place>,
    pub(crate) challenge: Challenge,
}

/// A place for an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// After this scheme in `Authorization`.
    Scheme(String),
    /// Alone in `Authorization`.
    Raw,
    Header(String),
    Query(String),
    Form(String),
}

impl Place {
    /// The name of the parameter, if the place is the query.
    pub(crate) fn query(&self) -> Option<&str> {
        if let Self::Query(name) = self { Some(name) } else { None }
    }

    /// The name of the parameter, if the place is a form.
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

/// A template and what goes around it.
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
    /// Text of a media type.
    Text(String, Text),
    Redirect(Delivery, Pairs),
    Empty,
}

impl Shape {
    /// True if its template has a name like this.
    pub(crate) fn has(&self, is: impl Fn(&Name) -> bool) -> bool {
        self.names().into_iter().any(is)
    }

    /// Every name in its template.
    pub(crate) fn names(&self) -> Vec<&Name> {
        match self {
            Self::Json(json) => json.names(),
            Self::Form(pairs) | Self::Redirect(_, pairs) => pairs.names(),
            Self::Text(_, text) => text.names(),
            Self::Empty => Vec::new(),
        }
    }
}

/// How an answer travels back through the browser, where the request does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Query,
    Fragment,
    FormPost,
    /// Like the answer that it takes the place of.
    Same,
}

/// How a kind of refusal is worded.
#[derive(Debug)]
pub(crate) struct ErrorRules {
    pub(crate) status: u16,
    pub(crate) word: String,
    pub(crate) text: Option<String>,
    pub(crate) reply: usize,
}

/// Who registers applications, and what they become.
#[derive(Debug)]
pub struct ClientRules {
    /// May users register applications on the developer pages? Else only the operator may.
    pub is_self_service: bool,
    /// What an application is when nothing is said.
    pub kind: ClientKind,
    /// What a new application gets when nothing is said.
    pub pkce: Pkce,
    pub(crate) is_pkce_waivable: bool,
}

/// What is odd about a surface's pages.
#[derive(Debug)]
pub struct ScreenRules {
    /// The URL of the page that a hand-off sends the browser to.
    pub at: Option<String>,
    /// Digits of a second-factor code.
    pub otp_digits: u32,
}

/// Rate limits; `None` is off.
#[derive(Debug, Default)]
pub struct LimitRules {
    /// Of addresses that authenticate clients.
    pub token: Option<Limit>,
    /// Of addresses that take tokens.
    pub api: Option<Limit>,
    /// Of requests of one client address that show nothing which this server gave out, such as a right client secret.
    pub failed: Option<Limit>,
    /// Names of the headers that tell a client about its limit.
    pub headers: LimitHeaders,
}

/// So many requests in such a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub count: u32,
    /// Seconds.
    pub window_s: u64,
    /// Counted by what.
    pub by: LimitBy,
}

/// What requests are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitBy {
    /// Network address.
    Address,
    /// Client.
    Client,
    /// Access token.
    Token,
    /// User.
    User,
}

/// Names of headers; `None` sends none.
#[derive(Debug, Default)]
pub struct LimitHeaders {
    /// How many are allowed.
    pub limit: Option<String>,
    /// How many are left.
    pub remaining: Option<String>,
    /// The Unix time at which they are all there again.
    pub reset: Option<String>,
    /// How many were made.
    pub used: Option<String>,
}

/// Which address of a dialect; a small number behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// What the address is for.
    pub endpoint: Endpoint,
    pub(crate) index: usize,
}

impl Dialect {
    /// The policy that the protocol is judged by on this surface.
    #[must_use]
    pub fn policy(&self, issuer: &str) -> Policy {
        let tokens = &self.tokens;
        Policy {
            dialect: self.name.clone(),
            grants: self.grants.clone(),
            scope: self.scope.clone(),
            resources: self.resources.clone(),
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

    /// The grants whose tokens are spelled in a way of their own.
    pub(crate) fn spelled(&self) -> Vec<GrantSpelling> {
        let own = self.words.iter().filter(|own| self.grants.contains(&own.grant));
        own.filter_map(|own| {
            let (access, refresh) = own.spellings.clone()?;
            Some(GrantSpelling { grant: own.grant, access, refresh })
        })
        .collect()
    }

    /// Every address, with its number.
    pub fn addresses(&self) -> impl Iterator<Item = (At, &Address)> {
        self.addresses.iter().enumerate().map(|(index, own)| (At { endpoint: own.endpoint, index }, own))
    }

    /// The first address with this role.
    #[must_use]
    pub fn at(&self, endpoint: Endpoint) -> Option<At> {
        self.addresses().find(|(at, _)| at.endpoint == endpoint).map(|(at, _)| at)
    }

    /// The address behind a number.
    #[must_use]
    pub fn address(&self, at: At) -> &Address {
        &self.addresses[at.index]
    }

    /// Where clients find the first address with this role.
    #[must_use]
    pub fn url(&self, endpoint: Endpoint) -> Option<String> {
        let at = self.at(endpoint)?;
        Some(format!("{}{}", self.base_url, self.address(at).path))
    }

    /// Does the answer to an authorization request name the issuer, RFC 9207?
    fn is_iss_sent(&self) -> bool {
        let is_iss = |name: &Name| *name == Name::Field(Field::Iss);
        let answers = [(GrantType::AuthorizationCode, ReplyKind::Code), (GrantType::Implicit, ReplyKind::Implicit)];
        let mut offered = answers.iter().filter(|(grant, _)| self.grants.contains(grant)).peekable();
        offered.peek().is_some()
            && offered.all(|(_, kind)| self.reply(*kind).is_some_and(|reply| reply.shape.has(is_iss)))
    }

    /// Does a token of the implicit grant travel in the query, where the request does not say?
    pub(crate) fn is_implicit_in_query(&self) -> bool {
        let shape = self.reply(ReplyKind::Implicit).map(|reply| &reply.shape);
        self.grants.contains(&GrantType::Implicit) && matches!(shape, Some(Shape::Redirect(Delivery::Query, _)))
    }

    /// Does introspection have a place for what is known of the user?
    fn is_user_in_introspection(&self) -> bool {
        let of_addresses = self.addresses.iter().filter(|own| own.endpoint == Endpoint::Introspect);
        let of_addresses = of_addresses.filter_map(|own| own.reply).map(|at| &self.replies[at]);
        of_addresses.chain(self.reply(ReplyKind::Introspect)).any(|reply| reply.shape.has(is_user))
    }

    /// Does any answer with tokens have a place for what is known of the user?
    fn is_user_in_token_reply(&self) -> bool {
        let of_kinds = [ReplyKind::Token, ReplyKind::Implicit].into_iter().filter_map(|kind| self.reply(kind));
        let of_grants = self.words.iter().filter_map(|own| own.reply);
        let of_addresses =
            self.addresses.iter().filter(|own| own.endpoint == Endpoint::Token).filter_map(|own| own.reply);
        of_kinds.chain(of_grants.chain(of_addresses).map(|at| &self.replies[at])).any(|reply| reply.shape.has(is_user))
    }

    /// Do users make personal tokens for this surface by themselves? On the standard one they do; on another when its
    /// file gives such tokens a prefix, for then somebody thought of them.
    fn is_personal_offered(&self) -> bool {
        self.name == "standard" || !self.tokens.personal.spelling.prefix.is_empty()
    }

    /// True if a code is redeemed at this address without naming its redirect URI. This holds for each address by itself.
    pub(crate) fn is_redirect_uri_waived_at(&self, address: &Address) -> bool {
        address.is_redirect_uri_implied
            && self.grants.contains(&GrantType::AuthorizationCode)
            && !address.need.contains(&Param::RedirectUri)
    }

    /// May anybody ask, without being a client?
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

/// Checks that a token policy is written as the file says; for [`crate::Dialect::describe`].
pub(crate) fn form_text(spelling: &Spelling) -> String {
    format!("{}{{{}}}", spelling.prefix, format!("{:?}", spelling.alphabet).to_lowercase())
}
