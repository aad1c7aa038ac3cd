//! The fields of a form for the settings that the owner of an application sets. They are made from the table of client
//! settings, so a new setting of owners needs no change here and in no template.

use std::collections::BTreeMap;

use protocol::client_setting::{self, Form, OwnerField, Row};
use serde::Serialize;

/// The fields of the form, filled.
#[derive(Serialize)]
pub(super) struct SettingForm {
    /// The fields, in the order of the table.
    fields: Vec<Field>,
    /// The values by the names of the settings, for a template that writes out each field.
    #[serde(flatten)]
    values: BTreeMap<&'static str, String>,
}

/// One field.
#[derive(Serialize)]
struct Field {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    value: String,
    /// True if the field takes several lines.
    is_long: bool,
    is_optional: bool,
    characters_max: Option<usize>,
    keyboard: Option<&'static str>,
}

impl SettingForm {
    /// The form, in which each field has the value that `value` gives for its setting.
    pub(super) fn new(value: impl Fn(&'static Row) -> String) -> Self {
        let fields: Vec<Field> =
            client_setting::of_owner().map(|(row, own)| Field::new(row, own, value(row))).collect();
        let values = fields.iter().map(|field| (field.name, field.value.clone())).collect();
        Self { fields, values }
    }

    /// The form of a sample, with these values by name and nothing in all other fields.
    pub(super) fn sample(values: &[(&str, &str)]) -> Self {
        let value = |name| values.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value);
        Self::new(|row| value(row.name).to_owned())
    }
}

impl Field {
    fn new(row: &'static Row, own: OwnerField, value: String) -> Self {
        let OwnerField { label, hint, is_optional, characters_max, keyboard, .. } = own;
        let is_long = matches!(row.form, Form::Texts);
        Self { name: row.name, label, hint, value, is_long, is_optional, characters_max, keyboard }
    }
}

/// The names of the fields.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    client_setting::of_owner().map(|(row, _)| row.name)
}
