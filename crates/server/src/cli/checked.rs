//! Checks of the operator's arguments before anything is written: names, identifiers, addresses and attributes.

use protocol::exact::{self, Inexact};
use protocol::identifiers;
use protocol::refusal::{No, Refusal};
use serde_json::{Map, Value};

use super::answer::CommandError;
use super::words;

/// Checks an identifier that comes from another system.
pub(super) fn checked_id(text: &str) -> Result<String, CommandError> {
    identifiers::id(text).map_err(|no| words::of(&no.into(), text))?;
    Ok(text.to_owned())
}

pub(super) fn checked_email(text: &str) -> Result<String, CommandError> {
    identifiers::email(text).map(ToOwned::to_owned).map_err(|refusal| words::of(&refusal, text.trim()))
}

pub(super) fn checked_username(text: &str) -> Result<String, CommandError> {
    identifiers::username(text).map_err(|refusal| words::of(&refusal, text))?;
    Ok(text.to_owned())
}

/// Checks a display name.
pub(super) fn checked_name(text: &str) -> Result<String, CommandError> {
    identifiers::display_name(text).map(ToOwned::to_owned).map_err(|refusal| words::of(&refusal, text))
}

/// Parses attributes in the form `NAME=VALUE`. A value that is not JSON is a text.
pub(super) fn attributes(pairs: &[String]) -> Result<Map<String, Value>, CommandError> {
    let mut attributes = Map::new();
    for pair in pairs {
        let Some((name, value)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(CommandError::usage(format!("--attribute is NAME=VALUE, not `{pair}`")));
        };
        let value = match exact::read(value.as_bytes()) {
            Ok(value) => value,
            Err(Inexact::Malformed) => Value::String(value.to_owned()),
            Err(Inexact::Number(number)) => {
                let number = format!("{name}: {number}");
                return Err(refused(Refusal::from(No::AttributeInexact).with_value(&number)));
            }
        };
        attributes.insert(name.to_owned(), value);
    }
    // `check_names` ignores names whose value is null, because in a patch null removes an attribute. Here null is a
    // value like any other.
    let set: Map<String, Value> = attributes.keys().map(|name| (name.clone(), Value::Bool(true))).collect();
    protocol::resource::attributes::check_names(&set).map_err(refused)?;
    protocol::resource::attributes::check(&attributes).map_err(|no| refused(no.into()))?;
    Ok(attributes)
}

/// Returns a refusal as a usage error.
fn refused(refusal: Refusal) -> CommandError {
    CommandError::usage(refusal.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_attribute_is_json_or_else_a_string() {
        let pairs = ["a=1", "b=x y", "c={\"d\":[true]}", "e=", "zip=01234", "n=null"].map(ToOwned::to_owned);
        let read = attributes(&pairs).unwrap();
        let expected = json!({"a": 1, "b": "x y", "c": {"d": [true]}, "e": "", "zip": "01234", "n": null});
        assert_eq!(Value::Object(read), expected);
        assert!(attributes(&["=1".into()]).is_err());
        assert!(attributes(&["a".into()]).is_err());
    }

    #[test]
    fn an_attribute_is_no_claim_and_no_rounded_number() {
        let told = |pair: &str| attributes(&[pair.to_owned()]).unwrap_err().to_string();
        assert!(told("email=ceo@bigcorp.example").contains("The attribute email cannot be set"), "{}", told("email=x"));
        assert!(told("Verified=true").contains("Verified"));
        let number = told("limits={\"links\":[1,123456789012345678901234]}");
        assert!(number.contains("limits: links.1 = 123456789012345678901234"), "{number}");
        assert_eq!(attributes(&["a=18446744073709551615".into()]).unwrap()["a"], json!(u64::MAX));
    }

    #[test]
    fn a_user_name_cannot_pass_for_an_e_mail_address() {
        assert!(checked_username("alice").is_ok());
        for bad in ["alice@example.com", "", "a b", "a\u{7}"] {
            assert!(checked_username(bad).is_err(), "{bad:?}");
        }
        for bad in ["alice", "@x", "a@", "a@b@c", "a b@c"] {
            assert!(checked_email(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_that_deceives_is_refused_with_the_character() {
        let stop = |result: Result<String, CommandError>| result.unwrap_err().to_string();
        assert_eq!(
            stop(checked_name("Bank\u{202e}")),
            "the name contains U+202E RIGHT-TO-LEFT OVERRIDE at character 5; remove it"
        );
        assert_eq!(
            stop(checked_username("ad\u{200b}min")),
            "the user name contains U+200B ZERO WIDTH SPACE at character 3; remove it"
        );
        assert_eq!(
            stop(checked_email("a\u{ad}@example.com")),
            "the e-mail address contains U+00AD SOFT HYPHEN at character 2; remove it"
        );
        assert_eq!(
            stop(checked_name("\u{200b}")),
            "the name contains U+200B ZERO WIDTH SPACE at character 1; remove it"
        );
        assert_eq!(stop(checked_name(" ")), "a name has 1 to 200 characters");
    }
}
