//! The `claims` parameter of an authorization request, OpenID Connect Core §5.5: single claims that an application asks
//! for, beside those that its scopes open.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::Claim;
use crate::refusal::{No, Refusal};
use crate::scope::Scope;
use crate::wire::Param;

/// A parsed `claims` parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimsParameter {
    /// The standard claims that are asked for.
    pub requested: RequestedClaims,
    /// The subjects of which one must be the user, if the request names any: the claim `sub` with a value.
    pub subjects: Option<Vec<String>>,
    /// The authentication context classes of which one must be reached, if the request says so: the essential claim
    /// `acr` with values.
    pub levels: Option<Vec<String>>,
}

/// The standard claims that an application asks for, by the place in which it wants them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedClaims {
    /// The claims for the answer of the userinfo endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub userinfo: Vec<Claim>,
    /// The claims for the ID token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_token: Vec<Claim>,
}

impl RequestedClaims {
    /// Returns the scopes that open these claims. The user is asked to allow them.
    #[must_use]
    pub fn scopes(&self) -> Scope {
        Scope::of(self.userinfo.iter().chain(&self.id_token).map(|claim| claim.scope()))
    }

    /// Returns the claims for which `is_open` returns true.
    #[must_use]
    pub fn filtered(mut self, is_open: impl Fn(Claim) -> bool) -> Self {
        self.userinfo.retain(|claim| is_open(*claim));
        self.id_token.retain(|claim| is_open(*claim));
        self
    }

    /// Returns true if no claim is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.userinfo.is_empty() && self.id_token.is_empty()
    }
}

impl ClaimsParameter {
    /// Parses the value of the parameter. Claims that this server does not have are left out. OpenID Connect Core
    /// §5.5.1: a claim that is not available is omitted, "Essential" or not, and "The Authorization Server SHOULD NOT
    /// generate an error".
    ///
    /// # Errors
    /// [`No::ParameterMalformed`].
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let malformed = || Refusal::of(No::ParameterMalformed, Param::Claims);
        let value: Value = serde_json::from_str(text).map_err(|_| malformed())?;
        let all = value.as_object().ok_or_else(malformed)?;
        let mut parsed = Self::default();
        // OpenID Connect Core §5.5: "Other members MAY be present. Any members used that are not understood MUST be
        // ignored."
        for name in ["userinfo", "id_token"] {
            let place = match all.get(name) {
                None | Some(Value::Null) => continue,
                Some(place) => place.as_object().ok_or_else(malformed)?,
            };
            let asked =
                if name == "userinfo" { &mut parsed.requested.userinfo } else { &mut parsed.requested.id_token };
            *asked = place.keys().filter_map(|claim| Claim::from_name(claim)).collect();
            for (claim, wish) in place {
                let wish = match wish {
                    Value::Null => continue,
                    wish => wish.as_object().ok_or_else(malformed)?,
                };
                match claim.as_str() {
                    "sub" => narrow(&mut parsed.subjects, values(wish)),
                    "acr" if is_essential(wish) => narrow(&mut parsed.levels, values(wish)),
                    _ => {}
                }
            }
        }
        Ok(parsed)
    }
}

/// Returns the values of which the claim must have one: the members `value` and `values` of OpenID Connect Core §5.5.1.
/// Returns `None` if there are none. A value that is no text is one that no claim of this server has.
fn values(wish: &Map<String, Value>) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let several = wish.get("values").and_then(Value::as_array).map(|all| all.iter().map(text).collect());
    wish.get("value").map(|one| vec![text(one)]).or(several)
}

fn is_essential(wish: &Map<String, Value>) -> bool {
    wish.get("essential") == Some(&Value::Bool(true))
}

/// Keeps the values that are in both lists. `None` stands for all values.
pub fn narrow(known: &mut Option<Vec<String>>, more: Option<Vec<String>>) {
    *known = match (known.take(), more) {
        (Some(known), Some(more)) => Some(known.into_iter().filter(|own| more.contains(own)).collect()),
        (known, more) => known.or(more),
    };
}

impl Serialize for Claim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_name(&text).ok_or_else(|| serde::de::Error::custom("a claim of another version"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ClaimsParameter {
        ClaimsParameter::parse(text).unwrap()
    }

    #[test]
    fn claims_are_asked_for_by_place_openid_connect_core_5_5() {
        let asked = parse(
            r#"{"userinfo":{"given_name":{"essential":true},"nickname":null,"http://example.info/claims/groups":null},
                "id_token":{"email":{"essential":false},"auth_time":{"essential":true}},"verified_claims":7}"#,
        );
        let expected =
            RequestedClaims { userinfo: vec![Claim::GivenName, Claim::Nickname], id_token: vec![Claim::Email] };
        assert_eq!(asked, ClaimsParameter { requested: expected, ..ClaimsParameter::default() });
        assert_eq!(asked.requested.scopes().as_str(), "profile email");
    }

    #[test]
    fn a_subject_with_a_value_and_an_essential_level_are_conditions_openid_connect_core_5_5_1() {
        let asked = parse(r#"{"id_token":{"sub":{"value":"s1"},"acr":{"essential":true,"values":["a","b"]}}}"#);
        assert_eq!(asked.subjects, Some(vec!["s1".to_owned()]));
        assert_eq!(asked.levels, Some(vec!["a".to_owned(), "b".to_owned()]));
        let voluntary = parse(r#"{"id_token":{"sub":null,"acr":{"values":["a"]}}}"#);
        assert_eq!((voluntary.subjects, voluntary.levels), (None, None));
        let two = parse(r#"{"id_token":{"sub":{"value":"s1"}},"userinfo":{"sub":{"value":"s2"}}}"#);
        assert_eq!(two.subjects, Some(vec![]), "nobody is both");
        let odd = parse(r#"{"id_token":{"sub":{"value":7}}}"#);
        assert_eq!(odd.subjects, Some(vec![String::new()]), "nobody is a number");
    }

    #[test]
    fn what_is_no_claims_request_is_refused_openid_connect_core_5_5() {
        for text in ["", "x", "[]", "7", r#"{"userinfo":[]}"#, r#"{"id_token":{"name":true}}"#, r#"{"id_token":"#] {
            let refusal = ClaimsParameter::parse(text).unwrap_err();
            assert_eq!((refusal.no, refusal.param), (No::ParameterMalformed, Some(Param::Claims)), "{text}");
        }
        assert_eq!(parse("{}"), ClaimsParameter::default());
    }
}
