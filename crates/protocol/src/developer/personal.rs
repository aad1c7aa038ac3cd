//! Personal access tokens: made for a script of one's own, shown once, and ended by hand.

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

/// The personal token that somebody wishes for.
#[derive(Clone, Debug)]
pub struct TokenWish {
    /// What its owner calls it.
    pub name: String,
    /// What it shall allow; words of the surface. None of them is a token that tells who its owner is, and no more.
    pub scope: Vec<String>,
    /// How long it shall live; absent for what cannot be read.
    pub lifetime: Option<Lifetime>,
}

/// How long a personal token shall live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the surface has it when nobody says otherwise.
    Usual,
    /// So many seconds.
    Seconds(u64),
    /// Until it is revoked.
    Never,
}

impl Lifetime {
    /// The seconds that the surface gives for this wish, or none for a token that does not end by itself.
    ///
    /// # Errors
    /// [`No::PersonalExpiryMalformed`] for nothing, and for longer than the surface allows.
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

/// How a page refers to a personal token without showing the id of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenReference(PersonalId);

const PURPOSE: &str = "personal";

impl TokenReference {
    /// The reference to a token, as text for a page.
    #[must_use]
    pub fn seal(id: PersonalId, keys: &Keys, entropy: &mut Entropy) -> String {
        keys.seal(PURPOSE, &[], &id.0.to_be_bytes(), entropy)
    }

    /// Reads a page's reference. Whose token it is, the row says.
    ///
    /// # Errors
    /// [`No::PageStale`] for what was not made here.
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
    // A scope that only the operator gives is no choice here either.
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

/// A new personal token of the surface that is spoken, as its owner makes it: the row, and the text that is shown once.
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

/// Ends a token, also from a session that began long ago: whoever has lost a token should not be held up.
pub(super) fn revoke(signed: &Signed, id: PersonalId, facts: &Facts, turn: &mut Turn<'_>) -> Result<Done, Refusal> {
    let held = facts.personal_row(id).filter(|held| held.row.user == signed.user.key).ok_or(No::PersonalUnknown)?;
    signed.rely(turn);
    turn.write(Write::RevokePersonal(held.row.id));
    turn.note(EventKind::PersonalRevoked, Some(signed.user.key), None, held.row.name.clone());
    Ok(Done::Revoked)
}
