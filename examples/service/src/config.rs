//! The configuration file.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::error::OpenError;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) currency: String,
    pub(crate) connections: NonZeroUsize,
    /// How long a query waits for another process that has locked the database.
    pub(crate) busy_timeout_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "The Shop".to_owned(),
            currency: "EUR".to_owned(),
            connections: NonZeroUsize::new(4).expect("four is not zero"),
            busy_timeout_ms: 5000,
        }
    }
}

impl Config {
    /// Reads the file; without one, everything is as by default. Blocks the thread.
    pub(crate) fn read(path: Option<&PathBuf>) -> Result<Self, OpenError> {
        path.map_or_else(
            || Ok(Self::default()),
            |path| parse(path).map_err(|cause| OpenError::new(path, cause)),
        )
    }
}

fn parse(path: &Path) -> io::Result<Config> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}
