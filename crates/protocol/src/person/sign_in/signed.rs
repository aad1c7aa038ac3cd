//! Signed-in users: the live session of a browser, how a session begins, and what the user has proven in it.

use std::sync::Arc;

use crate::crypto::keys::{Alphabet, Keys, Presented, Spelling, TokenKind};
use crate::line::{Facts, Rely, Turn, Write};
use crate::liveness::DependsOn;
use crate::model::{Amr, Session, SessionId, User};
use crate::person::browser::{Caller, Cookie};
use crate::person::device::Device;
use crate::policy::SEEN_EVERY_S;
use crate::refusal::No;
use crate::time::UnixTime;

/// Maximum length of the `User-Agent` that a session keeps, in characters.
const AGENT_CHARACTERS_MAX: usize = 200;

/// Returns the spelling of session tokens, which belong to no dialect.
fn session_spelling() -> Spelling {
    Spelling { prefix: String::new(), alphabet: Alphabet::Url }
}

/// A user with a live session.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The session.
    pub session: Session,
    /// The user.
    pub user: Arc<User>,
    /// True if the session began in the current turn. The turn then has the precondition on the account already.
    pub is_new: bool,
}

impl Signed {
    /// Finds the live session of the browser's cookie, and decides the write that notes its use.
    pub fn find(caller: &Caller, facts: &Facts, turn: &mut Turn<'_>) -> Option<Self> {
        let held = facts.session(caller.session?)?;
        let session = &held.row;
        let user = held.user.as_ref()?;
        // A session belongs to no dialect. Only its user can invalidate it.
        let is_alive = !user.is_disabled && session.root_id() >= user.revoked_below;
        if !is_alive || turn.now.is_past(session.idle_until) || turn.now.is_past(session.expires_at) {
            return None;
        }
        if turn.now.is_past(session.seen_at.plus(SEEN_EVERY_S)) {
            let idle_until = turn.now.plus(turn.policy.session.idle_s).min(session.expires_at);
            turn.write(Write::TouchSession { id: session.id, seen_at: turn.now, idle_until });
        }
        Some(Self { session: session.clone(), user: Arc::clone(user), is_new: false })
    }

    /// Starts a session for a user who authenticated with the methods `amr`. `proven_at` becomes the session's
    /// [`Session::auth_time`]. Its id and cookie are new, also when the same user signs in again or adds a second factor:
    /// OWASP ASVS 5.0 V7.2.4.
    pub fn start(
        user: &Arc<User>,
        amr: Vec<Amr>,
        proven_at: UnixTime,
        agent: &str,
        turn: &mut Turn<'_>,
    ) -> (Self, Cookie) {
        let minted = turn.keys.mint(TokenKind::Session, &session_spelling(), &mut turn.entropy);
        let policy = turn.policy.session;
        let expires_at = turn.now.plus(policy.absolute_s);
        let session = Session {
            id: SessionId(minted.id),
            digest: minted.digest,
            user: user.key,
            amr,
            auth_time: proven_at,
            created_at: turn.now,
            seen_at: turn.now,
            idle_until: turn.now.plus(policy.idle_s).min(expires_at),
            expires_at,
            address: turn.address.to_owned(),
            agent: agent.chars().filter(|c| !c.is_control()).take(AGENT_CHARACTERS_MAX).collect(),
        };
        turn.write(Write::PutSession(Box::new(session.clone())));
        let signed = Self { session, user: Arc::clone(user), is_new: true };
        let device = (!signed.lacks_second_factor()).then(|| Device::new(user, turn));
        (signed, Cookie::Set(minted.text, policy.absolute_s, device))
    }

    /// Replaces this session by a new one in the same browser.
    pub fn renew(&self, user: &Arc<User>, amr: Vec<Amr>, turn: &mut Turn<'_>) -> (Self, Cookie) {
        self.renew_proven(user, amr, self.session.auth_time, turn)
    }

    /// Replaces this session by a new one with another [`Session::auth_time`].
    pub fn renew_proven(
        &self,
        user: &Arc<User>,
        amr: Vec<Amr>,
        proven_at: UnixTime,
        turn: &mut Turn<'_>,
    ) -> (Self, Cookie) {
        turn.write(Write::EndSession(self.session.id));
        Self::start(user, amr, proven_at, &self.session.agent, turn)
    }

    /// True if the account has a second factor that was not proven in this session.
    #[must_use]
    pub fn lacks_second_factor(&self) -> bool {
        self.user.totp.is_some() && !self.session.amr.contains(&Amr::Otp)
    }

    /// True if the user must confirm sensitive changes with their password. An upstream identity provider cannot stand in
    /// for it then.
    #[must_use]
    pub fn needs_password(&self, turn: &Turn<'_>) -> bool {
        self.user.password.is_some() && !turn.policy.session.is_upstream_confirming
    }

    /// True if the user must confirm sensitive changes with their password and has not typed it in this session.
    #[must_use]
    pub fn lacks_password(&self, turn: &Turn<'_>) -> bool {
        self.needs_password(turn) && !self.session.amr.contains(&Amr::Pwd)
    }

    /// Checks that the user authenticated recently enough for a sensitive change. A user who has a password must have typed
    /// it: an attacker who takes over the upstream account gets in here, and must not be able to shut the owner out.
    ///
    /// # Errors
    /// [`No::SignInAgain`], [`No::PasswordNeeded`].
    pub fn check_recent(&self, turn: &Turn<'_>) -> Result<(), No> {
        // OWASP ASVS 5.0 V7.5.1: "full re-authentication before allowing modifications to sensitive account attributes".
        let age_s = self.confirmed_at(turn).seconds_until(turn.now);
        if age_s > turn.policy.session.recent_s {
            return Err(No::SignInAgain);
        }
        if self.lacks_password(turn) { Err(No::PasswordNeeded) } else { Ok(()) }
    }

    /// The time of the last authentication that counts for sensitive changes.
    ///
    /// Some identity providers, such as Google, never say when they authenticated a user. A sign-in there then confirms
    /// nothing for a user who has a password or a second factor here. For a user who has neither, the time of the
    /// return counts, because that user cannot prove any more.
    fn confirmed_at(&self, turn: &Turn<'_>) -> UnixTime {
        let has_nothing_else = self.user.totp.is_none() && !self.needs_password(turn);
        match self.session.undated_since() {
            Some(arrived_at) if has_nothing_else => arrived_at,
            _ => self.session.auth_time,
        }
    }

    /// Adds the preconditions that the session is live and the account unchanged.
    pub fn rely(&self, turn: &mut Turn<'_>) {
        if !self.is_new {
            turn.rely(Rely::User(self.user.key, self.user.version));
            turn.rely(Rely::Session(self.session.id));
        }
    }
}

/// Reads the token in a session cookie; `None` if this server did not make it.
#[must_use]
pub fn read_session(cookie: &str, keys: &Keys) -> Option<Presented> {
    keys.read(TokenKind::Session, &session_spelling(), cookie)
}
