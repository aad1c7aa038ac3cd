//! Personal access tokens, which users make for their own scripts. The text of a token is shown once. Its owner can
//! revoke it at any time.

use super::done::{Done, PERSONALS_MAX};
use crate::crypto::entropy::Entropy;
use crate::crypto::keys::{Keys, TokenKind};
use crate::line::{Facts, Rely, Turn, Write};
use crate::model::{EventKind, Personal, PersonalId, UserKey};
use crate::names::display_name;
use crate::person::sign_in::Signed;
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::scope::Scope;
use crate::secret::Secret;
use crate::time::UnixTime;

/// The submitted form for a new personal access token.
#[derive(Clone, Debug)]
pub struct TokenWish {
    /// The name that the user gives the token.
    pub name: String,
    /// The requested scopes. A token without scopes only shows who its owner is.
    pub scope: Vec<String>,
    /// The requested lifetime; `None` if the form's text is malformed.
    pub lifetime: Option<Lifetime>,
}

/// The requested lifetime of a personal access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// The default of the surface.
    Usual,
    /// This number of seconds.
    Seconds(u64),
    /// The token is valid until it is revoked.
    Never,
}

impl Lifetime {
    /// Returns the lifetime in seconds that the surface allows for this request; `None` for a token that does not
    /// expire.
    ///
    /// # Errors
    /// [`No::PersonalExpiryMalformed`] for zero seconds, or for more than the surface allows.
    fn granted(self, policy: &Policy) -> Result<Option<u64>, No> {
        match (self, policy.personal.ttl_s) {
            (Self::Usual, usual) => Ok(usual),
            (Self::Never, None) => Ok(None),
            (Self::Seconds(seconds), max_s) if seconds > 0 && max_s.is_none_or(|max_s| seconds <= max_s) => {
                Ok(Some(seconds))
            }
            _ => Err(No::PersonalExpiryMalformed),
        }
    }
}

/// The reference by which a page names a personal access token without revealing the id of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenReference(PersonalId);

const PURPOSE: &str = "personal";

impl TokenReference {
    /// Returns the reference to a token, as text for a page.
    #[must_use]
    pub fn seal(id: PersonalId, keys: &Keys, entropy: &mut Entropy) -> String {
        keys.seal(PURPOSE, &[], &id.0.to_be_bytes(), entropy)
    }

    /// Reads the reference that a page sent. The judge checks who owns the token.
    ///
    /// # Errors
    /// [`No::PageStale`] if this server did not make the reference.
    pub fn open(text: &str, keys: &Keys) -> Result<Self, No> {
        let plain = keys.open(PURPOSE, &[], text).ok_or(No::PageStale)?;
        Ok(Self(PersonalId(i64::from_be_bytes(plain.try_into().map_err(|_| No::PageStale)?))))
    }

    pub(super) const fn id(self) -> PersonalId {
        self.0
    }
}

pub(super) fn create(signed: &Signed, wish: &TokenWish, facts: &Facts, turn: &mut Turn<'_>) -> Result<Done, Refusal> {
    signed.check_recent(turn)?;
    let policy = turn.policy;
    if !policy.is_personal_offered {
        return Err(No::DialectNotOffered.into());
    }
    let name = display_name(&wish.name)?;
    let scope = Scope::parse(&wish.scope.join(" ")).map_err(|_| No::PersonalScopeUnknown)?;
    // Users cannot choose scopes that only the operator can give.
    if scope.iter().any(|word| policy.scope.sentence(word).is_none() || policy.scope.is_operator_only(word)) {
        return Err(No::PersonalScopeUnknown.into());
    }
    let ttl_s = wish.lifetime.ok_or(No::PersonalExpiryMalformed)?.granted(policy)?;
    let user = signed.user.key;
    if facts.owned_counts().is_none_or(|own| own.personals >= PERSONALS_MAX) {
        return Err(No::PersonalsTooMany.into());
    }
    let (row, text) = personal_row(user, name, scope, ttl_s, turn);
    signed.rely(turn);
    turn.rely(Rely::PersonalsFewer { user, than: PERSONALS_MAX });
    turn.write(Write::PutPersonal(Box::new(row)));
    turn.note(EventKind::PersonalCreated, Some(user), None, name);
    Ok(Done::Token(text))
}

/// Makes a personal access token of the turn's surface. `ttl_s` is the lifetime in seconds; `None` for a token that
/// does not expire. Returns the row, and the text of the token.
pub(crate) fn personal_row(
    user: UserKey,
    name: &str,
    scope: Scope,
    ttl_s: Option<u64>,
    turn: &mut Turn<'_>,
) -> (Personal, Secret) {
    let minted = turn.keys.mint(TokenKind::Personal, &turn.policy.personal.spelling, &mut turn.entropy);
    let row = Personal {
        id: PersonalId(minted.id),
        digest: minted.digest,
        user,
        dialect: turn.policy.dialect.clone(),
        name: name.to_owned(),
        scope,
        is_by_operator: false,
        created_at: turn.now,
        expires_at: ttl_s.map_or(UnixTime::NEVER, |ttl_s| turn.now.plus(ttl_s)),
        used_at: None,
    };
    (row, minted.text)
}

/// Revokes a token. It needs no recent sign-in, so that a user who lost a token can act at once.
pub(super) fn revoke(signed: &Signed, id: PersonalId, facts: &Facts, turn: &mut Turn<'_>) -> Result<Done, Refusal> {
    let held = facts.personal_row(id).filter(|held| held.row.user == signed.user.key).ok_or(No::PersonalUnknown)?;
    signed.rely(turn);
    turn.write(Write::RevokePersonal(held.row.id));
    turn.note(EventKind::PersonalRevoked, Some(signed.user.key), None, held.row.name.clone());
    Ok(Done::Revoked)
}
