//! `grantry user unlock`: ends lockouts of an account.

use protocol::operate::UserAct;
use serde_json::json;

use super::done;
use crate::cli::answer::{Answer, CommandError};
use crate::cli::installation::Installation;
use crate::cli::show;

/// Clears all counters of failed attempts that belong to the account. Counters of network addresses belong to no
/// account and stay.
pub(super) async fn unlock(name: &str, installation: &Installation) -> Result<Answer, CommandError> {
    let user = done(name, UserAct::Unlock, installation).await?;
    let mut text = format!("{} may try again at once, from every device and address.", show::name_of(&user));
    if user.is_disabled {
        text.push_str("\nThe account is disabled: `grantry user enable` lets its owner in again.");
    }
    let document = json!({"id": user.sub, "is_unlocked": true, "is_disabled": user.is_disabled});
    Ok(Answer::new(document, text))
}
