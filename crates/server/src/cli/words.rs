//! Texts of refusals for the operator. The table of refusals has texts for users and clients. On the command line, the
//! text names the option or command that helps.

use protocol::client_setting::{Fault, Setting};
use protocol::names::{NAME_CHARACTERS_MAX, USERNAME_CHARACTERS_MAX};
use protocol::policy::Policy;
use protocol::quoted::Quoted;
use protocol::refusal::{No, Refusal};

use super::answer::CommandError;
use crate::config::suggestion;

/// Returns the error for a refused command. `typed` is the whole argument; a refusal holds only its beginning.
pub(super) fn of(refusal: &Refusal, typed: &str) -> CommandError {
    let value = match refusal.no {
        No::UserAbsent | No::ClientAbsent | No::UserOff | No::EmailMalformed | No::TotpUnreadable => typed,
        _ => refusal.value.as_ref().map(Quoted::as_str).unwrap_or_default(),
    };
    of_value(refusal.no, value).unwrap_or_else(|| CommandError::usage(refusal.text()))
}

/// Returns the error for a fault in a client's settings. `policy` is that of the client's surface.
pub(super) fn of_fault(fault: &Fault, policy: &Policy) -> CommandError {
    let value = fault.value.as_deref().unwrap_or_default();
    match fault.no {
        No::GrantNotOffered => {
            let near = suggestion(value, policy.grants.iter().map(|own| own.as_str()));
            CommandError::no(format!("the dialect `{}` has no grant `{value}`{near}", policy.dialect))
        }
        No::ScopeNotOffered => of_scope(value, policy),
        no if fault.setting == Setting::RedirectUris && !value.is_empty() => {
            CommandError::usage(format!("{value}: {}", no.row().text))
        }
        no => of_value(no, value).unwrap_or_else(|| CommandError::usage(Refusal::from(fault).text())),
    }
}

/// Returns the error for a scope that the dialect does not have.
pub(super) fn of_scope(word: &str, policy: &Policy) -> CommandError {
    let near = suggestion(word, policy.scope.list.iter().map(|(word, _)| word.as_str()));
    CommandError::no(format!("the dialect `{}` has no scope `{word}`{near}", policy.dialect))
}

/// Returns the error for a refusal of this value; `None` if the text of the table fits the operator too.
pub(super) fn of_value(no: No, value: &str) -> Option<CommandError> {
    Some(match no {
        No::IdMalformed => CommandError::usage("an id has 1 to 255 printable ASCII characters and no space"),
        No::NameMalformed => CommandError::usage(format!("a name has 1 to {NAME_CHARACTERS_MAX} characters")),
        No::NameCharacter => CommandError::usage(format!("the name contains {value}; remove it")),
        No::UsernameMalformed => {
            CommandError::usage(format!("a user name has 1 to {USERNAME_CHARACTERS_MAX} characters, no space and no @"))
        }
        No::UsernameCharacter => CommandError::usage(format!("the user name contains {value}; remove it")),
        No::EmailMalformed => CommandError::usage(format!("`{value}` is no e-mail address")),
        No::EmailCharacter => CommandError::usage(format!("the e-mail address contains {value}; remove it")),
        No::HomepageMalformed => CommandError::usage(format!("{value} is no http or https URL")),
        No::HomepageCharacter => CommandError::usage(format!("the URL contains {value}; remove it")),
        No::HomepageUnencrypted | No::PrivacyPolicyMalformed | No::TermsMalformed => {
            CommandError::usage(format!("{value} is no https URL of a page"))
        }
        No::EmailAbsent => CommandError::usage("the account has no e-mail address to verify: say --email as well"),
        No::LoginMissing => CommandError::usage(
            "an account needs an e-mail address or a user name to sign in with: give it the other one first",
        ),
        No::GrantOfConfidentialClient => CommandError::usage(format!(
            "a public client has no credentials: --grant {value} needs --kind confidential"
        )),
        No::RedirectUrisMissing => CommandError::usage(
            "--redirect-uri is missing: where does the application get its users back? \
             A program without users says --grant client_credentials, an API says --resource URL",
        ),
        No::ScopeMalformed => CommandError::usage(format!("{value:?} cannot be a scope")),
        No::ResourceMalformed => CommandError::usage(format!("{value} is no absolute URL without a fragment")),
        No::PkceNotOptional => CommandError::usage(
            "--pkce optional is not to be had here: public clients always need PKCE, and some dialects ask it of all",
        ),
        No::IntrospectionOfPublicClient => CommandError::usage(
            "a public client cannot introspect tokens: --introspection any needs --kind confidential",
        ),
        No::AccountsApiOfPublicClient => {
            CommandError::usage("a public client cannot use the accounts API: --accounts-api needs --kind confidential")
        }
        No::AccountsApiOfOtherDialect => CommandError::usage(format!(
            "a client of {value} cannot use the accounts API: register a client of its own, with --dialect standard"
        )),
        No::SecretLength => CommandError::no(format!("the secret has {value} bytes, it must have 8 to 1024")),
        No::SecretCharacter => CommandError::no(format!(
            "the secret has the character {value}: no client can send it, because a client secret consists of printable \
             ASCII characters (RFC 6749 appendix A.2). Give the client another secret"
        )),
        No::UserAbsent => CommandError::no(format!("no user `{value}`: see `grantry user list`")),
        No::ClientAbsent => CommandError::no(format!("no client `{value}`: see `grantry client list`")),
        No::UserOff => CommandError::no(format!("`{value}` is disabled: see `grantry user enable`")),
        No::AttributeAbsent => CommandError::no(format!("the account has no attribute `{value}`")),
        No::TotpUnreadable => CommandError::no(format!(
            "the second factor of `{value}` opens with neither key: switch it off with `grantry user totp {value} --disable`, \
             and run this again"
        )),
        No::PasswordTooShort | No::PasswordTooLong | No::PasswordTooCommon => CommandError::no(no.row().text),
        no => return of_proof(no, value),
    })
}

/// Returns the error for a refusal of how a client authenticates, and of how it must ask.
fn of_proof(no: No, value: &str) -> Option<CommandError> {
    Some(match no {
        No::AuthMethodOfPublicClient => {
            CommandError::usage("a public client has no secret to send: its only --auth-method is none")
        }
        No::AuthMethodOfConfidentialClient => {
            CommandError::usage("a confidential client proves who it is: --auth-method none is for --kind public")
        }
        No::AuthMethodNotOffered => CommandError::usage(format!(
            "no endpoint of this dialect takes assertions: --auth-method {value} is for a dialect with `assertion` in its `auth`"
        )),
        No::KeysMissing => CommandError::usage(
            "a client with --auth-method private_key_jwt needs public keys: say --jwks-file FILE or --jwks-uri URL as well",
        ),
        No::KeysTwice => CommandError::usage("say either --jwks-file or --jwks-uri: a client has one set of keys"),
        No::KeysMalformed => CommandError::usage(format!("--jwks-file is refused: {value}")),
        No::KeysUriMalformed => CommandError::usage(format!("--jwks-uri {value} is no https URL")),
        No::ParNotOffered => CommandError::usage(
            "this dialect has no endpoint for pushed authorization requests: --require-par would shut the client out",
        ),
        No::SecretTooShortToSign => CommandError::no(
            "a secret for --auth-method client_secret_jwt has at least 32 bytes (RFC 7518 §3.2): let one be generated",
        ),
        _ => return None,
    })
}
