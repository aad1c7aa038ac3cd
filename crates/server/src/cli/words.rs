//! The operator's words for refusals. The table of refusals speaks to the people and programs that the server answers; on
//! the command line the same refusal names the option or the command that helps.

use protocol::client_setting::{Fault, Setting};
use protocol::names::{NAME_CHARACTERS_MAX, USERNAME_CHARACTERS_MAX};
use protocol::policy::Policy;
use protocol::quoted::Quoted;
use protocol::refusal::{No, Refusal};

use super::answer::Stop;
use crate::config::suggestion;

/// Why a judge refused a command. `typed` is what the operator typed, in full: a refusal quotes its
/// beginning.
pub(super) fn of(refusal: &Refusal, typed: &str) -> Stop {
    let value = match refusal.no {
        No::UserAbsent | No::ClientAbsent | No::UserOff | No::EmailMalformed | No::TotpUnreadable => typed,
        _ => refusal.value.as_ref().map(Quoted::as_str).unwrap_or_default(),
    };
    of_value(refusal.no, value).unwrap_or_else(|| Stop::usage(refusal.text()))
}

/// What is wrong with what is said about a client of a surface.
pub(super) fn of_fault(fault: &Fault, policy: &Policy) -> Stop {
    let value = fault.value.as_deref().unwrap_or_default();
    match fault.no {
        No::GrantNotOffered => {
            let near = suggestion(value, policy.grants.iter().map(|own| own.as_str()));
            Stop::no(format!("the dialect `{}` has no grant `{value}`{near}", policy.dialect))
        }
        No::ScopeNotOffered => of_scope(value, policy),
        no if fault.setting == Setting::RedirectUris && !value.is_empty() => {
            Stop::usage(format!("{value}: {}", no.row().text))
        }
        no => of_value(no, value).unwrap_or_else(|| Stop::usage(Refusal::from(fault).text())),
    }
}

/// The dialect has no such scope.
pub(super) fn of_scope(word: &str, policy: &Policy) -> Stop {
    let near = suggestion(word, policy.scope.list.iter().map(|(word, _)| word.as_str()));
    Stop::no(format!("the dialect `{}` has no scope `{word}`{near}", policy.dialect))
}

/// The words for a refusal because of this value, where the table's own are not the operator's.
pub(super) fn of_value(no: No, value: &str) -> Option<Stop> {
    Some(match no {
        No::IdMalformed => Stop::usage("an id has 1 to 255 printable ASCII characters and no space"),
        No::NameMalformed => Stop::usage(format!("a name has 1 to {NAME_CHARACTERS_MAX} characters")),
        No::NameCharacter => Stop::usage(format!("the name contains {value}; remove it")),
        No::UsernameMalformed => {
            Stop::usage(format!("a user name has 1 to {USERNAME_CHARACTERS_MAX} characters, no space and no @"))
        }
        No::UsernameCharacter => Stop::usage(format!("the user name contains {value}; remove it")),
        No::EmailMalformed => Stop::usage(format!("`{value}` is no e-mail address")),
        No::EmailCharacter => Stop::usage(format!("the e-mail address contains {value}; remove it")),
        No::HomepageMalformed => Stop::usage(format!("{value} is no http or https URL")),
        No::HomepageCharacter => Stop::usage(format!("the URL contains {value}; remove it")),
        No::HomepageUnencrypted | No::PrivacyPolicyMalformed | No::TermsMalformed => {
            Stop::usage(format!("{value} is no https URL of a page"))
        }
        No::EmailAbsent => Stop::usage("the account has no e-mail address to verify: say --email as well"),
        No::LoginMissing => Stop::usage(
            "an account needs an e-mail address or a user name to sign in with: give it the other one first",
        ),
        No::AuthMethodOfPublicClient => {
            Stop::usage("a public client has no secret to send: its only --auth-method is none")
        }
        No::AuthMethodOfConfidentialClient => {
            Stop::usage("a confidential client proves who it is: --auth-method none is for --kind public")
        }
        No::GrantOfConfidentialClient => {
            Stop::usage(format!("a public client has no credentials: --grant {value} needs --kind confidential"))
        }
        No::RedirectUrisMissing => Stop::usage(
            "--redirect-uri is missing: where does the application get its users back? \
             A program without users says --grant client_credentials, an API says --resource URL",
        ),
        No::ScopeMalformed => Stop::usage(format!("{value:?} cannot be a scope")),
        No::ResourceMalformed => Stop::usage(format!("{value} is no absolute URL without a fragment")),
        No::PkceNotOptional => Stop::usage(
            "--pkce optional is not to be had here: public clients always need PKCE, and some dialects ask it of all",
        ),
        No::IntrospectionOfPublicClient => {
            Stop::usage("a public client cannot introspect tokens: --introspection any needs --kind confidential")
        }
        No::AccountsApiOfPublicClient => {
            Stop::usage("a public client cannot use the accounts API: --accounts-api needs --kind confidential")
        }
        No::AccountsApiOfOtherDialect => Stop::usage(format!(
            "a client of {value} cannot use the accounts API: register a client of its own, with --dialect standard"
        )),
        No::SecretLength => Stop::no(format!("the secret has {value} bytes, it must have 8 to 1024")),
        No::SecretCharacter => Stop::no(format!(
            "the secret has the character {value}: no client can send it, because a client secret consists of printable \
             ASCII characters (RFC 6749 appendix A.2). Give the client another secret"
        )),
        No::UserAbsent => Stop::no(format!("no user `{value}`: see `grantry user list`")),
        No::ClientAbsent => Stop::no(format!("no client `{value}`: see `grantry client list`")),
        No::UserOff => Stop::no(format!("`{value}` is disabled: see `grantry user enable`")),
        No::AttributeAbsent => Stop::no(format!("the account has no attribute `{value}`")),
        No::TotpUnreadable => Stop::no(format!(
            "the second factor of `{value}` opens with neither key: switch it off with `grantry user totp {value} --disable`, \
             and run this again"
        )),
        No::PasswordTooShort | No::PasswordTooLong | No::PasswordTooCommon => Stop::no(no.row().text),
        _ => return None,
    })
}
