//! The standard claims of OpenID Connect Core §5.1, the scopes that open them (§5.4), and their values.
//!
//! The account has columns for names and the e-mail address. All other claims are attributes of the account with the
//! name of the claim. An attribute of another type than the claim has is not told.

use serde_json::{Map, Value};

use crate::model::User;
use crate::wire::names;

names! {
    /// A standard claim about a user, OpenID Connect Core §5.1. The claim `sub` is not among them: it is always told.
    Claim {
        /// The display name of the account.
        Name = "name",
        /// An attribute.
        FamilyName = "family_name",
        /// An attribute.
        GivenName = "given_name",
        /// An attribute.
        MiddleName = "middle_name",
        /// An attribute.
        Nickname = "nickname",
        /// The user name of the account.
        PreferredUsername = "preferred_username",
        /// An attribute.
        Profile = "profile",
        /// An attribute.
        Picture = "picture",
        /// An attribute.
        Website = "website",
        /// An attribute.
        Gender = "gender",
        /// An attribute.
        Birthdate = "birthdate",
        /// An attribute.
        Zoneinfo = "zoneinfo",
        /// An attribute.
        Locale = "locale",
        /// When a claim of the account last changed.
        UpdatedAt = "updated_at",
        /// The e-mail address of the account.
        Email = "email",
        /// Whether the e-mail address was verified.
        EmailVerified = "email_verified",
        /// An attribute, an object with the members of OpenID Connect Core §5.1.1.
        Address = "address",
        /// An attribute.
        PhoneNumber = "phone_number",
        /// An attribute, which is told only beside a telephone number.
        PhoneNumberVerified = "phone_number_verified",
    }
}

/// The members of the claim `address`, OpenID Connect Core §5.1.1.
const ADDRESS: &[&str] = &["formatted", "street_address", "locality", "region", "postal_code", "country"];

impl Claim {
    /// Returns the scope that opens the claim, OpenID Connect Core §5.4.
    #[must_use]
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Email | Self::EmailVerified => "email",
            Self::Address => "address",
            Self::PhoneNumber | Self::PhoneNumberVerified => "phone",
            Self::Name
            | Self::FamilyName
            | Self::GivenName
            | Self::MiddleName
            | Self::Nickname
            | Self::PreferredUsername
            | Self::Profile
            | Self::Picture
            | Self::Website
            | Self::Gender
            | Self::Birthdate
            | Self::Zoneinfo
            | Self::Locale
            | Self::UpdatedAt => "profile",
        }
    }

    /// Returns the value of the claim; `None` if the account has none. OpenID Connect Core §5.3.2: "If a Claim is not
    /// returned, that Claim Name SHOULD be omitted from the JSON object representing the Claims; it SHOULD NOT be present
    /// with a null or empty string value."
    #[must_use]
    pub fn value(self, user: &User) -> Option<Value> {
        let attribute = || user.attributes.get(self.as_str());
        let text = |text: &str| (!text.is_empty()).then(|| Value::from(text));
        match self {
            Self::Name => text(&user.name),
            Self::PreferredUsername => text(user.username.as_deref()?),
            Self::Email => text(user.shown_email()?),
            Self::EmailVerified => user.shown_email().map(|_| user.email_verified.into()),
            Self::UpdatedAt => Some(user.updated_at.unwrap_or(user.created_at).0.into()),
            Self::Address => address(attribute()?.as_object()?),
            Self::PhoneNumberVerified => {
                Self::PhoneNumber.value(user)?;
                attribute()?.as_bool().map(Value::from)
            }
            Self::FamilyName
            | Self::GivenName
            | Self::MiddleName
            | Self::Nickname
            | Self::Profile
            | Self::Picture
            | Self::Website
            | Self::Gender
            | Self::Birthdate
            | Self::Zoneinfo
            | Self::Locale
            | Self::PhoneNumber => text(attribute()?.as_str()?),
        }
    }
}

/// Returns the scope that opens the standard claim with this name; `None` for other names.
#[must_use]
pub fn scope_of(name: &str) -> Option<&'static str> {
    Claim::from_name(name).map(Claim::scope)
}

/// Returns the members of an address that the standard has, if there are any.
fn address(stored: &Map<String, Value>) -> Option<Value> {
    let of_text = |name: &&str| stored.get(*name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let members = ADDRESS.iter().filter(|name| of_text(name));
    let members: Map<String, Value> = members.map(|name| ((*name).to_owned(), stored[*name].clone())).collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use crate::time::UnixTime;
    use serde_json::json;

    fn user(attributes: &Value) -> User {
        User { attributes: attributes.as_object().unwrap().clone(), ..sample::user() }
    }

    #[test]
    fn the_account_s_own_members_and_its_attributes_are_the_claims_openid_connect_core_5_1() {
        let user = User {
            updated_at: Some(UnixTime(700)),
            ..user(&json!({
                "given_name": "Alice", "address": {"country": "Utopia", "planet": "Mars"},
                "phone_number": "+1 555 0100", "phone_number_verified": true, "team": "blue",
            }))
        };
        let told: Map<String, Value> =
            Claim::ALL.iter().filter_map(|claim| Some((claim.to_string(), claim.value(&user)?))).collect();
        let expected = json!({
            "name": "Alice Doe", "given_name": "Alice", "preferred_username": "alice", "updated_at": 700,
            "email": "alice@example.com", "email_verified": true, "address": {"country": "Utopia"},
            "phone_number": "+1 555 0100", "phone_number_verified": true,
        });
        assert_eq!(Value::Object(told), expected);
    }

    #[test]
    fn what_an_account_lacks_or_has_in_another_type_is_left_out_openid_connect_core_5_3_2() {
        let user = User {
            username: None,
            email: None,
            ..user(&json!({
                "given_name": "", "birthdate": 1970, "address": "1 Main Street", "phone_number_verified": true,
                "zoneinfo": null, "email_verified": true,
            }))
        };
        let told: Vec<&str> =
            Claim::ALL.iter().filter(|claim| claim.value(&user).is_some()).map(|claim| claim.as_str()).collect();
        assert_eq!(told, ["name", "updated_at"]);
    }

    #[test]
    fn an_attribute_never_stands_in_for_what_this_server_knows_itself() {
        let user = User {
            email: None,
            ..user(
                &json!({"email": "ceo@bigcorp.example", "name": "Root", "preferred_username": "root", "updated_at": 9}),
            )
        };
        assert_eq!(Claim::Name.value(&user), Some("Alice Doe".into()));
        assert_eq!(Claim::PreferredUsername.value(&user), Some("alice".into()));
        assert_eq!(Claim::UpdatedAt.value(&user), Some(0.into()));
        assert_eq!((Claim::Email.value(&user), Claim::EmailVerified.value(&user)), (None, None));
    }
}
