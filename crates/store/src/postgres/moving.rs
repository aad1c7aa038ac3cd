//! Reads and replaces stretches of rows.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::error::PostgresError;
use super::lane::LaneWork;
use super::link::{Link, Typed};
use super::row;
use crate::moving::{Cell, Cells, Kind, STRETCH_ROWS, Stretch, TABLES, Table};
use crate::{Fault, Sqlite, Store};

/// Time limit for statements of a move, such as emptying or analysing a large table. Only the move waits for them.
const MOVE_MAX: Duration = Duration::from_secs(3_600);

/// The values of one column, or one bound of a stretch.
enum Values {
    Ints(Vec<Option<i64>>),
    Bools(Vec<Option<bool>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Values {
    fn of<'c>(kind: Kind, cells: impl Iterator<Item = &'c Cell>) -> Self {
        fn int(cell: &Cell) -> Option<i64> {
            if let Cell::Int(number) = cell { Some(*number) } else { None }
        }
        match kind {
            Kind::Int => Self::Ints(cells.map(int).collect()),
            Kind::Bool => Self::Bools(cells.map(|cell| int(cell).map(|number| number != 0)).collect()),
            Kind::Text => Self::Texts(
                cells.map(|cell| if let Cell::Text(text) = cell { Some(text.clone()) } else { None }).collect(),
            ),
            Kind::Bytes => Self::Bytes(
                cells.map(|cell| if let Cell::Bytes(bytes) = cell { Some(bytes.clone()) } else { None }).collect(),
            ),
        }
    }

    fn typed(&self) -> Typed<'_> {
        match self {
            Self::Ints(own) => (own as &(dyn ToSql + Sync), Type::INT8_ARRAY),
            Self::Bools(own) => (own as &(dyn ToSql + Sync), Type::BOOL_ARRAY),
            Self::Texts(own) => (own as &(dyn ToSql + Sync), Type::TEXT_ARRAY),
            Self::Bytes(own) => (own as &(dyn ToSql + Sync), Type::BYTEA_ARRAY),
        }
    }
}

fn names(table: &Table, count: usize) -> String {
    table.columns.iter().take(count).map(|column| column.postgres).collect::<Vec<_>>().join(", ")
}

/// The key columns, with texts compared byte by byte, as SQLite does.
fn key(table: &Table) -> String {
    let own = |column: &crate::moving::Column| match column.kind {
        Kind::Text => format!("{} COLLATE \"C\"", column.postgres),
        _ => column.postgres.to_owned(),
    };
    table.columns.iter().take(table.key).map(own).collect::<Vec<_>>().join(", ")
}

/// Builds the `WHERE` clause of a stretch, and its values as arrays of one element.
fn within(table: &Table, stretch: Stretch<'_>) -> (String, Vec<Values>) {
    let (mut text, mut values) = (" WHERE true".to_owned(), Vec::new());
    for (comparison, end) in [(">", stretch.after), ("<=", stretch.until)] {
        let Some(end) = end else { continue };
        let mut marks = Vec::new();
        for (column, cell) in table.columns.iter().zip(end) {
            values.push(Values::of(column.kind, std::iter::once(cell)));
            marks.push(format!("${}[1]", values.len()));
        }
        text += &format!(" AND ({}) {comparison} ({})", key(table), marks.join(", "));
    }
    (text, values)
}

/// Reads a stretch of rows.
pub(super) struct Read<'r> {
    pub(super) table: &'static Table,
    pub(super) stretch: Stretch<'r>,
    pub(super) rows_max: usize,
}

impl LaneWork for Read<'_> {
    type Done = Vec<Cells>;

    async fn run(&mut self, link: &Link) -> Result<Vec<Cells>, PostgresError> {
        read(link, self.table, self.stretch, self.rows_max).await
    }
}

pub(super) async fn read(
    link: &Link,
    table: &'static Table,
    stretch: Stretch<'_>,
    rows_max: usize,
) -> Result<Vec<Cells>, PostgresError> {
    let (within, values) = within(table, stretch);
    let columns = names(table, table.columns.len());
    let sql = format!("SELECT {columns} FROM {}{within} ORDER BY {} LIMIT {rows_max}", table.name, key(table));
    let values: Vec<Typed<'_>> = values.iter().map(Values::typed).collect();
    link.rows(&sql, &values).await?.iter().map(|row| cells(table, row)).collect()
}

fn cells(table: &Table, row: &Row) -> Result<Cells, PostgresError> {
    let cell = |(at, column): (usize, &crate::moving::Column)| {
        Ok(match column.kind {
            Kind::Int => row::get::<Option<i64>>(row, at)?.map_or(Cell::Null, Cell::Int),
            Kind::Bool => row::get::<Option<bool>>(row, at)?.map_or(Cell::Null, |own| Cell::Int(i64::from(own))),
            Kind::Text => row::get::<Option<String>>(row, at)?.map_or(Cell::Null, Cell::Text),
            Kind::Bytes => row::get::<Option<Vec<u8>>>(row, at)?.map_or(Cell::Null, Cell::Bytes),
        })
    };
    table.columns.iter().enumerate().map(cell).collect()
}

/// Replaces a stretch of rows in one transaction.
pub(super) struct Replace<'r> {
    pub(super) table: &'static Table,
    pub(super) stretch: Stretch<'r>,
    pub(super) rows: Vec<Cells>,
}

impl LaneWork for Replace<'_> {
    type Done = ();

    fn time_max(&self) -> Duration {
        MOVE_MAX
    }

    async fn run(&mut self, link: &Link) -> Result<(), PostgresError> {
        let (within, values) = within(self.table, self.stretch);
        let values: Vec<Typed<'_>> = values.iter().map(Values::typed).collect();
        link.begin("BEGIN").await?;
        link.run(&format!("DELETE FROM {}{within}", self.table.name), &values).await?;
        if !self.rows.is_empty() {
            let columns: Vec<Values> = self
                .table
                .columns
                .iter()
                .enumerate()
                .map(|(at, column)| Values::of(column.kind, self.rows.iter().map(|row| &row[at])))
                .collect();
            for at in self.table.unique {
                let name = self.table.columns[*at].postgres;
                let sql = format!("DELETE FROM {} WHERE {name} = ANY($1)", self.table.name);
                link.run(&sql, &[columns[*at].typed()]).await?;
            }
            let marks: Vec<String> = (1..=columns.len()).map(|at| format!("${at}")).collect();
            let sql = format!(
                "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT * FROM unnest({})",
                self.table.name,
                names(self.table, columns.len()),
                marks.join(", ")
            );
            let values: Vec<Typed<'_>> = columns.iter().map(Values::typed).collect();
            link.run(&sql, &values).await?;
        }
        link.simple("COMMIT").await
    }
}

/// Finishes a move: sequences continue after the copied numbers, and the planner's statistics are updated.
pub(super) struct Settle;

impl LaneWork for Settle {
    type Done = ();

    fn time_max(&self) -> Duration {
        MOVE_MAX
    }

    async fn run(&mut self, link: &Link) -> Result<(), PostgresError> {
        for table in ["seal_keys", "attempts", "burned", "events"] {
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 0) + 1, false) FROM {table}"
            );
            link.rows(&sql, &[]).await?;
        }
        // The counters of rate limits start anew.
        link.simple("DELETE FROM windows").await?;
        for table in TABLES {
            link.simple(&format!("ANALYZE {}", table.name)).await?;
        }
        link.simple(super::shared::NOTIFY).await
    }
}

/// Copies everything that a transaction sees into a SQLite file.
pub(super) async fn copy(link: &Link, to: &Sqlite) -> Result<(), Fault> {
    for table in TABLES {
        let mut after: Option<Cells> = None;
        loop {
            let rows = read(link, table, Stretch { after: after.as_deref(), until: None }, STRETCH_ROWS).await?;
            let is_end = rows.len() < STRETCH_ROWS;
            let until = rows.last().map(|last| table.key_of(last));
            let stretch = Stretch { after: after.as_deref(), until: until.as_deref() };
            to.replace_stretch(table, stretch, rows).await?;
            if is_end {
                break;
            }
            after = until;
        }
    }
    Ok(())
}
