//! Authorizations: what a user authorized a client to do, and under which circumstances.
//!
//! One [`Authorization`] travels from the authorization request through the code and the grant to every token. To keep another
//! fact of an authorization, add a member to [`Circumstances`]: stores keep those as one document and need no change.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Amr, ClientKey, GrantType, SessionId, UserKey};
use crate::openid::RequestedClaims;
use crate::scope::Scope;
use crate::time::UnixTime;

/// A scope, with the resources at which it applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// The scope, RFC 6749 §3.3.
    pub scope: Scope,
    /// The resources at which it is allowed, RFC 8707; empty for every resource.
    pub audience: Vec<String>,
}

/// What a user authorized a client to do, and how the user was authenticated.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorization {
    /// The user.
    pub user: UserKey,
    /// The client.
    pub client: ClientKey,
    /// The most that the client may do. A token may allow less.
    pub permission: Permission,
    /// When the user was authenticated, as [`super::Session::auth_time`] says it: zero or less for unknown.
    pub auth_time: UnixTime,
    /// All other facts about the authorization.
    pub circumstances: Circumstances,
}

/// The circumstances of an authorization: everything that is known about it beside the members that have database columns.
///
/// Codes and grants keep the circumstances as one JSON document, and copy members that this version does not know. Every
/// member is optional, because rows that an older version wrote lack it. Empty members are left out to keep the document
/// small. A node of an older version ignores a new member, and loses it when it redeems a code. Fill a member that restricts
/// tokens only in a release after the one that first reads it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Circumstances {
    /// The grant type with which the authorization began. It decides how tokens are spelled where a dialect has a spelling
    /// for one grant type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_grant: Option<GrantType>,
    /// The browser session in which the user authorized the client. It becomes the claim `sid` of ID tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// How the user was authenticated. It becomes the claims `amr` and `acr` of ID tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<Amr>,
    /// The `nonce` of the authorization request, OpenID Connect Core §3.1.2.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The claims that the authorization request asked for one by one, as far as the client may ask for them.
    #[serde(default, skip_serializing_if = "RequestedClaims::is_empty")]
    pub claims: RequestedClaims,
    /// Members that a newer version of this program wrote. Nodes of two versions share codes and grants during an upgrade,
    /// and neither may lose what the other knows.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Circumstances {
    /// The circumstances of an authorization that began with this grant type, and of which nothing else is known.
    #[must_use]
    pub fn of(first_grant: GrantType) -> Self {
        Self { first_grant: Some(first_grant), ..Self::default() }
    }

    /// Writes the circumstances as the document that codes and grants keep. Returns `None` if nothing is known.
    #[must_use]
    pub fn document(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        let text = if self.rest.is_empty() {
            serde_json::to_string(self)
        } else {
            // A member stands in `rest` under its known name if its value was not understood. Building the object first makes
            // that value win; written directly, the name would occur twice.
            serde_json::to_value(self).map(|value| value.to_string())
        };
        Some(text.expect("words, numbers and JSON values become JSON"))
    }

    /// Reads a document. A member whose value this version does not understand stays in `rest`, where it is kept but not
    /// acted upon. Returns `None` if the text is not a JSON object.
    #[must_use]
    pub fn read(document: &str) -> Option<Self> {
        serde_json::from_str(document).ok().or_else(|| Self::read_what_is_understood(document))
    }

    fn read_what_is_understood(document: &str) -> Option<Self> {
        let all: Map<String, Value> = serde_json::from_str(document).ok()?;
        let (mut understood, mut rest) = (Map::new(), Map::new());
        for (name, value) in all {
            let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
            let is_understood = serde_json::from_value::<Self>(alone).is_ok();
            if is_understood { &mut understood } else { &mut rest }.insert(name, value);
        }
        let mut circumstances: Self = serde_json::from_value(Value::Object(understood)).ok()?;
        circumstances.rest.append(&mut rest);
        Some(circumstances)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_known_makes_no_document() {
        assert_eq!(Circumstances::default().document(), None);
    }

    #[test]
    fn a_document_has_what_is_known_and_no_empty_members() {
        let authorized = Circumstances {
            session: Some(SessionId(7)),
            amr: vec![Amr::Pwd, Amr::Otp],
            ..Circumstances::of(GrantType::AuthorizationCode)
        };
        let document = authorized.document().unwrap();
        assert_eq!(document, r#"{"first_grant":"authorization_code","session":7,"amr":["pwd","otp"]}"#);
        assert_eq!(Circumstances::read(&document), Some(authorized));
        assert_eq!(Circumstances::of(GrantType::Password).document().as_deref(), Some(r#"{"first_grant":"password"}"#));
    }

    #[test]
    fn members_of_a_newer_version_are_kept_as_they_were() {
        let document = r#"{"first_grant":"password","transaction":"n-0S6","cnf":{"jkt":"0ZcOC"}}"#;
        let read = Circumstances::read(document).unwrap();
        assert_eq!((read.first_grant, read.rest.len()), (Some(GrantType::Password), 2));
        let written: Value = serde_json::from_str(&read.document().unwrap()).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(document).unwrap());
    }

    #[test]
    fn a_value_of_a_newer_version_is_kept_and_not_taken_for_another() {
        let document = r#"{"amr":["hwk"],"first_grant":"device_code","session":7}"#;
        let mut read = Circumstances::read(document).unwrap();
        assert_eq!((read.session, read.first_grant, &read.amr[..]), (Some(SessionId(7)), None, &[][..]));
        let written = |own: &Circumstances| serde_json::from_str::<Value>(&own.document().unwrap()).unwrap();
        let before: Value = serde_json::from_str(document).unwrap();
        assert_eq!(written(&read), before);
        // The stored value is more precise than the one that this version would write.
        read.first_grant = Some(GrantType::AuthorizationCode);
        assert_eq!(written(&read), before);
    }

    #[test]
    fn what_is_no_object_is_not_read() {
        for text in ["", "[]", "7", "null", r#"{"amr":["#] {
            assert_eq!(Circumstances::read(text), None, "{text}");
        }
    }
}
