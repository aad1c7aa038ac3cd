//! `grantry client add` and `grantry client set`.

use clap::Args;
use protocol::client::registration::{self, Asked, Asker};
use protocol::client_setting::{Fault, Setting};
use protocol::model::{AuthMethod, Client, ClientKind};
use protocol::operate::{ClientAct, ClientCall, ClientDone, Ownership};
use protocol::policy::Policy;
use protocol::redirect;
use protocol::resource_indicator;
use protocol::secret::Secret;
use serde_json::{Value, json};

use super::super::answer::{Answer, CommandError};
use super::super::checked::checked_id;
use super::super::installation::{Installation, Rules};
use super::super::{input, show, words};
use super::options::{AddOptions, SetOptions};
use super::{secret, with_owner};

#[derive(Debug, Default, Args)]
pub(crate) struct Add {
    #[command(flatten)]
    pub(crate) settings: AddOptions,
    /// The dialect that it speaks [default: standard].
    #[arg(long, value_name = "NAME", display_order = 1)]
    pub(crate) dialect: Option<String>,
    /// The person whose application it is.
    #[arg(long, value_name = "USER", display_order = 17)]
    pub(crate) owner: Option<String>,
    /// Keep an existing client_id; without it a random one is made.
    #[arg(long, value_name = "CLIENT_ID", display_order = 18)]
    pub(crate) id: Option<String>,
    /// Keep an existing secret, from standard input.
    #[arg(long, display_order = 19)]
    pub(crate) secret_stdin: bool,
}

/// A new client, and its secret if one was generated.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) client: Client,
    pub(crate) secret: Option<Secret>,
    /// Warnings about an imported identifier or secret.
    pub(crate) warnings: Vec<&'static str>,
}

impl Add {
    pub(super) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        let added = self.add(installation).await?;
        let mut document = with_owner(&added.client, installation).await?;
        let mut text = format!("Registered {}.\n\n{}", added.client.name, show::lines(&document));
        text.push_str(&given(&added.client));
        warn_of_localhost(&added.client, &mut document, &mut text);
        for resource in added.client.audience.iter().filter(|own| !is_offered(own, &added.client, installation)) {
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
    pub(crate) async fn add(self, installation: &Installation) -> Result<Added, CommandError> {
        let Self { settings: AddOptions(proposal), dialect, owner, id, secret_stdin } = self;
        let dialect = installation.dialect(dialect.as_deref())?;
        let policy = installation
            .configuration
            .policy(&dialect.name)
            .ok_or_else(|| CommandError::no("the dialect has no policy"))?;
        // The judge checks the proposal again. Here the errors show whole values, and come before a secret is typed.
        let asked = Asked { asker: Asker::Operator, policy };
        let client = registration::proposed(&proposal, asked).map_err(|faults| told(&faults, policy))?;
        id.as_deref().map(checked_id).transpose()?;
        if let Some(owner) = &owner {
            installation.user(owner).await?;
        }
        let secret = if secret_stdin { Some(input::stdin("the client secret")?) } else { None };
        if secret.is_some() && client.kind == ClientKind::Public {
            return Err(CommandError::usage(
                "a public client has no secret: leave out --secret-stdin or --kind public",
            ));
        }
        if let Some(secret) = &secret {
            secret::check(secret)?;
        }
        let warnings = secret::warnings(id.as_deref(), secret.as_ref());
        let call = ClientCall { client_id: id.unwrap_or_default(), act: ClientAct::Add { proposal, owner, secret } };
        let done = installation.ask(&call, Rules::of(policy)).await?;
        let ClientDone { client, secret } = done.map_err(|refusal| words::of(&refusal, &call.client_id))?;
        Ok(Added { client: (*client).clone(), secret, warnings })
    }
}

/// Returns all faults of a proposal, one on each line.
fn told(faults: &[Fault], policy: &Policy) -> CommandError {
    let stops = faults.iter().map(|fault| words::of_fault(fault, policy));
    stops
        .reduce(|one, other| one.and(&other))
        .unwrap_or_else(|| CommandError::usage("the settings of the client are refused"))
}

/// What a new client may do, in a sentence, and how that is changed.
fn given(client: &Client) -> String {
    let id = &client.client_id;
    let grants: Vec<&str> = client.grants.iter().map(|grant| grant.as_str()).collect();
    if grants.is_empty() && client.kind == ClientKind::Public {
        return format!(
            "\nIt may do nothing: only a client that proves who it is may introspect tokens. `grantry client set {id} --kind \
             confidential` gives it a secret.\n"
        );
    }
    if grants.is_empty() {
        return format!(
            "\nIt may introspect tokens and gets none itself. `grantry client set {id} --grant …` changes this.\n"
        );
    }
    let scope = client.scope.as_str();
    let scope = if scope.is_empty() { "no scope" } else { scope };
    format!(
        "\nIt may use the grants {} and ask for {scope}. `grantry client set {id}` changes this, by --grant and --scope.\n",
        grants.join(", ")
    )
}

/// Changes; what is not named stays.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The client_id.
    #[arg(value_name = "CLIENT")]
    client: String,
    #[command(flatten)]
    settings: SetOptions,
    /// The person whose application it is.
    #[arg(long, value_name = "USER", display_order = 14)]
    owner: Option<String>,
    /// It is your own application, and nobody's in the developer area.
    #[arg(long, display_order = 15, conflicts_with = "owner")]
    no_owner: bool,
    /// You checked the application: the consent page says so. A change by its owner ends it.
    #[arg(long, display_order = 16, conflicts_with = "unchecked")]
    checked: bool,
    /// The consent page warns again that nobody checked it.
    #[arg(long, display_order = 17)]
    unchecked: bool,
    #[command(flatten)]
    fixed: Fixed,
}

/// What cannot be changed. Each option says what to do instead.
#[derive(Debug, Args)]
struct Fixed {
    #[arg(long, hide = true, value_name = "NAME")]
    dialect: Option<String>,
    #[arg(long, hide = true, value_name = "CLIENT_ID")]
    id: Option<String>,
    #[arg(long, hide = true)]
    secret_stdin: bool,
}

impl Fixed {
    fn check(&self, client_id: &str) -> Result<(), CommandError> {
        if let Some(name) = &self.dialect {
            return Err(CommandError::usage(format!(
                "the dialect of a client cannot be changed: its codes, tokens and consents belong to one dialect. Register \
                 another client with `grantry client add --dialect {name}`"
            )));
        }
        if let Some(id) = &self.id {
            return Err(CommandError::usage(format!(
                "a client_id cannot be changed: tokens and resource servers know the client by it. Register another client \
                 with `grantry client add --id {id}`"
            )));
        }
        if self.secret_stdin {
            return Err(CommandError::usage(format!(
                "a secret is not replaced at once: add it beside the present one with `grantry client rotate-secret \
                 {client_id} --secret-stdin`"
            )));
        }
        Ok(())
    }
}

impl Set {
    pub(super) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        self.fixed.check(&self.client)?;
        let Self { client: client_id, settings: SetOptions(proposal), owner, no_owner, checked, unchecked, .. } = self;
        let is_checked = (checked || unchecked).then_some(checked);
        let owner = match owner {
            Some(owner) => {
                installation.user(&owner).await?;
                Ownership::Of(owner)
            }
            None if no_owner => Ownership::Operator,
            None => Ownership::Stays,
        };
        let seen = installation.client(&client_id).await?;
        let policy = installation.configuration.policy(&seen.dialect).ok_or_else(|| {
            CommandError::no(format!("the dialect `{}` of this client is not switched on", seen.dialect))
        })?;
        let asked = Asked { asker: Asker::Operator, policy };
        registration::changed(&seen, &proposal, asked).map_err(|faults| told(&faults, policy))?;
        let is_redirected = proposal.get(Setting::RedirectUris).is_some();
        let call = ClientCall { client_id, act: ClientAct::Change { proposal, owner, is_checked } };
        let done = installation
            .ask(&call, Rules::of(policy))
            .await?
            .map_err(|refusal| words::of(&refusal, &call.client_id))?;
        let mut document = with_owner(&done.client, installation).await?;
        let mut text = show::lines(&document);
        if is_redirected {
            warn_of_localhost(&done.client, &mut document, &mut text);
        }
        if done.client.checked.is_some() && !done.client.is_first_party && done.client.owner.is_none() {
            text.push_str("\nThe client has no owner: it is your own application, and the consent page says so.\n");
        }
        if let Some(secret) = &done.secret {
            document["client_secret"] = json!(secret.reveal());
            let why = if seen.kind == ClientKind::Public {
                "The client is confidential now and must send this secret."
            } else {
                "The client must send this secret from now on."
            };
            text.push_str(&format!("\n{why} It is shown here and never again:\n  {}\n", secret.reveal()));
        } else if seen.kind == ClientKind::Confidential && done.client.kind == ClientKind::Public {
            text.push_str("\nThe client is public now. Its secrets are dead: it sends none any more, and uses PKCE.\n");
        }
        if done.client.auth_methods.contains(&AuthMethod::ClientSecretJwt) && done.client.sealed_secrets.is_empty() {
            let client_id = &done.client.client_id;
            text.push_str(&format!(
                "\nNone of its secrets can sign, because Grantry has digests of them alone. Give it a new one: grantry client \
                 rotate-secret {client_id}\n"
            ));
        }
        Ok(Answer::new(document, text))
    }
}

/// Returns true if clients can request tokens for this resource.
fn is_offered(resource: &str, client: &Client, installation: &Installation) -> bool {
    let policy = installation.configuration.policy(&client.dialect);
    policy.is_some_and(|policy| resource_indicator::is_among(&policy.resources, resource))
}

/// Warns about redirect URIs on `localhost`. They work, but a loopback address is the better choice.
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
