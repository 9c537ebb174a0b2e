//! The query: the tables of a database, and their contents.

use std::error::Error;
use std::io::Write;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Params};

use crate::database::Database;
use crate::table::{self, Cell};

/// How many rows of each table are shown.
const SAMPLE_ROWS: usize = 3;

/// How many characters of a value or name are shown.
const SHOWN_CHARS: usize = 32;

const TABLE_NAMES: &str = r"
    SELECT name FROM sqlite_schema
    WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
    ORDER BY name";

/// The columns that `SELECT *` yields: all but the hidden ones of virtual tables.
const COLUMN_NAMES: &str = "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";

struct Table {
    row_count: i64,
    columns: Vec<String>,
    sample: Vec<Vec<Cell>>,
}

/// Writes the names of the database's tables, the number of their rows, and the first rows.
pub(crate) fn write(out: &mut impl Write, database: &Database) -> Result<(), Box<dyn Error>> {
    let mut connection = database.lock();
    // One transaction: no other process changes what we read between two queries.
    let snapshot = connection.transaction()?;
    let names: Vec<String> = query(&snapshot, TABLE_NAMES, [], text)?
        .into_iter()
        .flatten()
        .collect();

    let mut tables = Vec::new();
    for name in names {
        let title = shown(&name);
        match read(&snapshot, &name) {
            Err(error) if !is_beyond_us(&error) => {
                return Err(format!("cannot read table '{title}': {error}").into());
            }
            table => tables.push((title, table)),
        }
    }
    if tables.is_empty() {
        writeln!(out, "\nThe database has no tables.")?;
        return Ok(());
    }

    writeln!(out, "\nIts tables, read through the cell:\n")?;
    let row_count = |table: &Table| table.row_count.to_string();
    let overview = tables.iter().map(|(title, table)| {
        vec![
            Cell::text(title),
            Cell::number(table.as_ref().map_or("?".into(), row_count)),
        ]
    });
    table::write(
        out,
        &[vec!["table".into(), "rows".into()]],
        &overview.collect::<Vec<_>>(),
    )?;

    for (title, table) in tables {
        match table {
            Ok(Table { row_count: 0, .. }) => {}
            Ok(Table {
                row_count,
                columns,
                sample,
            }) => {
                writeln!(out, "\n{title}, {} of {row_count} rows:\n", sample.len())?;
                table::write(out, &[columns], &sample)?;
            }
            Err(error) => writeln!(out, "\n{title} cannot be read: {error}")?,
        }
    }
    Ok(())
}

fn read(connection: &Connection, name: &str) -> rusqlite::Result<Table> {
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let count = format!("SELECT count(*) FROM {quoted}");
    let sample = format!("SELECT * FROM {quoted} LIMIT {SAMPLE_ROWS}");
    let columns = query(connection, COLUMN_NAMES, [name], text)?
        .into_iter()
        .flatten();
    Ok(Table {
        row_count: connection.query_row(&count, [], |row| row.get(0))?,
        columns: columns.map(|name| shown(&name)).collect(),
        sample: query(connection, &sample, [], cell)?,
    })
}

/// All rows of a query, every value converted.
fn query<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    convert: impl Fn(ValueRef<'_>) -> T,
) -> rusqlite::Result<Vec<Vec<T>>> {
    let mut statement = connection.prepare(sql)?;
    let width = statement.column_count();
    let convert_row = |row: &rusqlite::Row<'_>| {
        (0..width)
            .map(|column| Ok(convert(row.get_ref(column)?)))
            .collect()
    };
    statement.query_map(params, convert_row)?.collect()
}

/// Returns whether SQLite rejected the statement, and not the file. For example, a table can need a module or a
/// collation that only its own application has.
fn is_beyond_us(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqlInputError { .. })
        || error.sqlite_error_code() == Some(ErrorCode::Unknown)
}

/// A name. SQLite lets it be any bytes.
fn text(value: ValueRef<'_>) -> String {
    value
        .as_bytes()
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .unwrap_or_default()
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::text("NULL"),
        ValueRef::Integer(number) => Cell::number(number),
        // `Debug` writes 1e300 with an exponent.
        ValueRef::Real(number) => Cell::number(format!("{number:?}")),
        ValueRef::Text(bytes) => Cell::text(shown(&String::from_utf8_lossy(bytes))),
        ValueRef::Blob(bytes) => Cell::text(format!("<{} bytes>", bytes.len())),
    }
}

/// The text, cut short and without the characters that would spoil a line.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    let mut chars = text.chars();
    for char in chars.by_ref().take(SHOWN_CHARS) {
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}
