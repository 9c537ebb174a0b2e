//! Counts the outcomes of requests.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use serde::Serialize;
use tracing::Instrument;

#[derive(Debug, Default, Serialize)]
pub(crate) struct Requests {
    in_flight: AtomicU64,
    answered: AtomicU64,
    /// Their clients went away.
    abandoned: AtomicU64,
}

/// Counts a request, and logs what happens in it as its own.
pub(crate) async fn watch(
    State(requests): State<&'static Requests>,
    request: Request,
    next: Next,
) -> Response {
    let span = tracing::info_span!("request", path = request.uri().path());
    async {
        let pending = Pending::new(requests);
        let response = next.run(request).await;
        pending.answered();
        response
    }
    .instrument(span)
    .await
}

/// A request without an answer. When its client goes away, it is dropped with the future that is to answer it.
struct Pending {
    requests: &'static Requests,
    is_answered: bool,
}

impl Pending {
    fn new(requests: &'static Requests) -> Self {
        requests.in_flight.fetch_add(1, Ordering::Relaxed);
        Self {
            requests,
            is_answered: false,
        }
    }

    fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Requests {
            in_flight,
            answered,
            abandoned,
        } = self.requests;
        in_flight.fetch_sub(1, Ordering::Relaxed);
        if self.is_answered {
            answered.fetch_add(1, Ordering::Relaxed);
        } else {
            abandoned.fetch_add(1, Ordering::Relaxed);
            tracing::info!("the client has gone away");
        }
    }
}
