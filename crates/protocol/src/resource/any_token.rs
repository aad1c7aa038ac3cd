//! A token of any kind, as an endpoint receives it.

use crate::client::authenticate::Credentials;
use crate::crypto::keys::{Keys, Presented, TokenKind};
use crate::line::{Facts, Key, RefreshMatch, Wants};
use crate::model::{AccessId, GrantId, PersonalId, UserKey};
use crate::policy::Policy;
use crate::time::UnixTime;

/// A token of whichever kind, told by its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyToken {
    /// An access token.
    Access(Presented),
    /// A refresh token.
    Refresh(Presented),
    /// A personal access token.
    Personal(Presented),
    /// Nothing that this server made.
    Foreign,
}

impl AnyToken {
    /// Finds out what `text` is. A `token_type_hint` is not needed: RFC 7662 §2.1 lets a server ignore it.
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

    /// As [`AnyToken::read`], for addresses that only tell what a token is worth: they know also how the surfaces write
    /// access and personal tokens whose tokens the operator lets this one read.
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

    /// Asks for the row that it names.
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
        let mut wants = Wants::of(caller.map(|caller| Key::Client(caller.client_id.clone())));
        self.want(&mut wants);
        wants
    }

    /// Whose token it is, if it is one that lives and that the surface reads.
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
