//! The sample database, if no path is given.

use std::error::Error;

use rusqlite::Connection;
use tempfile::TempPath;

/// Creates a database in the directory for temporary files; dropping the path removes it.
pub(crate) fn create() -> Result<TempPath, Box<dyn Error>> {
    let path = tempfile::Builder::new()
        .prefix("oncelot-")
        .suffix(".sqlite")
        .tempfile()?
        .into_temp_path();
    let connection = Connection::open(&path)?;
    connection.execute_batch(include_str!("sample.sql"))?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(path)
}
