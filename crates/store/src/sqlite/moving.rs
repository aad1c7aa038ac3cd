//! Reads and replaces stretches of rows.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::error::SqliteError;
use crate::moving::{Cell, Cells, Stretch, Table};

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Int(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

/// Builds the `WHERE` clause of a stretch, and its values.
fn within(table: &Table, stretch: Stretch<'_>) -> (String, Vec<Cell>) {
    let key = names(table).take(table.key).collect::<Vec<_>>().join(", ");
    let (mut text, mut values) = (" WHERE true".to_owned(), Vec::new());
    for (comparison, end) in [(">", stretch.after), ("<=", stretch.until)] {
        if let Some(end) = end {
            let marks = vec!["?"; table.key].join(", ");
            text += &format!(" AND ({key}) {comparison} ({marks})");
            values.extend_from_slice(end);
        }
    }
    (text, values)
}

fn names(table: &Table) -> impl Iterator<Item = &'static str> {
    table.columns.iter().map(|column| column.sqlite)
}

pub(super) fn read(
    connection: &Connection,
    table: &Table,
    stretch: Stretch<'_>,
    rows_max: usize,
) -> Result<Vec<Cells>, SqliteError> {
    let (within, values) = within(table, stretch);
    let columns = names(table).collect::<Vec<_>>().join(", ");
    let key = names(table).take(table.key).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT {columns} FROM {}{within} ORDER BY {key} LIMIT {rows_max}", table.name);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let cell = |at| {
            Ok(match row.get_ref(at)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(number) => Cell::Int(number),
                // PostgreSQL cannot store a NUL in a text, and no displayed text needs one.
                ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).replace('\0', "\u{fffd}")),
                ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
                ValueRef::Real(_) => {
                    return Err(SqliteError::Unreadable(format!("{} has a fraction in it", table.name)));
                }
            })
        };
        found.push((0..table.columns.len()).map(cell).collect::<Result<Cells, SqliteError>>()?);
    }
    Ok(found)
}

/// Replaces a stretch of rows within the writer's transaction.
pub(super) fn replace(
    connection: &Connection,
    table: &Table,
    stretch: Stretch<'_>,
    rows: &[Cells],
) -> Result<(), SqliteError> {
    let (within, values) = within(table, stretch);
    connection.execute(&format!("DELETE FROM {}{within}", table.name), params_from_iter(values))?;
    for at in table.unique {
        let sql = format!("DELETE FROM {} WHERE {} = ?", table.name, table.columns[*at].sqlite);
        let mut statement = connection.prepare_cached(&sql)?;
        for row in rows {
            statement.execute([&row[*at]])?;
        }
    }
    let columns = names(table).collect::<Vec<_>>().join(", ");
    let marks = vec!["?"; table.columns.len()].join(", ");
    let sql = format!("INSERT INTO {} ({columns}) VALUES ({marks})", table.name);
    let mut statement = connection.prepare_cached(&sql)?;
    for row in rows {
        statement.execute(params_from_iter(row))?;
    }
    Ok(())
}
