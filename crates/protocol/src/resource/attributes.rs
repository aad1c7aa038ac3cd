//! The accounts API: attributes that a provider's own programs keep about an account, such as limits, plans or teams.
//! Dialects put attributes into answers by `$user.…`. Only a confidential client with the operator's permission can
//! read and write them.

use serde_json::{Map, Value};

use crate::client::authenticate::Credentials;
use crate::line::Call;
use crate::line::{Facts, Key, Turn, Wants, Write};
use crate::model::{EventKind, User};
use crate::refusal::{No, Refusal};
use crate::wire::Params;

/// Maximum size of an account's attributes as JSON, in bytes. Answers carry them.
pub const BYTES_MAX: usize = 64 * 1024;

/// Maximum depth of nested JSON values in attributes. JSON parsers have a limit, and a row beyond it could not be read
/// again.
const DEPTH_MAX: usize = 32;

/// Names of the claims that this server makes itself, in lower case and without `_` and `-`. Applications trust these
/// claims, so no attribute can have such a name, and an older attribute that has one is not shown. The list holds the
/// claims of userinfo and introspection, and the registered claims of OpenID Connect Core §2 and §5.1 that say who a
/// user is or how the user authenticated.
const RESERVED: &[&str] = &[
    "id",
    "sub",
    "active",
    "createdat",
    "name",
    "username",
    "preferredusername",
    "email",
    "verified",
    "emailverified",
    "iss",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "authtime",
    "acr",
    "amr",
    "azp",
    "nonce",
    "sid",
    "act",
    "cnf",
    "scope",
    "clientid",
    "tokentype",
];

/// A request to read or change an account's attributes.
#[derive(Debug)]
pub struct AttributesCall {
    credentials: Credentials,
    sub: String,
    patch: Option<Map<String, Value>>,
}

impl AttributesCall {
    /// Parses a request about the account with the public identifier `sub`. `patch` is a JSON merge patch (RFC 7396);
    /// `None` only reads the attributes. `params` holds the client credentials of the request's header.
    ///
    /// # Errors
    /// [`No::ClientMissing`] without client credentials.
    pub fn parse(mut params: Params, sub: &str, patch: Option<Map<String, Value>>) -> Result<Self, Refusal> {
        Ok(Self { credentials: Credentials::parse(&mut params)?, sub: sub.to_owned(), patch })
    }
}

impl Call for AttributesCall {
    type Yes = Map<String, Value>;

    fn wants(&self) -> Wants {
        Wants::of([Key::Client(self.credentials.client_id.clone()), Key::Sub(self.sub.clone())])
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Map<String, Value>, Refusal> {
        let client = self.credentials.verify(facts, turn)?;
        if !client.may_use_accounts_api() {
            return Err(No::AttributesNotAllowed.into());
        }
        let user = facts.subject(&self.sub).ok_or(No::AccountUnknown)?;
        let Some(patch) = &self.patch else {
            turn.note(EventKind::AccountRead, Some(user.key), Some(client.key), "attributes");
            return Ok(user.attributes.clone());
        };
        check_names(patch)?;
        let mut attributes = user.attributes.clone();
        merge(&mut attributes, patch);
        check(&attributes)?;
        if attributes != user.attributes {
            let mut changed = User { attributes: attributes.clone(), version: user.version + 1, ..User::clone(user) };
            changed.date_change(user, turn.now);
            // ◆ The write relies on the account being unchanged. If another request changed it first, the turn is
            // judged again and the patch is applied to the new attributes.
            turn.write(Write::PutUser(Box::new(changed)));
            turn.note(EventKind::UserChanged, Some(user.key), Some(client.key), "attributes");
        }
        Ok(attributes)
    }

    fn credentials(&self) -> Option<&Credentials> {
        Some(&self.credentials)
    }
}

/// Checks the size and depth of an account's attributes.
///
/// # Errors
/// [`No::AttributesTooLarge`] or [`No::AttributesTooDeep`].
pub fn check(attributes: &Map<String, Value>) -> Result<(), No> {
    // Check the depth first: serializing a value that is too deep could overflow the stack.
    if attributes.values().any(|value| is_deeper(value, DEPTH_MAX - 1)) {
        return Err(No::AttributesTooDeep);
    }
    let bytes = serde_json::to_vec(attributes).map_or(usize::MAX, |text| text.len());
    if bytes > BYTES_MAX { Err(No::AttributesTooLarge) } else { Ok(()) }
}

/// Checks the names that `patch` sets. A patch may remove an attribute of any name.
///
/// # Errors
/// [`No::AttributeReserved`], with the first reserved name.
pub fn check_names(patch: &Map<String, Value>) -> Result<(), Refusal> {
    match patch.iter().find(|(name, value)| !value.is_null() && is_reserved(name)) {
        Some((name, _)) => Err(Refusal::from(No::AttributeReserved).with_value(name)),
        None => Ok(()),
    }
}

/// Returns true if an attribute with this name could be taken for a claim that this server makes. A name that ends in
/// `_iso` counts without that ending, because templates read an attribute `created_at_iso` in the place of
/// `created_at`.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    let name = name.trim();
    let end = name.len().saturating_sub("_iso".len());
    let name = match name.get(end..) {
        Some(suffix) if suffix.eq_ignore_ascii_case("_iso") => &name[..end],
        _ => name,
    };
    let plain = || name.bytes().filter(|byte| !matches!(byte, b'_' | b'-')).map(|byte| byte.to_ascii_lowercase());
    RESERVED.iter().any(|own| own.bytes().eq(plain()))
}

fn is_deeper(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth == 0 || items.iter().any(|item| is_deeper(item, depth - 1)),
        Value::Object(members) => depth == 0 || members.values().any(|member| is_deeper(member, depth - 1)),
        _ => false,
    }
}

/// Applies a JSON merge patch to an object, RFC 7396 §2.
fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => drop(target.remove(name)),
            Value::Object(inner) => {
                let own = target.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !own.is_object() {
                    *own = Value::Object(Map::new());
                }
                if let Value::Object(own) = own {
                    merge(own, inner);
                }
            }
            value => drop(target.insert(name.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Client;
    use crate::sample::{self, World};
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("{value} is no object") };
        members
    }

    fn world() -> World {
        let mut world = World::new();
        world.facts.client = Some(Arc::new(Client { is_first_party: true, ..sample::client() }));
        let attributes = object(json!({"limits": {"links": {"used": 1, "limit": 500}}, "plan": "free"}));
        world.facts.subject = Some(Arc::new(User { attributes, ..sample::user() }));
        world
    }

    fn ask(world: &World, patch: Option<Value>) -> (Result<Map<String, Value>, No>, usize) {
        let call = AttributesCall::parse(world.params(), "sub-alice", patch.map(object)).unwrap();
        let (verdict, changes) = world.judge(&call);
        (verdict.map_err(|refusal| refusal.no), changes.relied.len() + changes.writes.len())
    }

    #[test]
    fn a_merge_patch_changes_what_it_names_rfc_7396() {
        let patch = json!({"limits": {"links": {"used": 2}}, "plan": null, "team": ["a"]});
        let expected = object(json!({"limits": {"links": {"used": 2, "limit": 500}}, "team": ["a"]}));
        assert_eq!(ask(&world(), Some(patch)), (Ok(expected), 2));
        assert_eq!(ask(&world(), Some(json!({"plan": "free"}))).1, 0);
        assert_eq!(ask(&world(), None).1, 1, "each use is an event");
    }

    #[test]
    fn no_attribute_has_the_name_of_a_claim() {
        for name in
            ["email", "Email", "EMAIL_VERIFIED", "emailVerified", "verified", "sub", "created_at_iso", " id", "iss"]
        {
            let told =
                AttributesCall::parse(world().params(), "sub-alice", Some(object(json!({name: {"x": 1}})))).unwrap();
            let refusal = world().judge(&told).0.unwrap_err();
            assert_eq!(refusal.no, No::AttributeReserved, "{name}");
            assert!(refusal.text().contains(name), "{}", refusal.text());
        }
        for name in ["plan", "email_limit", "isolated", "iso", "_iso", "subscription", "identity"] {
            assert!(ask(&world(), Some(json!({name: 1}))).0.is_ok(), "{name}");
        }
        // A reserved attribute that an older version stored can be removed, and other attributes can still be changed.
        let mut before = world();
        let attributes = object(json!({"email": "ceo@bigcorp.example", "plan": "free"}));
        before.facts.subject = Some(Arc::new(User { attributes, ..sample::user() }));
        assert!(ask(&before, Some(json!({"plan": "pro"}))).0.is_ok());
        assert_eq!(ask(&before, Some(json!({"email": null}))).0, Ok(object(json!({"plan": "free"}))));
    }

    #[test]
    fn only_a_program_of_the_operators_own_may() {
        let mut stranger = world();
        stranger.facts.client = Some(Arc::new(sample::client()));
        assert_eq!(ask(&stranger, None).0, Err(No::AttributesNotAllowed));
        let mut unproven = world();
        unproven.send(crate::wire::Param::ClientSecret, "wrong");
        assert_eq!(ask(&unproven, None).0, Err(No::ClientSecretWrong));
        let mut nobody = world();
        nobody.facts.subject = None;
        assert_eq!(ask(&nobody, None).0, Err(No::AccountUnknown));
        let large = json!({"text": "x".repeat(BYTES_MAX)});
        assert_eq!(ask(&world(), Some(large)).0, Err(No::AttributesTooLarge));
        let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!({"a": inner}));
        assert!(ask(&world(), Some(nested(DEPTH_MAX))).0.is_ok());
        assert_eq!(ask(&world(), Some(nested(DEPTH_MAX + 1))).0, Err(No::AttributesTooDeep));
    }
}
