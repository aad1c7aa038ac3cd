//! Registering an application, and changing what is said about it.

use clap::Args;
use protocol::client::registration;
use protocol::client::rights::Introspection;
use protocol::line::Write;
use protocol::model::{
    AuthMethod, Client, ClientKey, ClientKind, ClientSecret, EventKind, GrantType, Pkce, RefreshMode, UserKey,
};
use protocol::policy::Policy;
use protocol::redirect;
use protocol::resource_indicator;
use protocol::scope::Scope;
use protocol::secret::Secret;
use serde_json::{Value, json};
use url::Url;

use super::super::answer::{Answer, Stop};
use super::super::checked::{checked_characters, checked_id, checked_name};
use super::super::desk::{Desk, Draft};
use super::super::{input, show};
use super::{APPEND, IntrospectionWord, Kind, Method, PkceWord, RefreshWord, grant_type, lifetime, secret, with_owner};
use crate::config::suggestion;

#[derive(Debug, Default, Args)]
pub(crate) struct Add {
    /// The name that people read on the consent screen.
    #[arg(long)]
    pub(crate) name: String,
    /// The dialect that it speaks [default: standard].
    #[arg(long, value_name = "NAME")]
    pub(crate) dialect: Option<String>,
    /// Can it keep a secret? [default: what the dialect says, mostly confidential]
    #[arg(long)]
    pub(crate) kind: Option<Kind>,
    /// Where its users are sent back to, byte for byte. Repeatable.
    #[arg(long = "redirect-uri", value_name = "URI", action = APPEND)]
    pub(crate) redirect_uris: Vec<String>,
    /// A grant that it may use, by the RFC's word. Repeatable.
    #[arg(long = "grant", value_name = "GRANT", action = APPEND, value_parser = grant_type)]
    pub(crate) grants: Vec<GrantType>,
    /// The scopes that it may ask for, separated by spaces.
    #[arg(long, value_name = "SCOPES")]
    pub(crate) scope: Option<String>,
    /// A resource (RFC 8707) that it answers for: it may introspect tokens for it. Repeatable.
    #[arg(long = "resource", value_name = "URL", action = APPEND)]
    pub(crate) resources: Vec<String>,
    /// How it proves who it is. Repeatable [default: client_secret_basic and client_secret_post, or none].
    #[arg(long = "auth-method", value_name = "METHOD", action = APPEND)]
    pub(crate) auth_methods: Vec<Method>,
    /// Must it use PKCE? [default: what the dialect says, mostly required]
    #[arg(long)]
    pub(crate) pkce: Option<PkceWord>,
    /// What happens to a refresh token when it is used? [default: what the dialect says, mostly rotate]
    #[arg(long)]
    pub(crate) refresh: Option<RefreshWord>,
    /// Lifetime of its access tokens, such as 10m.
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    pub(crate) access_ttl: Option<u64>,
    /// A refresh token dies when it is not used for so long, such as 30d.
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    pub(crate) refresh_ttl: Option<u64>,
    /// Your own application: no consent screen.
    #[arg(long)]
    pub(crate) first_party: bool,
    /// Which tokens introspection describes to it: `own` for those that were issued to it and those for the resources that
    /// it answers for, `any` for every token of the dialect [default: own].
    #[arg(long, value_name = "WORD")]
    pub(crate) introspection: Option<IntrospectionWord>,
    /// Let it use the accounts API (/api/accounts): it may read and change the attributes of every account. Each use is an
    /// event.
    #[arg(long)]
    pub(crate) accounts_api: bool,
    /// Who publishes it, for the consent screen.
    #[arg(long)]
    pub(crate) publisher: Option<String>,
    /// A page about it.
    #[arg(long, value_name = "URL")]
    pub(crate) homepage: Option<String>,
    /// The person whose application it is.
    #[arg(long, value_name = "USER")]
    pub(crate) owner: Option<String>,
    /// Keep an existing client_id; without it a random one is made.
    #[arg(long, value_name = "CLIENT_ID")]
    pub(crate) id: Option<String>,
    /// Keep an existing secret, from standard input.
    #[arg(long)]
    pub(crate) secret_stdin: bool,
}

/// A client that was just registered, and its secret where one was made.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) client: Client,
    pub(crate) secret: Option<Secret>,
    /// What the operator should know about what was imported.
    pub(crate) warnings: Vec<&'static str>,
}

impl Add {
    pub(super) async fn run(self, desk: &Desk) -> Result<Answer, Stop> {
        let added = self.add(desk).await?;
        let mut document = with_owner(&added.client, desk).await?;
        let mut text = format!("Registered {}.\n\n{}", added.client.name, show::lines(&document));
        warn_of_localhost(&added.client, &mut document, &mut text);
        for resource in added.client.audience.iter().filter(|own| !is_offered(own, &added.client, desk)) {
            text.push_str(&format!(
                "\nNo token can be asked for {resource} yet: add it to `resources` of [dialect.{}].\n",
                added.client.dialect
            ));
        }
        secret::warn(&added.warnings, &mut document, &mut text);
        if let Some(secret) = &added.secret {
            document["client_secret"] = json!(secret.reveal());
            text.push_str(&format!("\nThe secret is shown here and never again:\n  {}\n", secret.reveal()));
        }
        Ok(Answer::new(document, text))
    }

    /// Registers the client.
    pub(crate) async fn add(self, desk: &Desk) -> Result<Added, Stop> {
        let client = self.row(desk).await?;
        let imported = if self.secret_stdin { Some(input::stdin("the client secret")?) } else { None };
        if imported.is_some() && client.kind == ClientKind::Public {
            return Err(Stop::usage("a public client has no secret: leave out --secret-stdin or --kind public"));
        }
        desk.change(async |draft: &mut Draft| {
            let mut client = client.clone();
            client.key = ClientKey(draft.entropy.next_id());
            client.created_at = draft.now;
            if client.client_id.is_empty() {
                client.client_id = registration::client_id(&mut draft.entropy);
            }
            let (kept, shown) = match (&imported, client.kind) {
                (_, ClientKind::Public) => (None, None),
                (Some(secret), _) => (Some(secret::imported(secret, draft)?), None),
                (None, _) => {
                    let (kept, secret) = registration::secret(draft.now, &mut draft.entropy);
                    (Some(kept), Some(secret))
                }
            };
            client.secrets = kept.into_iter().collect::<Vec<ClientSecret>>();
            draft.write(Write::PutClient(Box::new(client.clone())));
            draft.note(EventKind::ClientAdded, client.owner, Some(client.key), &client.client_id);
            let warnings = secret::warnings(self.id.as_deref(), imported.as_ref());
            Ok(Added { client, secret: shown, warnings })
        })
        .await
    }

    /// The row, but for what is drawn when it is written.
    async fn row(&self, desk: &Desk) -> Result<Client, Stop> {
        let dialect = desk.dialect(self.dialect.as_deref())?;
        let policy = desk.configuration.policy(&dialect.name).ok_or_else(|| Stop::no("the dialect has no policy"))?;
        let kind = self.kind(policy.client.kind)?;
        let grants = self.grants(kind, policy)?;
        let is_sent_back = grants.iter().any(|grant| is_redirecting(*grant));
        if is_sent_back && self.redirect_uris.is_empty() {
            return Err(Stop::usage(
                "--redirect-uri is missing: where does the application get its users back? \
                 A program without users says --grant client_credentials, an API says --resource URL",
            ));
        }
        let usual = registration::client(kind, policy);
        Ok(Client {
            client_id: self.id.as_deref().map(checked_id).transpose()?.unwrap_or_default(),
            name: checked_name(&self.name)?,
            publisher: self.publisher.as_deref().map(checked_name).transpose()?,
            homepage: self.homepage.as_deref().map(checked_page).transpose()?,
            auth_methods: checked_methods(&self.auth_methods, kind)?,
            redirect_uris: checked_redirects(&self.redirect_uris, kind)?,
            pkce: match self.pkce {
                Some(wish) => checked_pkce(wish.into(), kind, policy)?,
                None => usual.pkce,
            },
            refresh: self.refresh.map_or(usual.refresh, RefreshMode::from),
            grants,
            scope: checked_scope(self.scope.as_deref(), policy)?,
            operator_scope: match &self.scope {
                Some(named) => checked_scope(Some(named), policy)?,
                None => Scope::default(),
            },
            audience: checked_resources(&self.resources)?,
            access_ttl_s: self.access_ttl,
            refresh_ttl_s: self.refresh_ttl,
            is_first_party: self.first_party,
            introspection: Some(checked_introspection(self.introspection, kind)?),
            accounts_api: Some(checked_accounts_api(self.accounts_api, kind, &policy.dialect)?),
            owner: owner(self.owner.as_deref(), desk).await?,
            created_at: desk.now(),
            ..usual
        })
    }

    fn kind(&self, default: ClientKind) -> Result<ClientKind, Stop> {
        let is_public_by_method = self.auth_methods.contains(&Method::None);
        match self.kind {
            Some(Kind::Confidential) if is_public_by_method => {
                Err(Stop::usage("a confidential client proves who it is: --auth-method none is for --kind public"))
            }
            Some(kind) => Ok(kind.into()),
            None if is_public_by_method => Ok(ClientKind::Public),
            None => Ok(default),
        }
    }

    fn grants(&self, kind: ClientKind, policy: &Policy) -> Result<Vec<GrantType>, Stop> {
        for grant in &self.grants {
            if !policy.grants.contains(grant) {
                let near = suggestion(grant.as_str(), policy.grants.iter().map(|own| own.as_str()));
                return Err(Stop::no(format!(
                    "the dialect `{}` has no grant `{}`{near}",
                    policy.dialect,
                    grant.as_str()
                )));
            }
        }
        if kind == ClientKind::Public && self.grants.contains(&GrantType::ClientCredentials) {
            // RFC 6749 §4.4: "The client credentials grant type MUST only be used by confidential clients."
            return Err(Stop::usage(
                "a public client has no credentials: --grant client_credentials needs --kind confidential",
            ));
        }
        if !self.grants.is_empty() {
            let mut grants = self.grants.clone();
            grants.dedup();
            return Ok(grants);
        }
        let is_api = !self.resources.is_empty() && self.redirect_uris.is_empty();
        let fits = |grant: &GrantType| {
            !is_api && (*grant != GrantType::RefreshToken || self.refresh != Some(RefreshWord::None))
        };
        Ok(registration::grants(kind, policy).into_iter().filter(fits).collect())
    }
}

/// Changes; what is not named stays.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The client_id.
    #[arg(value_name = "CLIENT")]
    client: String,
    /// The name that people read on the consent screen.
    #[arg(long)]
    name: Option<String>,
    /// All its redirect URIs: they take the place of those so far. Repeatable.
    #[arg(long = "redirect-uri", value_name = "URI", action = APPEND)]
    redirect_uris: Vec<String>,
    /// The scopes that it may ask for, separated by spaces.
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// All resources (RFC 8707) that it answers for. Repeatable.
    #[arg(long = "resource", value_name = "URL", action = APPEND)]
    resources: Vec<String>,
    /// Must it use PKCE?
    #[arg(long)]
    pkce: Option<PkceWord>,
    /// What happens to a refresh token when it is used?
    #[arg(long)]
    refresh: Option<RefreshWord>,
    /// Lifetime of its access tokens, such as 10m.
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    access_ttl: Option<u64>,
    /// A refresh token dies when it is not used for so long, such as 30d.
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    refresh_ttl: Option<u64>,
    /// Your own application: no consent screen.
    #[arg(long, value_name = "YES_OR_NO", value_parser = clap::builder::BoolishValueParser::new())]
    first_party: Option<bool>,
    /// Which tokens introspection describes to it.
    #[arg(long, value_name = "WORD")]
    introspection: Option<IntrospectionWord>,
    /// Let it use the accounts API (/api/accounts): it may read and change the attributes of every account. Each use is an
    /// event.
    #[arg(long, value_name = "YES_OR_NO", value_parser = clap::builder::BoolishValueParser::new())]
    accounts_api: Option<bool>,
    /// All ways in which it proves who it is: they take the place of those so far. Repeatable.
    #[arg(long = "auth-method", value_name = "METHOD", action = APPEND)]
    auth_methods: Vec<Method>,
    /// Who publishes it, for the consent screen.
    #[arg(long)]
    publisher: Option<String>,
    /// A page about it.
    #[arg(long, value_name = "URL")]
    homepage: Option<String>,
    /// The person whose application it is.
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
}

impl Set {
    pub(super) async fn run(self, desk: &Desk) -> Result<Answer, Stop> {
        let owner = owner(self.owner.as_deref(), desk).await?;
        let (client, ()) = desk
            .alter_client(&self.client, |client, _| {
                let policy = desk.configuration.policy(&client.dialect).ok_or_else(|| {
                    Stop::no(format!("the dialect `{}` of this client is not switched on", client.dialect))
                })?;
                self.apply(client, policy)?;
                if client.owner.is_none() && client.operator_scope.is_empty() {
                    // Until now all of its scopes came from the operator.
                    client.operator_scope = client.scope.clone();
                }
                client.owner = owner.or(client.owner);
                Ok(("changed by the operator", ()))
            })
            .await?;
        let mut document = with_owner(&client, desk).await?;
        let mut text = show::lines(&document);
        if !self.redirect_uris.is_empty() {
            warn_of_localhost(&client, &mut document, &mut text);
        }
        Ok(Answer::new(document, text))
    }

    fn apply(&self, client: &mut Client, policy: &Policy) -> Result<(), Stop> {
        if let Some(name) = &self.name {
            client.name = checked_name(name)?;
        }
        if !self.redirect_uris.is_empty() {
            client.redirect_uris = checked_redirects(&self.redirect_uris, client.kind)?;
        }
        if self.scope.is_some() {
            client.scope = checked_scope(self.scope.as_deref(), policy)?;
            client.operator_scope = client.scope.clone();
        }
        if !self.resources.is_empty() {
            client.audience = checked_resources(&self.resources)?;
        }
        if let Some(pkce) = self.pkce {
            client.pkce = checked_pkce(pkce.into(), client.kind, policy)?;
        }
        if let Some(refresh) = self.refresh {
            client.refresh = refresh.into();
        }
        client.access_ttl_s = self.access_ttl.or(client.access_ttl_s);
        client.refresh_ttl_s = self.refresh_ttl.or(client.refresh_ttl_s);
        client.is_first_party = self.first_party.unwrap_or(client.is_first_party);
        if self.introspection.is_some() {
            client.introspection = Some(checked_introspection(self.introspection, client.kind)?);
        }
        if let Some(accounts_api) = self.accounts_api {
            client.accounts_api = Some(checked_accounts_api(accounts_api, client.kind, &client.dialect)?);
        }
        if !self.auth_methods.is_empty() {
            client.auth_methods = checked_methods(&self.auth_methods, client.kind)?;
        }
        if let Some(publisher) = &self.publisher {
            client.publisher = Some(checked_name(publisher)?);
        }
        if let Some(homepage) = &self.homepage {
            client.homepage = Some(checked_page(homepage)?);
        }
        Ok(())
    }
}

fn checked_methods(words: &[Method], kind: ClientKind) -> Result<Vec<AuthMethod>, Stop> {
    let mut methods: Vec<AuthMethod> = words.iter().map(|method| (*method).into()).collect();
    if kind == ClientKind::Public {
        if methods.iter().any(|method| *method != AuthMethod::None) {
            return Err(Stop::usage("a public client has no secret to send: its only --auth-method is none"));
        }
        return Ok(vec![AuthMethod::None]);
    }
    if methods.contains(&AuthMethod::None) {
        return Err(Stop::usage("a confidential client proves who it is: --auth-method none is for --kind public"));
    }
    if methods.is_empty() {
        methods = registration::auth_methods(kind);
    }
    methods.dedup();
    Ok(methods)
}

/// RFC 7662 §2.1 wants authorization, so a public client does not introspect at all.
fn checked_introspection(word: Option<IntrospectionWord>, kind: ClientKind) -> Result<Introspection, Stop> {
    match word {
        Some(IntrospectionWord::Any) if kind == ClientKind::Public => {
            Err(Stop::usage("a public client cannot introspect tokens: --introspection any needs --kind confidential"))
        }
        word => Ok(word.map_or(Introspection::Own, Introspection::from)),
    }
}

/// The dialect whose clients the accounts API authenticates, like all addresses that belong to no other surface.
const ACCOUNTS_DIALECT: &str = "standard";

fn checked_accounts_api(is_wanted: bool, kind: ClientKind, dialect: &str) -> Result<bool, Stop> {
    if is_wanted && dialect != ACCOUNTS_DIALECT {
        return Err(Stop::usage(format!(
            "a client of {dialect} cannot use the accounts API: register a client of its own, with --dialect standard"
        )));
    }
    if is_wanted && kind == ClientKind::Public {
        return Err(Stop::usage(
            "a public client cannot use the accounts API: --accounts-api needs --kind confidential",
        ));
    }
    Ok(is_wanted)
}

/// Can tokens be asked for this resource?
fn is_offered(resource: &str, client: &Client, desk: &Desk) -> bool {
    let policy = desk.configuration.policy(&client.dialect);
    policy.is_some_and(|policy| resource_indicator::is_among(&policy.resources, resource))
}

fn is_redirecting(grant: GrantType) -> bool {
    matches!(grant, GrantType::AuthorizationCode | GrantType::Implicit)
}

async fn owner(name: Option<&str>, desk: &Desk) -> Result<Option<UserKey>, Stop> {
    match name {
        Some(name) => Ok(Some(desk.user(name).await?.key)),
        None => Ok(None),
    }
}

fn checked_redirects(uris: &[String], kind: ClientKind) -> Result<Vec<String>, Stop> {
    let mut checked: Vec<String> = Vec::new();
    for uri in uris {
        redirect::may_register(uri, kind).map_err(|no| Stop::usage(format!("{uri}: {}", no.row().text)))?;
        if !checked.contains(uri) {
            checked.push(uri.clone());
        }
    }
    Ok(checked)
}

/// Tells about redirect URIs that work and for which there is a better choice.
fn warn_of_localhost(client: &Client, document: &mut Value, text: &mut String) {
    let uris = client.redirect_uris.iter().filter(|uri| redirect::is_on_localhost(uri, client.kind));
    let warnings: Vec<String> = uris.map(|uri| format!("{uri}: {}", redirect::LOCALHOST_ADVICE)).collect();
    if warnings.is_empty() {
        return;
    }
    for warning in &warnings {
        text.push_str(&format!("\nWarning: {warning}.\n"));
    }
    document["warnings"] = json!(warnings);
}

fn checked_scope(text: Option<&str>, policy: &Policy) -> Result<Scope, Stop> {
    let known = || policy.scope.list.iter().map(|(word, _)| word.as_str());
    let Some(text) = text else { return Ok(registration::scope(policy)) };
    let scope = Scope::parse(text).map_err(|word| Stop::usage(format!("{word:?} cannot be a scope")))?;
    for word in scope.iter() {
        if policy.scope.sentence(word).is_none() {
            let near = suggestion(word, known());
            return Err(Stop::no(format!("the dialect `{}` has no scope `{word}`{near}", policy.dialect)));
        }
    }
    Ok(scope)
}

fn checked_pkce(wish: Pkce, kind: ClientKind, policy: &Policy) -> Result<Pkce, Stop> {
    match registration::pkce(wish, kind, policy) {
        granted if granted == wish => Ok(granted),
        _ => Err(Stop::usage(
            "--pkce optional is not to be had here: public clients always need PKCE, and some dialects ask it of all",
        )),
    }
}

/// RFC 8707 §2: "Its value MUST be an absolute URI […]. The URI MUST NOT include a fragment component."
fn checked_resources(urls: &[String]) -> Result<Vec<String>, Stop> {
    for url in urls {
        if Url::parse(url).is_err() || url.contains('#') {
            return Err(Stop::usage(format!("{url} is no absolute URL without a fragment")));
        }
    }
    Ok(urls.to_vec())
}

fn checked_page(url: &str) -> Result<String, Stop> {
    checked_characters("the URL", url)?;
    match Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "https" | "http") => Ok(url.to_owned()),
        _ => Err(Stop::usage(format!("{url} is no http or https URL"))),
    }
}
