//! The refusal of a submitted form: a text for users, and the field that it is about.

use protocol::client_setting;
use protocol::refusal::{No, Refusal};
use serde::Serialize;

use super::words;

/// Maximum length of a shown value in characters. A longer one is cut.
const VALUE_CHARACTERS_MAX: usize = 80;

/// The problem with a submitted form.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    text: String,
    field: Option<&'static str>,
    /// True if the page shows the problem only at its field, because the page has few fields.
    is_beside_field: bool,
}

impl Problem {
    /// The problem of a refusal.
    pub(crate) fn new(refusal: &Refusal) -> Self {
        let text = match (refusal.no, refusal.retry_after_s) {
            // One text for all cases, because after too many failures the right password is also refused with it.
            (No::CredentialsWrong, _) => "The name or the password is wrong. After too many failed attempts the right \
                 password is refused as well, for some minutes up to a few hours. A browser in which you have signed in \
                 before is not affected."
                .to_owned(),
            (No::SecondFactorWrong, _) => {
                "This code is wrong, too old, or was used before. Wait for the next one and type that.".to_owned()
            }
            (No::PageStale, _) => {
                "The page was open for too long, or belongs to another browser. Nothing was changed. Check and send it again."
                    .to_owned()
            }
            (No::PasswordNeeded, _) => {
                "Your account has a password. Type it to confirm that it is you: signing in another way is not enough for this."
                    .to_owned()
            }
            (no, _) if google(no).is_some() => google(no).unwrap_or_default().to_owned(),
            (No::LockedOut, Some(wait_s)) => format!("Too many failed attempts. Try again in {}.", words::wait(wait_s)),
            _ => refusal.text(),
        };
        let field = match refusal.no {
            No::CredentialsWrong | No::PasswordNeeded => Some("password"),
            No::SecondFactorWrong => Some("otp"),
            No::PasswordCurrentWrong => Some("current_password"),
            No::PasswordTooShort | No::PasswordTooLong | No::PasswordTooCommon => Some("new_password"),
            No::NameMalformed | No::NameCharacter => Some("name"),
            No::ClientKindUnknown => Some("kind"),
            No::DialectNotOffered => Some("dialect"),
            No::PersonalScopeUnknown => Some("scope"),
            No::PersonalExpiryMalformed => Some("expires"),
            no => client_setting::at_fault(no),
        };
        Self { text, field, is_beside_field: false }
    }

    /// The same problem with the value that has it, for a field with several values.
    pub(crate) fn with(self, value: &str) -> Self {
        let mut short: String = value.chars().take(VALUE_CHARACTERS_MAX).collect();
        if short.len() < value.len() {
            short.push('…');
        }
        Self { text: format!("{short}: {}", self.text), ..self }
    }

    /// The same problem in other words.
    pub(crate) fn saying(self, text: &str) -> Self {
        Self { text: text.to_owned(), ..self }
    }

    /// The same problem on a page that shows problems with these fields only at the field. Other problems are shown on
    /// top of the page.
    pub(super) fn beside_field(self, fields: &[&str]) -> Self {
        Self { is_beside_field: self.field.is_some_and(|own| fields.contains(&own)), ..self }
    }

    /// The same problem at another field.
    pub(crate) fn at(self, field: &'static str) -> Self {
        Self { field: self.field.map(|_| field), ..self }
    }
}

/// Returns the text for a problem with the sign-in at Google.
fn google(no: No) -> Option<&'static str> {
    Some(match no {
        No::UpstreamUnreachable => "Google cannot be reached at the moment. Try again, or sign in another way.",
        No::UpstreamRefused => "Google did not say who you are. Try again, or sign in another way.",
        No::UpstreamDenied => "You did not let Google say who you are. Try again, or sign in another way.",
        No::UpstreamStale => {
            "The sign-in with Google took too long, or began in another browser. Try again, or go back to the application \
             that you came from."
        }
        No::UpstreamTooLong => "This request is too long to be taken along to Google. Sign in another way.",
        No::UpstreamEmailUnverified => {
            "Google has not verified your e-mail address, so you cannot sign in here with it."
        }
        No::UpstreamEmailForeign => {
            "The e-mail address of your Google account has characters that are not taken here. Use a Google account with \
             another address, or sign in another way."
        }
        No::UpstreamEmailMalformed => {
            "The e-mail address of your Google account cannot be used here, because it has more than one @. Use a Google \
             account with another address, or sign in another way."
        }
        No::UpstreamSignUpClosed => {
            "There is no account here for your Google account, and signing in with Google does not make one. Sign in another \
             way, or ask the people who run this service for an account."
        }
        No::UpstreamNotFresh => {
            "Google did not say that you signed in there just now, and what you are about to do needs that. Type your \
             password instead."
        }
        No::UpstreamEmailTaken => {
            "There is an account here with the e-mail address of your Google account, but nothing proves that both are yours. \
             Sign in with that account’s password, or ask for help to have the address verified."
        }
        No::UpstreamUserDisabled => "This account is disabled.",
        No::AssertionMalformed
        | No::AssertionAlgorithmRefused
        | No::AssertionKeyUnknown
        | No::AssertionForged
        | No::AssertionOfOtherIssuer
        | No::AssertionForOther
        | No::AssertionExpired
        | No::AssertionTooEarly
        | No::AssertionReplayed
        | No::AssertionNonceWrong => {
            "What Google said about you could not be verified. Try again, or sign in another way."
        }
        _ => return None,
    })
}
