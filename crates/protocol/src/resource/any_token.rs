//! A token of any kind, as the introspection, revocation and userinfo endpoints receive it.

use crate::client::authenticate::Credentials;
use crate::crypto::keys::{Keys, Presented, TokenKind};
use crate::line::{Facts, Key, RefreshMatch, Wants};
use crate::model::{AccessId, GrantId, PersonalId, UserKey};
use crate::policy::Policy;
use crate::time::UnixTime;

/// A presented token of any kind. The spelling and the keyed checksum of the text tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyToken {
    /// An access token.
    Access(Presented),
    /// A refresh token.
    Refresh(Presented),
    /// A personal access token.
    Personal(Presented),
    /// A text that is no token of this server.
    Foreign,
}

impl AnyToken {
    /// Reads `text` as a token of the surface. There is no need for `token_type_hint`, which RFC 7662 §2.1 lets a
    /// server ignore.
    #[must_use]
    pub fn read(text: &str, policy: &Policy, keys: &Keys) -> Self {
        let read = |kind, spelling| keys.read(kind, spelling, text);
        if let Some(presented) = policy.access_spellings().find_map(|spelling| read(TokenKind::Access, spelling)) {
            Self::Access(presented)
        } else if let Some(presented) =
            policy.refresh_spellings().find_map(|(spelling, _)| read(TokenKind::Refresh, spelling))
        {
            Self::Refresh(presented)
        } else if let Some(presented) = read(TokenKind::Personal, &policy.personal.spelling) {
            Self::Personal(presented)
        } else {
            Self::Foreign
        }
    }

    /// As [`AnyToken::read`], for endpoints that only describe tokens. It also reads access tokens and personal access
    /// tokens of the surfaces whose tokens the operator lets this surface read.
    #[must_use]
    pub fn read_widely(text: &str, policy: &Policy, keys: &Keys) -> Self {
        let own = Self::read(text, policy, keys);
        if own != Self::Foreign {
            return own;
        }
        let read = |kind, spelling| keys.read(kind, spelling, text);
        for other in &policy.also_reads {
            if let Some(presented) = other.access.iter().find_map(|spelling| read(TokenKind::Access, spelling)) {
                return Self::Access(presented);
            }
            if let Some(presented) = read(TokenKind::Personal, &other.personal) {
                return Self::Personal(presented);
            }
        }
        Self::Foreign
    }

    /// Adds the key of the token's row to `wants`.
    pub fn want(&self, wants: &mut Wants) {
        match self {
            Self::Access(presented) => wants.add(Key::Access(AccessId(presented.id))),
            Self::Refresh(presented) => wants.add(Key::Grant(GrantId(presented.id))),
            Self::Personal(presented) => wants.add(Key::Personal(PersonalId(presented.id))),
            Self::Foreign => {}
        }
    }

    /// Returns the keys of a request about the token: the calling client, if it authenticates, and the token's row.
    pub(super) fn wants(&self, caller: Option<&Credentials>) -> Wants {
        let mut wants = caller.map(Credentials::wants).unwrap_or_default();
        self.want(&mut wants);
        wants
    }

    /// Returns the user of the token. `None` if the token is expired, revoked, unknown, has no user, or is not one that
    /// the surface reads.
    #[must_use]
    pub fn owner(&self, facts: &Facts, policy: &Policy, now: UnixTime) -> Option<UserKey> {
        match self {
            Self::Access(presented) => {
                let held = facts.access(*presented)?;
                held.check_to_read(policy).ok()?;
                held.row.user.filter(|_| !now.is_past(held.row.expires_at))
            }
            Self::Refresh(presented) => {
                let (held, RefreshMatch::Current) = facts.grant(*presented)? else { return None };
                let current = held.row.refresh.as_ref()?;
                held.check(&policy.dialect).ok()?;
                (!now.is_past(current.idle_until)).then_some(held.row.authorization.user)
            }
            Self::Personal(presented) => {
                let held = facts.personal(*presented)?;
                held.check(&policy.dialect).ok()?;
                policy.scopes_of(&held.row.dialect)?;
                (!now.is_past(held.row.expires_at)).then_some(held.row.user)
            }
            Self::Foreign => None,
        }
    }
}
