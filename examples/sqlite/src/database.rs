//! What the cells hold: an open SQLite database.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use rusqlite::{Connection, OpenFlags};

#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    /// Which of this process's openings this is, counted from 0.
    opening: usize,
    connection: Mutex<Connection>,
}

/// Distinguishes connections, even if one has the address of an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    address: usize,
    opening: usize,
}

#[derive(Debug)]
pub(crate) struct OpenError {
    path: PathBuf,
    cause: Box<dyn Error + Send + Sync>,
}

impl Database {
    /// Opens a file that must be there, for reading only. Blocks the thread.
    pub(crate) fn open(path: PathBuf) -> Result<Self, OpenError> {
        static OPENINGS: AtomicUsize = AtomicUsize::new(0);
        match connect(&path) {
            Ok(connection) => Ok(Self {
                path,
                opening: OPENINGS.fetch_add(1, Ordering::Relaxed),
                connection: Mutex::new(connection),
            }),
            Err(cause) => Err(OpenError { path, cause }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity {
            address: (&raw const *self).addr(),
            opening: self.opening,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap()
    }
}

fn connect(path: &Path) -> Result<Connection, Box<dyn Error + Send + Sync>> {
    // An absolute path is a file to SQLite, whatever its name; ":memory:" would not be.
    let path = path.canonicalize()?;
    if !path.is_file() {
        return Err("not a file".into());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // SQLite looks into the file only when it must.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot open '{}': {}", self.path.display(), self.cause)
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}
