//! What there is before the first request: applications, accounts and personal tokens, as rows of the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::BASE64;
use protocol::client::registration;
use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::{Keys, TokenKind};
use protocol::line::Write;
use protocol::model::{
    Client, ClientKey, ClientKind, ClientSecret, GrantType, Identity, IdentityName, Personal, PersonalId, Pkce,
    RefreshMode, StoredSecret, Totp, User, UserKey,
};
use protocol::person::{password, totp};
use protocol::policy::Policy;
use protocol::scope::Scope;
use protocol::secret::{Digest, Secret};
use protocol::time::UnixTime;
use serde_json::{Map, Value, json};
use server::app::App;

use super::Known;
use super::world::NOW;
use crate::issuer;

/// What the browser of the file knows of somebody.
pub(super) struct Person {
    /// The user name, or the e-mail address of who has none.
    pub(super) login: String,
    pub(super) password: String,
    /// The seed of the second factor, and how many digits its codes have.
    pub(super) seed: Option<([u8; totp::SEED_BYTES], u32)>,
}

/// Makes rows, and keeps what the requests may use of them.
pub(super) struct Rows {
    dialect: String,
    policy: Arc<Policy>,
    keys: Arc<Keys>,
    last: i64,
    users: BTreeMap<String, UserKey>,
    pub(super) known: Known,
    pub(super) people: BTreeMap<String, Person>,
}

/// The public identifier of a `@user`.
pub(super) fn sub_of(name: &str) -> String {
    format!("sub-of-{name}")
}

/// The values of a line, and those that a line of its kind does not have.
struct Pairs<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Pairs<'a> {
    fn read(words: impl Iterator<Item = &'a str>, kind: &str, allowed: &[&str]) -> Result<Self, String> {
        let pairs: Vec<_> = words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
        match pairs.iter().find(|(key, _)| !allowed.contains(key)) {
            Some((unknown, _)) => Err(format!("a {kind} has no {unknown}")),
            None => Ok(Self(pairs)),
        }
    }

    fn all(&self, own: &str) -> Vec<&'a str> {
        self.0.iter().filter(|(key, _)| *key == own).map(|(_, value)| *value).collect()
    }

    fn one(&self, own: &str) -> Option<&'a str> {
        self.all(own).first().copied()
    }
}

impl Rows {
    pub(super) fn new(app: &App, dialect: &str) -> Self {
        let spoken = app.dialects.named(dialect).expect("the story's dialect is served");
        Self {
            dialect: dialect.to_owned(),
            policy: Arc::clone(&app.surface(spoken).policy),
            keys: app.keys(),
            last: 0,
            users: BTreeMap::new(),
            known: Known::new(),
            people: BTreeMap::new(),
        }
    }

    /// The row of a line; `None` for a line that is about something else.
    pub(super) fn row(&mut self, note: &str) -> Result<Option<Write>, String> {
        self.last += 1;
        let mut words = note.split(' ').filter(|word| !word.is_empty());
        let (kind, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match kind {
            "client" => self.client(name, words).map(Some),
            "user" => self.user(name, words).map(Some),
            "personal" => self.personal(name, words).map(Some),
            "identity" => self.identity(name, words),
            "config" => Ok(None),
            other => Err(format!("there is no @{other}")),
        }
    }

    fn client<'a>(&mut self, name: &str, words: impl Iterator<Item = &'a str>) -> Result<Write, String> {
        let allowed = ["kind", "redirect_uri", "grant", "scope", "pkce", "refresh"];
        let pairs = Pairs::read(words, "client", &allowed)?;
        let is_public = pairs.one("kind") == Some("public");
        let secret = format!("secret-of-{name}-0123456789abcdefghijklmnopqrstuvwxyz");
        let grants = match pairs.all("grant") {
            none if none.is_empty() => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            some => some
                .iter()
                .map(|word| GrantType::from_name(word).ok_or(format!("no grant {word}")))
                .collect::<Result<_, _>>()?,
        };
        if !is_public {
            self.known.insert(format!("{name}.secret"), secret.clone());
            self.known.insert(format!("{name}.basic"), BASE64.encode(format!("{name}:{secret}").as_bytes()));
        }
        let secrets = (!is_public).then(|| ClientSecret {
            stored: StoredSecret::Sha256(Digest::of(secret.as_bytes())),
            hint: "wxyz".to_owned(),
            created_at: NOW,
        });
        let kind = if is_public { ClientKind::Public } else { ClientKind::Confidential };
        Ok(Write::PutClient(Box::new(Client {
            key: ClientKey(self.last),
            client_id: name.to_owned(),
            name: name.to_owned(),
            secrets: secrets.into_iter().collect(),
            redirect_uris: pairs.all("redirect_uri").into_iter().map(str::to_owned).collect(),
            grants,
            scope: Scope::of(pairs.one("scope").unwrap_or("profile").split(',')),
            pkce: if pairs.one("pkce") == Some("optional") { Pkce::Optional } else { Pkce::Required },
            refresh: if pairs.one("refresh") == Some("reuse") { RefreshMode::Reuse } else { RefreshMode::Rotate },
            created_at: NOW,
            ..registration::client(kind, &self.policy)
        })))
    }

    fn user<'a>(&mut self, name: &str, words: impl Iterator<Item = &'a str>) -> Result<Write, String> {
        let pairs = Pairs::read(words, "user", &["password", "username", "email", "name", "totp", "attribute"])?;
        let password = pairs.one("password").ok_or("a user needs a password")?.to_owned();
        let mut entropy = Entropy::seeded([1; 32], self.last);
        let hash = password::hash(&Secret::new(password.clone()), &mut entropy);
        let seed = pairs.one("totp").map(|_| (totp::seed(&mut entropy), self.policy.otp_digits));
        let totp = seed.map(|(seed, digits)| Totp {
            sealed_seed: self.keys.keep("totp", sub_of(name).as_bytes(), &seed, &mut entropy),
            digits,
            last_step: 0,
            recovery: Vec::new(),
            enabled_at: NOW,
        });
        let email = pairs.one("email").map(str::to_owned);
        let username = Some(pairs.one("username").unwrap_or(name).to_owned()).filter(|own| !own.is_empty());
        let login = username.clone().or(email.clone()).ok_or("a user needs a name to sign in with")?;
        let key = UserKey(self.last);
        self.users.insert(name.to_owned(), key);
        self.people.insert(name.to_owned(), Person { login, password, seed });
        Ok(Write::PutUser(Box::new(User {
            username,
            email,
            email_verified: true,
            // A word is written after a word without a space, which parts the values.
            password: Some(hash),
            totp,
            attributes: attributes(&pairs)?,
            ..User::new(key, sub_of(name), pairs.one("name").unwrap_or(name).replace('_', " "), NOW)
        })))
    }

    fn personal<'a>(&mut self, name: &str, words: impl Iterator<Item = &'a str>) -> Result<Write, String> {
        let pairs = Pairs::read(words, "personal token", &["user", "scope"])?;
        let user = pairs.one("user").and_then(|user| self.users.get(user)).ok_or("there is no such user above")?;
        let mut entropy = Entropy::seeded([2; 32], self.last);
        let minted = self.keys.mint(TokenKind::Personal, &self.policy.personal.spelling, &mut entropy);
        self.known.insert(format!("{name}.token"), minted.text.reveal().to_owned());
        let ttl_s = self.policy.personal.ttl_s;
        Ok(Write::PutPersonal(Box::new(Personal {
            id: PersonalId(minted.id),
            digest: minted.digest,
            user: *user,
            dialect: self.dialect.clone(),
            name: name.to_owned(),
            scope: Scope::of(pairs.one("scope").unwrap_or("profile").split(',')),
            is_by_operator: true,
            created_at: NOW,
            expires_at: ttl_s.map_or(UnixTime::NEVER, |ttl_s| NOW.plus(ttl_s)),
            used_at: None,
        })))
    }
}

impl Rows {
    /// Somebody as the issuer elsewhere knows them, and what it says about them.
    fn identity<'a>(&mut self, name: &str, words: impl Iterator<Item = &'a str>) -> Result<Option<Write>, String> {
        let allowed = ["sub", "email", "email_verified", "name", "hd", "aud", "linked"];
        let pairs = Pairs::read(words, "identity", &allowed)?;
        let subject = pairs.one("sub").unwrap_or(name);
        // By `jti` two tokens about the same person are two.
        let mut said = vec![("sub", json!(subject)), ("jti", json!(name))];
        said.extend(["email", "hd", "aud"].into_iter().filter_map(|claim| Some((claim, json!(pairs.one(claim)?)))));
        said.extend(pairs.one("name").map(|text| ("name", json!(text.replace('_', " ")))));
        said.extend(pairs.one("email_verified").map(|text| ("email_verified", json!(text == "true"))));
        self.known.insert(format!("{name}.id_token"), issuer::token(NOW, &said));
        let link = |user: &str| {
            let user = *self.users.get(user).ok_or("there is no such user above")?;
            let name = IdentityName { issuer: issuer::NAME.to_owned(), subject: subject.to_owned() };
            Ok(Write::PutIdentity(Identity { name, user, linked_at: NOW }))
        };
        pairs.one("linked").map(link).transpose()
    }
}

fn attributes(pairs: &Pairs<'_>) -> Result<Map<String, Value>, String> {
    let read = |pair: &str| {
        let (name, value) = pair.split_once('=').ok_or("an attribute is NAME=JSON")?;
        let value = serde_json::from_str(value).map_err(|error| format!("{name}: {error}"))?;
        Ok((name.to_owned(), value))
    };
    pairs.all("attribute").into_iter().map(read).collect()
}
