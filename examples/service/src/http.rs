//! Requests and answers.

use std::{collections::BTreeMap, sync::Mutex};

use axum::{
    Json, Router,
    extract::{Path, Request},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use oncelot::runtime::Runtime;
use scopeguard::ScopeGuard;
use serde_json::{Value, json};
use tracing::Instrument;

use crate::{
    database::Pool,
    resources::{Config, Resources},
};

/// Returns the service that opens a resource when a request needs it.
pub(crate) fn lazy(resources: &'static Resources<impl Runtime + 'static>) -> Router {
    let about = move || async { resources.config().await.map(about).map_err(Unavailable) };
    let city = move |id| async { city(resources.pool().await?, id).await };
    let sales = move || async { resources.sales().await.map(Json).map_err(Unavailable) };
    routes(get(about), get(city), get(sales))
}

/// Opens everything, and returns the service without a cell on the way. The program `load` compares the two.
pub(crate) async fn eager(resources: &'static Resources<impl Runtime + 'static>) -> anyhow::Result<Router> {
    let config = resources.config().await?;
    let pool = resources.pool().await?;
    let sales = resources.sales().await?;
    let about = async move || about(config);
    let city = move |id| city(pool, id);
    let sales = async move || Json(sales);
    Ok(routes(get(about), get(city), get(sales)))
}

fn routes(about: MethodRouter, city: MethodRouter, sales: MethodRouter) -> Router {
    Router::new()
        .route("/", about)
        .route("/cities/{id}", city)
        .route("/sales", sales)
        .route_layer(middleware::from_fn(watch))
        .route("/status", get(status))
}

fn about(config: &Config) -> Json<Value> {
    Json(json!({ "name": config.name }))
}

async fn city(pool: &'static Pool, Path(id): Path<i64>) -> Result<Response, Unavailable> {
    Ok(match pool.city(id).await? {
        Some(city) => Json(city).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}

/// The answer while a file cannot be opened or read. It may be there, and sound, at the next request.
struct Unavailable(anyhow::Error);

impl From<anyhow::Error> for Unavailable {
    fn from(error: anyhow::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Unavailable {
    fn into_response(self) -> Response {
        let error = format!("{:#}", self.0);
        tracing::warn!("{error}");
        let retry_after = [(header::RETRY_AFTER, "1")];
        let body = Json(json!({ "error": error }));
        (StatusCode::SERVICE_UNAVAILABLE, retry_after, body).into_response()
    }
}

/// Counts a request, and logs what happens in it as its own.
async fn watch(request: Request, next: Next) -> Response {
    let span = tracing::info_span!("request", path = request.uri().path());
    async {
        count("requests started");
        // When the client goes away, the server drops this future.
        let guard = scopeguard::guard((), |()| {
            count("requests abandoned");
            tracing::info!("the client has gone away");
        });
        let response = next.run(request).await;
        ScopeGuard::into_inner(guard);
        response
    }
    .instrument(span)
    .await
}

static COUNTS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

async fn status() -> Json<BTreeMap<String, u64>> {
    Json(COUNTS.lock().unwrap().clone())
}

/// Counts an event, for `GET /status`.
pub(crate) fn count(event: &str) {
    *COUNTS.lock().unwrap().entry(event.to_owned()).or_default() += 1;
}

/// Counts how an attempt to open a resource has ended.
pub(crate) fn count_end<T>(resource: &str, result: anyhow::Result<T>) -> anyhow::Result<T> {
    let end = if result.is_ok() { "succeeded" } else { "failed" };
    count(&format!("{resource} {end}"));
    result
}
