//! Creates a sample database.

use std::{error::Error, path::Path};

use rusqlite::Connection;
use tempfile::Builder;

/// Makes a database at `path`, where there must be nothing. The file is complete when it appears there.
pub fn create(path: &Path) -> Result<(), Box<dyn Error>> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let file = Builder::new()
        .prefix(".shop-")
        .tempfile_in(directory.unwrap_or(Path::new(".")))?
        .into_temp_path();
    let connection = Connection::open(&file)?;
    connection.execute_batch(include_str!("../../sqlite/src/sample.sql"))?;
    connection.close().map_err(|(_, error)| error)?;
    file.persist_noclobber(path)?;
    Ok(())
}
