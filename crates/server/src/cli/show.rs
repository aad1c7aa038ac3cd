//! Rows as JSON documents, and documents as text.

use jiff::Timestamp;
use protocol::client::registration::secret_digest;
use protocol::client_setting;
use protocol::model::{Client, Grant, Personal, StoredSecret, User, WithOwners};
use protocol::secret::Digest;
use protocol::time::UnixTime;
use serde_json::{Value, json};

/// Returns a time in the format of RFC 3339; `null` for [`UnixTime::NEVER`].
pub(super) fn time(time: UnixTime) -> Value {
    if time == UnixTime::NEVER {
        return Value::Null;
    }
    Timestamp::from_second(time.0).map_or(Value::Null, |stamp| Value::String(stamp.to_string()))
}

/// Returns a user without secrets.
pub(super) fn user(user: &User) -> Value {
    let mut shown = json!({
        "id": user.sub,
        "email": user.email,
        "email_verified": user.email_verified,
        "username": user.username,
        "name": user.name,
        "attributes": user.attributes,
        "has_password": user.password.is_some(),
        "has_second_factor": user.totp.is_some(),
        "recovery_codes_left": user.totp.as_ref().map(|totp| totp.recovery.len()),
        "is_disabled": user.is_disabled,
        "created_at": time(user.created_at),
    });
    if let Some(hint) = &user.email_hint {
        shown["email_hint"] = hint.as_str().into();
    }
    shown
}

/// Returns a client without secrets. `uses` holds the last uses of its secrets.
pub(super) fn client(client: &Client, owner: Option<&User>, uses: &[(Digest, UnixTime)]) -> Value {
    let secrets: Vec<Value> = client
        .secrets
        .iter()
        .map(|secret| {
            let stored = match secret.stored {
                StoredSecret::Sha256(_) => "sha256",
                StoredSecret::Argon2(_) => "argon2id",
            };
            let own = secret_digest(secret);
            let used_at = uses.iter().find(|(digest, _)| *digest == own).map(|(_, used_at)| time(*used_at));
            json!({"hint": secret.hint, "stored": stored, "created_at": time(secret.created_at), "used_at": used_at})
        })
        .collect();
    let mut shown = json!({"client_id": client.client_id, "dialect": client.dialect});
    for row in client_setting::TABLE.iter().filter(|row| row.is_shown) {
        shown[row.name] = (row.read)(client);
    }
    shown["owner"] = json!(owner.map(name_of));
    shown["checked_at"] = client.checked.as_ref().map_or(Value::Null, |checked| time(checked.at));
    shown["checked_by"] = json!(client.checked.as_ref().map(|checked| &checked.by));
    shown["secrets"] = json!(secrets);
    shown["is_disabled"] = json!(client.is_disabled);
    shown["created_at"] = time(client.created_at);
    shown
}

/// Returns a name by which the operator can name the user: the user name, or the e-mail address, or the id.
pub(super) fn name_of(user: &User) -> String {
    user.username.as_ref().or(user.email.as_ref()).unwrap_or(&user.sub).clone()
}

/// Returns a personal access token without its text.
pub(super) fn personal(held: &WithOwners<Personal>) -> Value {
    let row = &held.row;
    json!({
        "id": row.id.0.to_string(),
        "user": held.user.as_ref().map(|user| name_of(user)),
        "name": row.name,
        "dialect": row.dialect,
        "scope": row.scope.as_str(),
        "created_at": time(row.created_at),
        "expires_at": time(row.expires_at),
        "used_at": row.used_at.map(time),
    })
}

/// Returns a grant without its tokens.
pub(super) fn grant(held: &WithOwners<Grant>, now: UnixTime) -> Value {
    let row = &held.row;
    let is_dead = row.is_revoked || held.is_grant_revoked || now.is_past(row.expires_at);
    json!({
        "id": row.id.0.to_string(),
        "user": held.user.as_ref().map(|user| name_of(user)),
        "client_id": held.client.as_ref().map(|client| client.client_id.clone()),
        "client": held.client.as_ref().map(|client| client.name.clone()),
        "scope": row.authorization.permission.scope.as_str(),
        "resources": row.authorization.permission.audience,
        "created_at": time(row.created_at),
        "expires_at": time(row.expires_at),
        "is_live": !is_dead && held.check_now(),
    })
}

/// The check that client and user of a grant are still valid.
trait CheckNow {
    fn check_now(&self) -> bool;
}

impl CheckNow for WithOwners<Grant> {
    fn check_now(&self) -> bool {
        self.client.as_ref().is_some_and(|client| self.check(&client.dialect).is_ok())
    }
}

/// Formats rows as aligned columns. `null` and empty values become a dash. `none` is the text without rows.
pub(super) fn table(rows: &[Value], columns: &[&str], none: &str) -> String {
    if rows.is_empty() {
        return none.to_owned();
    }
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|name| name.to_uppercase().replace('_', " ")).collect()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|name| cell(&row[*name])).collect()));
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// Formats one row as a line, for continuous output whose column widths are unknown.
pub(super) fn row(row: &Value, columns: &[&str]) -> String {
    let cells: Vec<String> = columns.iter().map(|name| cell(&row[*name])).collect();
    cells.join("  ")
}

/// Formats a document as lines of names and values. Absent values are left out.
pub(super) fn lines(document: &Value) -> String {
    let Some(members) = document.as_object() else { return cell(document) };
    let width = members.keys().map(String::len).max().unwrap_or_default();
    let mut out = String::new();
    for (name, value) in members {
        let items: Vec<String> = match value {
            Value::Null => continue,
            Value::Array(items) if items.is_empty() => continue,
            Value::Object(members) if members.is_empty() => continue,
            Value::Array(items) => items.iter().map(cell).collect(),
            Value::String(text) => text.split('\n').map(str::to_owned).collect(),
            other => vec![cell(other)],
        };
        for (at, item) in items.iter().enumerate() {
            let label = if at == 0 { name.replace('_', " ") } else { String::new() };
            out.push_str(format!("{label:width$}  {item}").trim_end());
            out.push('\n');
        }
    }
    out
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(" "),
        Value::Object(members) if members.contains_key("hint") => {
            let used = match &value["used_at"] {
                Value::Null => "no use noted yet".to_owned(),
                used_at => format!("last used {}", cell(used_at)),
            };
            let [hint, stored, made] = ["hint", "stored", "created_at"].map(|name| cell(&value[name]));
            format!("…{hint} ({stored}, {made}, {used})")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_table_is_aligned_and_says_when_there_is_nothing() {
        let rows = [json!({"a": "x", "b_c": null}), json!({"a": "longer", "b_c": true})];
        expect![[r"
            A       B C
            x       -
            longer  yes
        "]]
        .assert_eq(&table(&rows, &["a", "b_c"], "nothing"));
        assert_eq!(table(&[], &["a"], "nothing"), "nothing");
    }

    #[test]
    fn lines_leave_out_what_is_absent_and_list_what_is_many() {
        let document = json!({"name": "x", "gone": null, "uris": ["a", "b"], "is_disabled": false});
        expect![[r"
            name         x
            uris         a
                         b
            is disabled  no
        "]]
        .assert_eq(&lines(&document));
    }

    #[test]
    fn times_are_rfc_3339_and_never_is_null() {
        assert_eq!(time(UnixTime(0)), json!("1970-01-01T00:00:00Z"));
        assert_eq!(time(UnixTime::NEVER), Value::Null);
    }
}
