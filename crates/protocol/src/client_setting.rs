//! The table of client settings: each setting of an application, who may set it, how it is spelled, and how it is read
//! from and written to the row.
//!
//! The command line makes its options from this table, and the developer pages make the fields of their forms from it.
//! [`crate::client::registration`] checks a [`Proposal`] by it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::client::registration::{self, Asked, Asker};
use crate::jose::{Algorithm, KeySet};
use crate::model::Introspection;
use crate::model::{AssertionAudience, AuthMethod, Client, ClientKind, GrantType, Pkce, RefreshMode};
use crate::names;
use crate::redirect::{self, REDIRECT_URI_BYTES_MAX};
use crate::refusal::{No, Refusal};
use crate::wire::Param;

/// Declares the settings, so that each has exactly one row in the table.
macro_rules! settings {
    ($($name:ident { $($column:ident: $value:expr,)* })*) => {
        /// A client setting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Setting { $(#[allow(missing_docs, reason = "its row says what it is")] $name,)* }

        /// The table, in the order in which a client is shown.
        pub const TABLE: &[Row] = &[$(Row { setting: Setting::$name, $($column: $value,)* ..PLAIN },)*];
    };
}

/// A row of the table of client settings.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The setting.
    pub setting: Setting,
    /// The name of the setting in JSON documents and in form fields.
    pub name: &'static str,
    /// The name of the setting in client metadata, RFC 7591 §2, if it has one there.
    pub metadata: Option<&'static str>,
    /// The type of the value.
    pub form: Form,
    /// How the developer area asks the owner of an application for the setting. Absent if only the operator may set it.
    pub owner: Option<OwnerField>,
    /// The option on the command line, if there is one.
    pub option: Option<CommandOption>,
    /// Reads the value from a row, as JSON.
    pub read: fn(&Client) -> Value,
    /// True if commands show the setting to the operator.
    pub is_shown: bool,
    /// Checks a value and writes it into a row.
    pub write: fn(&mut Client, &Given, Asked<'_>) -> Result<(), Fault>,
}

/// The type of a setting's value.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A text.
    Text,
    /// A JSON document, which a command reads from a file.
    Document,
    /// Several texts.
    Texts,
    /// One of these words, each with a sentence that explains it.
    Word(&'static [(&'static str, &'static str)]),
    /// Several of these words.
    Words(&'static [(&'static str, &'static str)]),
    /// Several grant types.
    Grants,
    /// A number of seconds.
    Seconds,
    /// Yes or no.
    Flag,
}

/// How the developer area asks the owner of an application for a setting: a field of a form.
#[derive(Clone, Copy, Debug)]
pub struct OwnerField {
    /// The label of the field.
    pub label: &'static str,
    /// What the field is for, in a sentence or two.
    pub hint: &'static str,
    /// True if the field may stay empty.
    pub is_optional: bool,
    /// Maximum number of characters that a browser lets its user type; absent for no limit.
    pub characters_max: Option<usize>,
    /// The keyboard that a telephone shows, as `inputmode` of HTML names it; absent for the usual one.
    pub keyboard: Option<&'static str>,
    /// The refusals that are about the value of this setting and no other. The form shows them beside the field.
    pub refusals: &'static [No],
}

/// A required field without further qualities, which the fields of the table begin with.
const REQUIRED: OwnerField =
    OwnerField { label: "", hint: "", is_optional: false, characters_max: None, keyboard: None, refusals: &[] };

/// The command-line option of a setting.
#[derive(Clone, Copy, Debug)]
pub struct CommandOption {
    /// The name of the option, without its dashes.
    pub flag: &'static str,
    /// The placeholder for the value in help texts.
    pub value: &'static str,
    /// The help text in `client add`.
    pub add: Help,
    /// The help text in `client set`; `None` for a setting that cannot be changed.
    pub set: Option<Help>,
}

/// The position of an option among those of its command, and its help text.
pub type Help = (usize, &'static str);

/// A proposed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// The value of a [`Form::Text`], [`Form::Document`] or [`Form::Word`].
    Text(String),
    /// The values of a [`Form::Texts`], [`Form::Words`] or [`Form::Grants`].
    Texts(Vec<String>),
    /// The value of a [`Form::Seconds`].
    Seconds(u64),
    /// The value of a [`Form::Flag`].
    Flag(bool),
}

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<const N: usize> From<[&str; N]> for Given {
    fn from(texts: [&str; N]) -> Self {
        Self::Texts(texts.map(ToOwned::to_owned).to_vec())
    }
}

/// Proposed values for the settings of an application. A setting without a value stays as it is; in a new application,
/// it gets the default of the surface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal(BTreeMap<Setting, Given>);

impl Proposal {
    /// Returns a proposal of these values.
    #[must_use]
    pub fn of<const N: usize>(values: [(Setting, Given); N]) -> Self {
        Self(values.into_iter().collect())
    }

    /// Sets the proposed value of a setting.
    pub fn set(&mut self, setting: Setting, value: Given) {
        self.0.insert(setting, value);
    }

    /// Returns the proposed value of a setting.
    #[must_use]
    pub fn get(&self, setting: Setting) -> Option<&Given> {
        self.0.get(&setting)
    }

    /// Returns the proposed values, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (Setting, &Given)> {
        self.0.iter().map(|(setting, value)| (*setting, value))
    }

    /// Returns the proposed values of a setting with several texts; empty if none are proposed.
    #[must_use]
    pub fn texts(&self, setting: Setting) -> &[String] {
        match self.get(setting) {
            Some(Given::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// Returns the proposed text of a setting.
    #[must_use]
    pub fn text(&self, setting: Setting) -> Option<&str> {
        match self.get(setting) {
            Some(Given::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// A fault of a proposed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The faulty setting.
    pub setting: Setting,
    /// The reason for the refusal.
    pub no: No,
    /// The faulty part, if the value has several.
    pub value: Option<String>,
}

impl Fault {
    /// The fault of a setting as a whole.
    #[must_use]
    pub const fn new(setting: Setting, no: No) -> Self {
        Self { setting, no, value: None }
    }

    /// The fault of one part of a setting's value.
    #[must_use]
    pub fn with(setting: Setting, no: No, value: impl Into<String>) -> Self {
        Self { setting, no, value: Some(value.into()) }
    }

    fn of_name(setting: Setting, fault: names::NameFault) -> Self {
        match fault {
            names::NameFault::Length { .. } => Self::new(setting, No::NameMalformed),
            names::NameFault::Character { .. } => Self::with(setting, No::NameCharacter, fault.place()),
        }
    }
}

impl From<&Fault> for Refusal {
    fn from(fault: &Fault) -> Self {
        let refusal = match fault.setting {
            Setting::RedirectUris => Self::of(fault.no, Param::RedirectUri),
            _ => fault.no.into(),
        };
        match &fault.value {
            Some(value) if fault.no.row().text.contains("{value}") => refusal.with_value(value),
            _ => refusal,
        }
    }
}

impl Setting {
    /// Returns the row of the table.
    #[must_use]
    pub fn row(self) -> &'static Row {
        // The macro declares the variants and the rows in the same order.
        &TABLE[self as usize]
    }

    /// Returns the setting with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.setting)
    }
}

/// The rows of the settings that the owner of an application sets, each with the field that asks for it.
pub fn of_owner() -> impl Iterator<Item = (&'static Row, OwnerField)> {
    TABLE.iter().filter_map(|row| Some((row, row.owner?)))
}

/// The name of the owner's setting that a refusal is about.
#[must_use]
pub fn at_fault(no: No) -> Option<&'static str> {
    of_owner().find(|(_, field)| field.refusals.contains(&no)).map(|(row, _)| row.name)
}

/// Returns the names of the settings that differ between two rows of an application, for the audit log.
#[must_use]
pub fn differences(one: &Client, other: &Client) -> Vec<&'static str> {
    let differs = |row: &&Row| (row.read)(one) != (row.read)(other);
    TABLE.iter().filter(differs).map(|row| row.name).collect()
}

/// The default columns of a row: only the operator can set the setting.
const PLAIN: Row = Row {
    setting: Setting::Name,
    name: "",
    metadata: None,
    form: Form::Text,
    owner: None,
    option: None,
    read: |_| Value::Null,
    is_shown: true,
    write: |_, _, _| Ok(()),
};

settings! {
    Name {
        name: "name",
        metadata: Some("client_name"),
        owner: Some(OwnerField {
            label: "Name",
            hint: "People read it when they are asked whether the application may use their account.",
            characters_max: Some(names::NAME_CHARACTERS_MAX),
            // The other refusals of names are about the names of users and tokens as well.
            refusals: &[No::NameReserved],
            ..REQUIRED
        }),
        option: Some(CommandOption {
            flag: "name",
            value: "NAME",
            add: (0, "The name that people read on the consent screen"),
            set: Some((0, "The name that people read on the consent screen")),
        }),
        read: |client| json!(client.name),
        write: |client, given, asked| {
            let name = display_name(Setting::Name, given)?;
            // An application keeps its name even if the name is reserved now.
            let is_new = name != client.name && asked.asker == Asker::Owner;
            if let Some(reserved) = asked.policy.reserved_names.imitated(&name).filter(|_| is_new) {
                return Err(Fault::with(Setting::Name, No::NameReserved, reserved));
            }
            client.name = name;
            Ok(())
        },
    }
    Publisher {
        name: "publisher",
        option: Some(CommandOption {
            flag: "publisher",
            value: "PUBLISHER",
            add: (15, "Who publishes it, for the consent screen"),
            set: Some((12, "Who publishes it, for the consent screen; an empty text takes it away")),
        }),
        read: |client| json!(client.publisher),
        write: |client, given, _| {
            let is_none = text(Setting::Publisher, given)?.is_empty();
            client.publisher = if is_none { None } else { Some(display_name(Setting::Publisher, given)?) };
            Ok(())
        },
    }
    Homepage {
        name: "homepage",
        metadata: Some("client_uri"),
        owner: Some(OwnerField {
            label: "Homepage",
            hint: "The https address of a page about the application.",
            is_optional: true,
            keyboard: Some("url"),
            refusals: &[No::HomepageMalformed, No::HomepageCharacter, No::HomepageUnencrypted],
            ..REQUIRED
        }),
        option: Some(CommandOption {
            flag: "homepage",
            value: "URL",
            add: (16, "A page about it"),
            set: Some((13, "A page about it; an empty text takes it away")),
        }),
        read: |client| json!(client.homepage),
        write: |client, given, asked| {
            let url = text(Setting::Homepage, given)?.trim();
            if client.homepage.as_deref() != Some(url) {
                client.homepage = homepage(url, asked.asker)?;
            }
            Ok(())
        },
    }
    PrivacyPolicy {
        name: "privacy_policy",
        metadata: Some("policy_uri"),
        owner: Some(OwnerField {
            label: "Privacy policy",
            hint: "An https address. It stands where people are asked.",
            is_optional: true,
            keyboard: Some("url"),
            refusals: &[No::PrivacyPolicyMalformed],
            ..REQUIRED
        }),
        option: Some(CommandOption {
            flag: "privacy-policy",
            value: "URL",
            add: (16, "The https address of its privacy policy"),
            set: Some((13, "The https address of its privacy policy; an empty text takes it away")),
        }),
        read: |client| json!(client.privacy_policy),
        write: |client, given, _| {
            client.privacy_policy = web_page(Setting::PrivacyPolicy, given, No::PrivacyPolicyMalformed)?;
            Ok(())
        },
    }
    Terms {
        name: "terms",
        metadata: Some("tos_uri"),
        owner: Some(OwnerField {
            label: "Terms of use",
            hint: "An https address. It stands where people are asked.",
            is_optional: true,
            keyboard: Some("url"),
            refusals: &[No::TermsMalformed],
            ..REQUIRED
        }),
        option: Some(CommandOption {
            flag: "terms",
            value: "URL",
            add: (16, "The https address of its terms of use"),
            set: Some((13, "The https address of its terms of use; an empty text takes it away")),
        }),
        read: |client| json!(client.terms),
        write: |client, given, _| {
            client.terms = web_page(Setting::Terms, given, No::TermsMalformed)?;
            Ok(())
        },
    }
    LogoUri {
        name: "logo_uri",
        metadata: Some("logo_uri"),
        owner: Some(OwnerField {
            label: "Logo",
            hint: "The https address of a picture. People see it when they are asked to allow the application.",
            is_optional: true,
            keyboard: Some("url"),
            refusals: &[No::LogoUriMalformed],
            ..REQUIRED
        }),
        read: |client| json!(client.logo_uri),
        is_shown: false,
        write: |client, given, _| {
            let uri = text(Setting::LogoUri, given)?.trim();
            if !uri.is_empty() && !is_web_address(uri) {
                return Err(Fault::new(Setting::LogoUri, No::LogoUriMalformed));
            }
            client.logo_uri = (!uri.is_empty()).then(|| uri.to_owned());
            Ok(())
        },
    }
    Kind {
        name: "kind",
        form: Form::Word(&[
            ("public", "Runs in a browser or on somebody's device"),
            ("confidential", "Runs on a server of its own"),
        ]),
        option: Some(CommandOption {
            flag: "kind",
            value: "KIND",
            add: (2, "Can it keep a secret? [default: what the dialect says, mostly confidential]"),
            set: Some((1, "Can it keep a secret? A client that becomes confidential gets a secret; one that becomes public loses its secrets")),
        }),
        read: |client| json!(client.kind.as_str()),
        // The kind of a new row is set before all other values, because all defaults depend on it.
        write: |client, given, asked| {
            let kind = ClientKind::from_name(text(Setting::Kind, given)?);
            let kind = kind.ok_or(Fault::new(Setting::Kind, No::ClientKindUnknown))?;
            if kind != client.kind {
                registration::change_kind(client, kind, asked.policy);
            }
            Ok(())
        },
    }
    AuthMethods {
        name: "auth_methods",
        metadata: Some("token_endpoint_auth_method"),
        form: Form::Words(&[
            ("none", "It proves nothing: public clients"),
            ("client_secret_basic", "In the Authorization header"),
            ("client_secret_post", "In the request body"),
            ("private_key_jwt", "By an assertion that it signs with its private key"),
            ("client_secret_jwt", "By an assertion that it signs with its secret (HS256)"),
        ]),
        option: Some(CommandOption {
            flag: "auth-method",
            value: "METHOD",
            add: (7, "How it proves who it is. Repeatable [default: client_secret_basic and client_secret_post, or none]"),
            set: Some((11, "All ways in which it proves who it is: they take the place of those so far. Repeatable")),
        }),
        read: |client| json!(client.auth_methods.iter().map(|method| method.as_str()).collect::<Vec<_>>()),
        write: |client, given, asked| {
            let methods = auth_methods(texts(Setting::AuthMethods, given)?, client.kind)?;
            let is_offered = !asked.policy.assertion_endpoints.is_empty();
            if let Some(method) = methods.iter().find(|own| own.is_by_assertion() && !is_offered) {
                return Err(Fault::with(Setting::AuthMethods, No::AuthMethodNotOffered, method.as_str()));
            }
            if !methods.contains(&AuthMethod::ClientSecretJwt) {
                client.sealed_secrets.clear();
            }
            client.auth_methods = methods;
            Ok(())
        },
    }
    Jwks {
        name: "jwks",
        metadata: Some("jwks"),
        form: Form::Document,
        option: Some(CommandOption {
            flag: "jwks-file",
            value: "FILE",
            add: (21, "Its public keys: a file with a JWK Set (RFC 7517)"),
            set: Some((19, "Its public keys: a file with a JWK Set (RFC 7517). They take the place of --jwks-uri; an empty text takes them away")),
        }),
        read: |client| client.jwks.clone().unwrap_or_default(),
        write: |client, given, _| {
            client.jwks = jwks(text(Setting::Jwks, given)?)?;
            if client.jwks.is_some() {
                client.jwks_uri = None;
            }
            Ok(())
        },
    }
    JwksUri {
        name: "jwks_uri",
        metadata: Some("jwks_uri"),
        option: Some(CommandOption {
            flag: "jwks-uri",
            value: "URL",
            add: (22, "The https URL at which it publishes its public keys (JWK Set)"),
            set: Some((20, "The https URL at which it publishes its public keys. It takes the place of --jwks-file; an empty text takes it away")),
        }),
        read: |client| json!(client.jwks_uri),
        write: |client, given, _| {
            client.jwks_uri = web_page(Setting::JwksUri, given, No::KeysUriMalformed)?;
            if client.jwks_uri.is_some() {
                client.jwks = None;
            }
            Ok(())
        },
    }
    AssertionAudience {
        name: "assertion_audience",
        form: Form::Word(&[
            ("issuer", "The issuer"),
            ("endpoint", "The issuer, or the URL of an endpoint, as older libraries name it"),
        ]),
        option: Some(CommandOption {
            flag: "assertion-audience",
            value: "WORD",
            add: (23, "What its assertions may name as their audience (aud) [default: issuer]"),
            set: Some((21, "What its assertions may name as their audience (aud)")),
        }),
        read: |client| json!(client.assertion_audience.as_str()),
        write: |client, given, _| {
            let word = AssertionAudience::from_name(text(Setting::AssertionAudience, given)?);
            client.assertion_audience = word.ok_or(malformed(Setting::AssertionAudience))?;
            Ok(())
        },
    }
    Grants {
        name: "grants",
        metadata: Some("grant_types"),
        form: Form::Grants,
        option: Some(CommandOption {
            flag: "grant",
            value: "GRANT",
            add: (4, "A grant that it may use, by the RFC's word. Repeatable"),
            set: Some((2, "All grants that it may use: they take the place of those so far. Repeatable")),
        }),
        read: |client| json!(client.grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>()),
        write: |client, given, asked| {
            client.grants = registration::named_grants(texts(Setting::Grants, given)?, client.kind, asked)?;
            Ok(())
        },
    }
    Scope {
        name: "scope",
        metadata: Some("scope"),
        option: Some(CommandOption {
            flag: "scope",
            value: "SCOPES",
            add: (5, "The scopes that it may ask for, separated by spaces"),
            set: Some((2, "The scopes that it may ask for, separated by spaces")),
        }),
        read: |client| json!(client.scope.as_str()),
        write: |client, given, asked| {
            client.scope = registration::named_scope(text(Setting::Scope, given)?, asked.policy)
                .map_err(|(no, word)| Fault::with(Setting::Scope, no, word))?;
            client.operator_scope = client.scope.clone();
            Ok(())
        },
    }
    RedirectUris {
        name: "redirect_uris",
        metadata: Some("redirect_uris"),
        form: Form::Texts,
        owner: Some(OwnerField {
            label: "Redirect URIs",
            hint: "Where people come back to, one a line. They must match exactly: https, or http for this machine only.",
            refusals: &[
                No::RedirectUriTooLong,
                No::RedirectUriCharacters,
                No::RedirectUriFragment,
                No::RedirectUriWildcard,
                No::RedirectUriRelative,
                No::RedirectUriUserinfo,
                No::RedirectUriPort,
                No::RedirectUriHost,
                No::RedirectUriDots,
                No::RedirectUriNotWrittenOut,
                No::RedirectUriUnencrypted,
                No::RedirectUriSchemeForbidden,
                No::RedirectUriSchemeVague,
                No::RedirectUriOfConfidential,
                No::RedirectUrisMissing,
                No::RedirectUrisTooMany,
            ],
            ..REQUIRED
        }),
        option: Some(CommandOption {
            flag: "redirect-uri",
            value: "URI",
            add: (3, "Where its users are sent back to, byte for byte. Repeatable"),
            set: Some((1, "All its redirect URIs: they take the place of those so far. Repeatable")),
        }),
        read: |client| json!(client.redirect_uris),
        write: |client, given, _| {
            client.redirect_uris = redirect_uris(texts(Setting::RedirectUris, given)?, client.kind)?;
            Ok(())
        },
    }
    Resources {
        name: "resources",
        form: Form::Texts,
        option: Some(CommandOption {
            flag: "resource",
            value: "URL",
            add: (6, "A resource (RFC 8707) that it answers for: it may introspect tokens for it. Repeatable"),
            set: Some((3, "All resources (RFC 8707) that it answers for. Repeatable")),
        }),
        read: |client| json!(client.audience),
        write: |client, given, _| {
            client.audience = resources(texts(Setting::Resources, given)?)?;
            Ok(())
        },
    }
    Pkce {
        name: "pkce",
        form: Form::Word(&[
            ("required", "Every authorization request needs a challenge"),
            ("optional", "A challenge is honoured when it comes"),
        ]),
        option: Some(CommandOption {
            flag: "pkce",
            value: "PKCE",
            add: (8, "Must it use PKCE? [default: what the dialect says, mostly required]"),
            set: Some((4, "Must it use PKCE?")),
        }),
        read: |client| json!(client.pkce.as_str()),
        write: |client, given, asked| {
            let wish = Pkce::from_name(text(Setting::Pkce, given)?).ok_or(malformed(Setting::Pkce))?;
            if registration::pkce(wish, client.kind, asked.policy) != wish {
                return Err(Fault::new(Setting::Pkce, No::PkceNotOptional));
            }
            client.pkce = wish;
            Ok(())
        },
    }
    RequirePar {
        name: "require_par",
        metadata: Some("require_pushed_authorization_requests"),
        form: Form::Flag,
        option: Some(CommandOption {
            flag: "require-par",
            value: "YES_OR_NO",
            add: (20, "It must push its authorization requests (RFC 9126): a request that a browser brings is refused"),
            set: Some((18, "It must push its authorization requests (RFC 9126)")),
        }),
        read: |client| json!(client.is_par_required),
        write: |client, given, asked| {
            let is_required = flag(Setting::RequirePar, given)?;
            if is_required && !asked.policy.is_par_offered {
                return Err(Fault::new(Setting::RequirePar, No::ParNotOffered));
            }
            client.is_par_required = is_required;
            Ok(())
        },
    }
    RequireSignedRequest {
        name: "require_signed_request_object",
        metadata: Some("require_signed_request_object"),
        form: Form::Flag,
        option: Some(CommandOption {
            flag: "require-signed-request",
            value: "YES_OR_NO",
            add: (24, "It must sign its authorization requests (RFC 9101)"),
            set: Some((22, "It must sign its authorization requests (RFC 9101)")),
        }),
        read: |client| json!(client.is_signature_required),
        write: |client, given, asked| {
            let is_required = flag(Setting::RequireSignedRequest, given)?;
            if is_required && !asked.policy.is_par_offered {
                return Err(Fault::new(Setting::RequireSignedRequest, No::ParNotOffered));
            }
            client.is_signature_required = is_required;
            Ok(())
        },
    }
    Refresh {
        name: "refresh",
        form: Form::Word(&[
            ("rotate", "Each use gives a new one"),
            ("reuse", "It stays the same"),
            ("none", "None is issued"),
        ]),
        option: Some(CommandOption {
            flag: "refresh",
            value: "REFRESH",
            add: (9, "What happens to a refresh token when it is used? [default: what the dialect says, mostly rotate]"),
            set: Some((5, "What happens to a refresh token when it is used?")),
        }),
        read: |client| json!(client.refresh.as_str()),
        write: |client, given, _| {
            client.refresh = RefreshMode::from_name(text(Setting::Refresh, given)?).ok_or(malformed(Setting::Refresh))?;
            Ok(())
        },
    }
    AccessTtl {
        name: "access_ttl_s",
        form: Form::Seconds,
        option: Some(CommandOption {
            flag: "access-ttl",
            value: "DURATION",
            add: (10, "Lifetime of its access tokens, such as 10m"),
            set: Some((6, "Lifetime of its access tokens, such as 10m")),
        }),
        read: |client| json!(client.access_ttl_s),
        write: |client, given, _| {
            client.access_ttl_s = Some(seconds(Setting::AccessTtl, given)?);
            Ok(())
        },
    }
    IdTokenAlg {
        name: "id_token_signed_response_alg",
        metadata: Some("id_token_signed_response_alg"),
        form: Form::Word(&[
            ("RS256", "RSA PKCS #1 v1.5 with SHA-256: every client library knows it"),
            ("PS256", "RSA PSS with SHA-256"),
            ("ES256", "ECDSA with P-256 and SHA-256: small and quick to sign"),
            ("EdDSA", "Ed25519"),
        ]),
        option: Some(CommandOption {
            flag: "id-token-alg",
            value: "ALG",
            add: (24, "The algorithm that signs its ID tokens [default: RS256]"),
            set: Some((22, "The algorithm that signs its ID tokens")),
        }),
        read: |client| json!(client.id_token_alg.unwrap_or(Algorithm::Rs256).as_str()),
        write: |client, given, _| {
            let algorithm = Algorithm::from_name(text(Setting::IdTokenAlg, given)?);
            let algorithm = algorithm.ok_or(malformed(Setting::IdTokenAlg))?;
            client.id_token_alg = (algorithm != Algorithm::Rs256).then_some(algorithm);
            Ok(())
        },
    }
    RefreshTtl {
        name: "refresh_ttl_s",
        form: Form::Seconds,
        option: Some(CommandOption {
            flag: "refresh-ttl",
            value: "DURATION",
            add: (11, "A refresh token dies when it is not used for so long, such as 30d"),
            set: Some((7, "A refresh token dies when it is not used for so long, such as 30d")),
        }),
        read: |client| json!(client.refresh_ttl_s),
        write: |client, given, _| {
            client.refresh_ttl_s = Some(seconds(Setting::RefreshTtl, given)?);
            Ok(())
        },
    }
    FirstParty {
        name: "is_first_party",
        form: Form::Flag,
        option: Some(CommandOption {
            flag: "first-party",
            value: "YES_OR_NO",
            add: (12, "Your own application: no consent screen"),
            set: Some((8, "Your own application: no consent screen")),
        }),
        read: |client| json!(client.is_first_party),
        write: |client, given, _| {
            client.is_first_party = flag(Setting::FirstParty, given)?;
            Ok(())
        },
    }
    Introspection {
        name: "introspection",
        form: Form::Word(&[
            ("own", "Tokens that were issued to it, and tokens for the resources that it answers for"),
            ("any", "Every access token and personal access token of its dialect"),
        ]),
        option: Some(CommandOption {
            flag: "introspection",
            value: "WORD",
            add: (
                13,
                "Which tokens introspection describes to it: `own` for those that were issued to it and those for the \
                 resources that it answers for, `any` for every token of the dialect [default: own]",
            ),
            set: Some((9, "Which tokens introspection describes to it")),
        }),
        read: |client| json!(client.introspection.map(Introspection::as_str)),
        write: |client, given, _| {
            let word = Introspection::from_name(text(Setting::Introspection, given)?);
            let word = word.ok_or(malformed(Setting::Introspection))?;
            // RFC 7662 §2.1 requires authorization, so a public client cannot introspect.
            if word == Introspection::Any && client.kind == ClientKind::Public {
                return Err(Fault::new(Setting::Introspection, No::IntrospectionOfPublicClient));
            }
            client.introspection = Some(word);
            Ok(())
        },
    }
    AccountsApi {
        name: "accounts_api",
        form: Form::Flag,
        option: Some(CommandOption {
            flag: "accounts-api",
            value: "YES_OR_NO",
            add: (14, ACCOUNTS_API),
            set: Some((10, ACCOUNTS_API)),
        }),
        read: |client| json!(client.may_use_accounts_api()),
        write: |client, given, _| {
            client.accounts_api = Some(accounts_api(flag(Setting::AccountsApi, given)?, client)?);
            Ok(())
        },
    }
}

const ACCOUNTS_API: &str = "Let it use the accounts API (/api/accounts): it may read and change the attributes of every \
    account. Each use is an event";

/// The dialect whose clients can use the accounts API, which belongs to no surface.
const ACCOUNTS_DIALECT: &str = "standard";
/// Maximum size of the public keys of a client, in bytes.
const JWKS_BYTES_MAX: usize = 16 * 1024;
/// The members of a key that are private: RFC 7518 §6.2.2, §6.3.2 and §6.4.1, and RFC 8037 §2.
const PRIVATE_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// Maximum length of the URL of a logo or a page in bytes, as for a redirect URI.
const WEB_ADDRESS_BYTES_MAX: usize = REDIRECT_URI_BYTES_MAX;

fn malformed(setting: Setting) -> Fault {
    Fault::with(setting, No::SettingMalformed, setting.row().name)
}

fn text(setting: Setting, given: &Given) -> Result<&str, Fault> {
    if let Given::Text(text) = given { Ok(text) } else { Err(malformed(setting)) }
}

fn texts(setting: Setting, given: &Given) -> Result<&[String], Fault> {
    if let Given::Texts(texts) = given { Ok(texts) } else { Err(malformed(setting)) }
}

fn seconds(setting: Setting, given: &Given) -> Result<u64, Fault> {
    match given {
        Given::Seconds(seconds) if *seconds > 0 => Ok(*seconds),
        _ => Err(malformed(setting)),
    }
}

fn flag(setting: Setting, given: &Given) -> Result<bool, Fault> {
    if let Given::Flag(flag) = given { Ok(*flag) } else { Err(malformed(setting)) }
}

fn display_name(setting: Setting, given: &Given) -> Result<String, Fault> {
    let name = names::display_name(text(setting, given)?).map_err(|fault| Fault::of_name(setting, fault))?;
    Ok(name.to_owned())
}

/// Checks the URL of a homepage. Only the operator may give an http URL, because the consent page links to it.
fn homepage(url: &str, asker: Asker) -> Result<Option<String>, Fault> {
    if url.is_empty() {
        return Ok(None);
    }
    if let Err(fault) = names::check_characters(url) {
        return Err(Fault::with(Setting::Homepage, No::HomepageCharacter, fault.place()));
    }
    if asker == Asker::Owner && !is_web_address(url) {
        return Err(Fault::with(Setting::Homepage, No::HomepageUnencrypted, url));
    }
    match url::Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "https" | "http") => Ok(Some(url.to_owned())),
        _ => Err(Fault::with(Setting::Homepage, No::HomepageMalformed, url)),
    }
}

/// Checks the https URL of a page about an application. An empty text is no URL.
fn web_page(setting: Setting, given: &Given, no: No) -> Result<Option<String>, Fault> {
    let url = text(setting, given)?.trim();
    if !url.is_empty() && !is_web_address(url) {
        return Err(Fault::with(setting, no, url));
    }
    Ok((!url.is_empty()).then(|| url.to_owned()))
}

fn is_web_address(uri: &str) -> bool {
    let is_plain = uri.len() <= WEB_ADDRESS_BYTES_MAX
        && uri.starts_with("https://")
        && uri.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\'));
    is_plain
        && url::Url::parse(uri).is_ok_and(|url| url.has_host() && url.username().is_empty() && url.password().is_none())
}

/// Checks the public keys of a client. An empty text stands for none.
fn jwks(json: &str) -> Result<Option<Value>, Fault> {
    let refused = |why: &str| Err(Fault::with(Setting::Jwks, No::KeysMalformed, why));
    if json.trim().is_empty() {
        return Ok(None);
    }
    if json.len() > JWKS_BYTES_MAX {
        return refused("more than 16384 bytes");
    }
    let keys = match KeySet::parse(json.as_bytes()) {
        Ok(keys) => keys,
        Err(why) => return refused(why),
    };
    let document: Value = serde_json::from_str(json).map_err(|_| malformed(Setting::Jwks))?;
    let written = document["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    if written.iter().any(|key| PRIVATE_MEMBERS.iter().any(|name| key.get(name).is_some())) {
        return refused("a key is private. Register the public part alone");
    }
    if keys.is_empty() {
        return refused("no key can be used. Register a key for RS256, PS256, ES256 or EdDSA");
    }
    Ok(Some(document))
}

/// Returns the fault of a client whose authentication needs public keys that it does not have, or that has two sets of them.
pub(crate) fn keys_fault(client: &Client, proposal: &Proposal) -> Option<Fault> {
    let is_given = |setting| match proposal.get(setting) {
        Some(Given::Text(text)) => !text.trim().is_empty(),
        _ => false,
    };
    // RFC 7591 §2: "The "jwks_uri" and "jwks" parameters MUST NOT both be present in the same request or response."
    if is_given(Setting::Jwks) && is_given(Setting::JwksUri) {
        return Some(Fault::new(Setting::JwksUri, No::KeysTwice));
    }
    let has_keys = client.jwks.is_some() || client.jwks_uri.is_some();
    let is_lacking = client.auth_methods.contains(&AuthMethod::PrivateKeyJwt) && !has_keys;
    is_lacking.then(|| Fault::new(Setting::AuthMethods, No::KeysMissing))
}

fn auth_methods(words: &[String], kind: ClientKind) -> Result<Vec<AuthMethod>, Fault> {
    let no = |no| Err(Fault::new(Setting::AuthMethods, no));
    let mut methods = Vec::new();
    for word in words {
        let method = AuthMethod::from_name(word).ok_or_else(|| malformed(Setting::AuthMethods))?;
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    // As the row keeps them.
    methods.sort_by_key(|own| own.is_by_assertion());
    match kind {
        ClientKind::Public if methods.iter().any(|method| *method != AuthMethod::None) => {
            no(No::AuthMethodOfPublicClient)
        }
        ClientKind::Confidential if methods.contains(&AuthMethod::None) => no(No::AuthMethodOfConfidentialClient),
        ClientKind::Public | ClientKind::Confidential if methods.is_empty() => Ok(registration::auth_methods(kind)),
        ClientKind::Public | ClientKind::Confidential => Ok(methods),
    }
}

fn redirect_uris(uris: &[String], kind: ClientKind) -> Result<Vec<String>, Fault> {
    let mut checked: Vec<String> = Vec::new();
    for uri in uris {
        redirect::may_register(uri, kind).map_err(|no| Fault::with(Setting::RedirectUris, no, uri))?;
        if !checked.contains(uri) {
            checked.push(uri.clone());
        }
    }
    Ok(checked)
}

/// RFC 8707 §2: "Its value MUST be an absolute URI […]. The URI MUST NOT include a fragment component."
fn resources(urls: &[String]) -> Result<Vec<String>, Fault> {
    match urls.iter().find(|url| url::Url::parse(url).is_err() || url.contains('#')) {
        Some(url) => Err(Fault::with(Setting::Resources, No::ResourceMalformed, url)),
        None => Ok(urls.to_vec()),
    }
}

fn accounts_api(is_wanted: bool, client: &Client) -> Result<bool, Fault> {
    if is_wanted && client.dialect != ACCOUNTS_DIALECT {
        return Err(Fault::with(Setting::AccountsApi, No::AccountsApiOfOtherDialect, &client.dialect));
    }
    if is_wanted && client.kind == ClientKind::Public {
        return Err(Fault::new(Setting::AccountsApi, No::AccountsApiOfPublicClient));
    }
    Ok(is_wanted)
}

/// Returns the faults of values that do not fit the kind of the application.
pub(crate) fn unfit(client: &Client) -> Vec<Fault> {
    let grant = client.grants.iter().find(|grant| !grant.fits(client.kind));
    let mut faults: Vec<Fault> = grant
        .map(|grant| Fault::with(Setting::Grants, No::GrantOfConfidentialClient, grant.as_str()))
        .into_iter()
        .collect();
    faults.extend(redirect_uris(&client.redirect_uris, client.kind).err());
    if client.kind == ClientKind::Public {
        if client.introspection == Some(Introspection::Any) {
            faults.push(Fault::new(Setting::Introspection, No::IntrospectionOfPublicClient));
        }
        if client.accounts_api == Some(true) {
            faults.push(Fault::new(Setting::AccountsApi, No::AccountsApiOfPublicClient));
        }
    }
    faults
}

/// Parses the names of grant types.
pub(crate) fn grant_types(words: &[String]) -> Result<Vec<GrantType>, Fault> {
    let mut grants = Vec::new();
    for word in words {
        let grant =
            GrantType::from_name(word).ok_or_else(|| Fault::with(Setting::Grants, No::GrantNotOffered, word))?;
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    Ok(grants)
}
