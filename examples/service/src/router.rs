//! Routes requests to their answers.

use axum::{
    Json, Router,
    extract::{Path, State},
    middleware,
    routing::get,
};
use serde::Serialize;

use crate::{
    error::Error,
    figures::{City, Sales},
    requests::{self, Requests},
    resources::{Openings, Resources},
};

struct Service<S> {
    resources: S,
    requests: Requests,
}

/// Returns the router. The resources live as long as the process.
pub(crate) fn router<S: Resources>(resources: S) -> Router {
    let service: &'static Service<S> = Box::leak(Box::new(Service {
        resources,
        requests: Requests::default(),
    }));
    Router::new()
        .route("/", get(about::<S>))
        .route("/cities/{id}", get(city::<S>))
        .route("/sales", get(sales::<S>))
        .route_layer(middleware::from_fn_with_state(&service.requests, requests::watch))
        .route("/status", get(status::<S>))
        .with_state(service)
}

#[derive(Serialize)]
struct About {
    name: &'static str,
    currency: &'static str,
}

async fn about<S: Resources>(State(service): State<&'static Service<S>>) -> Result<Json<About>, Error> {
    let config = service.resources.config().await?;
    Ok(Json(About {
        name: &config.name,
        currency: &config.currency,
    }))
}

async fn city<S: Resources>(
    State(service): State<&'static Service<S>>,
    Path(id): Path<i64>,
) -> Result<Json<City>, Error> {
    let pool = service.resources.pool().await?;
    let runtime = service.resources.runtime();
    let city = pool.query(runtime, move |connection| City::find(connection, id));
    city.await?.map(Json).ok_or(Error::NoSuchCity(id))
}

async fn sales<S: Resources>(
    State(service): State<&'static Service<S>>,
) -> Result<Json<&'static Sales>, Error> {
    service.resources.sales().await.map(Json)
}

#[derive(Serialize)]
struct Status {
    openings: &'static Openings,
    requests: &'static Requests,
}

async fn status<S: Resources>(State(service): State<&'static Service<S>>) -> Json<Status> {
    Json(Status {
        openings: service.resources.openings(),
        requests: &service.requests,
    })
}
