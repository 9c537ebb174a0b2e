//! The value of the cells: an open SQLite database.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::{Context, ensure};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempPath;

pub(crate) struct Database {
    pub(crate) path: PathBuf,
    /// Which of the process's openings this is. The address of the value would not show that it was replaced.
    pub(crate) opening: usize,
    connection: Mutex<Connection>,
}

impl Database {
    /// Opens a file that must exist, for reading only. Blocks the thread.
    pub(crate) fn open(path: PathBuf) -> anyhow::Result<Self> {
        static OPENINGS: AtomicUsize = AtomicUsize::new(0);
        let connection = connect(&path).with_context(|| format!("cannot open '{}'", path.display()))?;
        Ok(Self {
            path,
            opening: OPENINGS.fetch_add(1, Relaxed),
            connection: Mutex::new(connection),
        })
    }

    /// Prints the names of the tables, and how many rows each has.
    pub(crate) fn print_tables(&self) -> anyhow::Result<()> {
        let mut connection = self.connection.lock().unwrap();
        // In one transaction, no other process changes what is read between two queries.
        let snapshot = connection.transaction()?;
        let mut names = snapshot.prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*' ORDER BY name",
        )?;
        let mut names = names.query([])?;
        while let Some(row) = names.next()? {
            // SQLite permits any bytes in a name.
            let name = String::from_utf8_lossy(row.get_ref(0)?.as_bytes()?);
            let shown = name.escape_debug();
            let count = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
            match snapshot.prepare(&count) {
                // For example, the table needs a module that only its own application has.
                Err(error) => println!("{:>10}  {shown}: {error}", "?"),
                Ok(mut count) => {
                    let rows: i64 = count
                        .query_row([], |row| row.get(0))
                        .with_context(|| format!("cannot read table '{shown}'"))?;
                    println!("{rows:>10}  {shown}");
                }
            }
        }
        Ok(())
    }
}

fn connect(path: &Path) -> anyhow::Result<Connection> {
    // SQLite opens a file for an absolute path of any name, but not for ":memory:".
    let path = path.canonicalize()?;
    ensure!(path.is_file(), "not a file");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // SQLite reads the file at the first query.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// Creates a database in the directory for temporary files. Dropping the path removes it.
pub(crate) fn create_sample() -> anyhow::Result<TempPath> {
    let file = tempfile::Builder::new()
        .prefix("oncelot-")
        .suffix(".sqlite")
        .tempfile()?;
    let path = file.into_temp_path();
    Connection::open(&path)?.execute_batch(include_str!("sample.sql"))?;
    Ok(path)
}
