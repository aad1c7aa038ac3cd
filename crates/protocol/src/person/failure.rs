//! Why an attempt to sign in failed, as the detail of its audit event tells it.

crate::wire::names! {
    /// Why an attempt to sign in failed. The log, the metrics and the audit events tell; the caller does not learn it.
    Failure {
        /// The password is not that of the account.
        Password = "wrong password",
        /// No account has the name that was typed.
        NoAccount = "no such account",
        /// The account is disabled.
        AccountDisabled = "disabled account",
        /// The account has no password: its owner signs in at the upstream identity provider.
        NoPassword = "account without a password",
        /// The account had too many failures, so that the password was not compared.
        NotCompared = "not compared: too many failures",
        /// The code of the second factor is wrong, too old, or was used before.
        Code = "wrong code of the second factor",
        /// The recovery code is wrong, or was used before.
        RecoveryCode = "wrong recovery code",
        /// The upstream identity provider vouched for somebody who may not sign in here.
        Upstream = "upstream identity provider",
    }
}

impl Failure {
    /// Reads the detail of an event of the kind [`crate::model::EventKind::SignInFailed`]: a failure, and perhaps more about it
    /// after a comma. `None` for what an older version wrote.
    #[must_use]
    pub fn read(detail: &str) -> Option<Self> {
        Self::from_name(detail.split_once(", ").map_or(detail, |(failure, _)| failure))
    }

    /// The failure as a label of a metric.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Password => "wrong_password",
            Self::NoAccount => "no_account",
            Self::AccountDisabled => "account_disabled",
            Self::NoPassword => "no_password",
            Self::NotCompared => "not_compared",
            Self::Code => "wrong_code",
            Self::RecoveryCode => "wrong_recovery_code",
            Self::Upstream => "upstream",
        }
    }

    /// Returns true if the first factor was right.
    #[must_use]
    pub const fn is_of_second_factor(self) -> bool {
        matches!(self, Self::Code | Self::RecoveryCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_read_from_the_detail_of_its_event() {
        for failure in Failure::ALL.iter().copied() {
            assert_eq!(Failure::read(failure.as_str()), Some(failure));
            assert_eq!(Failure::read(&format!("{failure}, on the account page")), Some(failure));
        }
        assert_eq!(Failure::read(""), None);
    }
}
