//! `grantry key replace-master`: replaces a master key that leaked.
//!
//! The shared secrets of second factors are encrypted again, one user at a time, and then the kept secrets of clients. A secret that is already encrypted
//! with the new key stays, so an interrupted run can be repeated. The fingerprint in the store changes last; until then
//! the old key is valid.

use std::path::Path;

use protocol::crypto::keys::{Keys, fingerprint};
use protocol::line::Write;
use protocol::operate::{ClientAct, ClientCall, UserAct};
use serde_json::json;

use super::answer::{Answer, CommandError};
use super::installation::{Installation, Rules};
use super::user::ask;
use super::words;
use crate::config::{Master, read_master};
use crate::keys;

/// Encrypts everything that depends on the master key with the key in `file`. Generates that key if the file does not
/// exist.
pub(super) async fn replace(installation: &Installation, file: &Path) -> Result<Answer, CommandError> {
    let Master::Known(old) = &installation.configuration.master else {
        return Err(CommandError::no("there is no master key yet, and so none to replace"));
    };
    let new = if file.exists() { read_master(file) } else { keys::make(file) }.map_err(CommandError::no)?;
    if *new == **old {
        return Err(CommandError::no(format!(
            "{} holds the master key that is in use: name a new file",
            file.display()
        )));
    }
    let keys = |master: &[u8; 32]| Box::new(Keys::derive(master, &[]));
    let users = installation.users().await?;
    let mut resealed = 0;
    for user in &users {
        let act = UserAct::Reseal { before: keys(old), after: keys(&new) };
        let done = ask(&user.sub, act, installation, None).await?.map_err(|refusal| words::of(&refusal, &user.sub))?;
        resealed += u64::from(done.user.totp.is_some());
    }
    // Whoever had the old key can read these. The server makes new ones.
    let signing = installation.store.signing_keys().await?;
    if !signing.is_empty() {
        let dropped = signing.iter().map(|row| Write::DropSigningKey(row.number)).collect::<Vec<_>>();
        installation.store.commit(dropped.into()).await.map_err(|error| CommandError::no(error.to_string()))?;
    }
    let mut secrets = 0;
    for client in installation.clients(None).await?.iter().filter(|own| !own.sealed_secrets.is_empty()) {
        let act = ClientAct::Reseal { before: keys(old), after: keys(&new) };
        let call = ClientCall { client_id: client.client_id.clone(), act };
        let done = installation.ask(&call, Rules::of(&installation.house_policy())).await?;
        done.map_err(|refusal| words::of(&refusal, &call.client_id))?;
        secrets += client.sealed_secrets.len();
    }
    if !installation.store.replace_master_fingerprint(fingerprint(old), fingerprint(&new)).await? {
        return Err(CommandError::no("another process replaced the master key at the same time; run `grantry check`"));
    }
    let text = format!(
        "Replaced the master key: {resealed} second factors and {secrets} client secrets are sealed with the new one, and the sessions and tokens of {} \
         users have ended.\n\nNext:\n  1. Name {file} in `keys.master_file` on every node, or put it in the place of the old \
         file.\n  2. grantry check\n  3. Start the servers, make a backup, and keep a copy of {file} in a safe place.",
        users.len(),
        file = file.display()
    );
    let document = json!({
        "master_file": file.display().to_string(), "users": users.len(), "second_factors": resealed,
        "client_secrets": secrets,
    });
    Ok(Answer::new(document, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::user::enrol;
    use crate::config::of_text;
    use protocol::model::{User, UserKey};
    use protocol::time::UnixTime;
    use std::sync::Arc;
    use store::{Memory, Store};

    const NOW: UnixTime = UnixTime(1_000);
    const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn installation(store: &Arc<dyn Store>) -> Installation {
        let text = format!("issuer = \"https://a.example\"\n[store]\nurl = \"memory:\"\n[keys]\nmaster = \"{OLD}\"\n");
        let loaded = of_text("g.toml", text, Path::new("/nowhere"), &[]).expect("it is good");
        Installation::new(loaded.configuration, Arc::clone(store))
    }

    #[tokio::test]
    async fn second_factors_open_with_the_new_key_and_whatever_was_issued_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new.key");
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let installation = installation(&store);
        installation.keys().await.unwrap();
        for (at, name) in ["alice", "bob"].into_iter().enumerate() {
            let key = UserKey(i64::try_from(at).unwrap() + 1);
            let user = User {
                username: Some(name.to_owned()),
                version: 1,
                ..User::new(key, format!("sub-{name}"), name, NOW)
            };
            store.commit([Write::PutUser(Box::new(user))].into()).await.unwrap();
        }
        let keys = installation.keys().await.unwrap();
        crate::signing_keys::Place { store: &*store, keys: &keys, now: NOW }.ensure().await.unwrap();
        let enrolled = enrol(&installation, "alice", None).await.unwrap();
        let answer = replace(&installation, &file).await.unwrap();
        assert_eq!((&answer.document["users"], &answer.document["second_factors"]), (&json!(2), &json!(1)));
        let new = read_master(&file).unwrap();
        assert_eq!(store.master_fingerprint().await, Ok(Some(fingerprint(&new))));
        let alice = store.user_by_name("alice").await.unwrap().unwrap();
        let sealed = &alice.totp.as_ref().unwrap().sealed_seed;
        let seed = Keys::derive(&new, &[]).open_kept("totp", alice.sub.as_bytes(), sealed).expect("it opens");
        assert_eq!(protocol::person::totp::base32(&seed), enrolled.base32.reveal());
        let bob = store.user_by_name("bob").await.unwrap().unwrap();
        assert_eq!(store.signing_keys().await, Ok(Vec::new()), "whoever had the old key could sign");
        assert!(alice.revoked_below > 0 && bob.revoked_below > 0, "whatever was issued has ended");
        assert!(replace(&installation, &file).await.is_err(), "the old key is not the store's any more");
    }
}
