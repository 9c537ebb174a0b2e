//! The errors of the service, and the responses to the client.

use std::{error, fmt, path::Path};

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use oncelot::SharedInitError;
use rusqlite::ErrorCode;
use serde::Serialize;

#[derive(Debug)]
pub(crate) enum Error {
    /// A file could not be opened. It may be there, and sound, at the next request.
    Open(OpenError),
    /// This request waited for another one's attempt, which failed. That request's answer has the cause.
    OtherFailed,
    Query(rusqlite::Error),
    NoSuchCity(i64),
}

#[derive(Debug)]
pub(crate) struct OpenError {
    message: String,
    cause: Box<dyn error::Error + Send + Sync>,
}

impl OpenError {
    pub(crate) fn new(path: &Path, cause: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self {
            message: format!("cannot open '{}'", path.display()),
            cause: cause.into(),
        }
    }
}

impl Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::Open(_) | Self::OtherFailed => StatusCode::SERVICE_UNAVAILABLE,
            Self::Query(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Query(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NoSuchCity(_) => StatusCode::NOT_FOUND,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: String,
        }

        let status = self.status();
        let error = self.to_string();
        if status.is_server_error() {
            tracing::warn!(status = status.as_u16(), "{error}");
        }
        let mut response = (status, Json(Body { error })).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = header::HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl<E: Into<Self>> From<SharedInitError<E>> for Error {
    fn from(error: SharedInitError<E>) -> Self {
        match error {
            SharedInitError::Failed(error) => error.into(),
            SharedInitError::OtherFailed => Self::OtherFailed,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Query(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::OtherFailed => f.write_str("the attempt that this request waited for has failed"),
            Self::Query(error) => write!(f, "cannot read the database: {error}"),
            Self::NoSuchCity(id) => write!(f, "there is no city {id}"),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.cause)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Open(error) => error.source(),
            Self::Query(error) => Some(error),
            Self::OtherFailed | Self::NoSuchCity(_) => None,
        }
    }
}

impl error::Error for OpenError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&*self.cause)
    }
}
