//! Serves on smol, with hyper.

use std::{io, net::TcpListener, time::Duration};

use async_signal::{Signal, Signals};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{server::graceful::GracefulShutdown, service::TowerToHyperService};
use oncelot::runtime::Smol;
use smol::{Async, Timer, future, net, stream::StreamExt};
use smol_hyper::rt::{FuturesIo, SmolTimer};

fn main() -> anyhow::Result<()> {
    smol::block_on(shop::run(Smol, serve))
}

async fn serve(listener: TcpListener, router: Router) -> io::Result<()> {
    let mut signals = Signals::new([Signal::Int, Signal::Term])?;
    let listener = net::TcpListener::from(Async::new(listener)?);
    let connections = GracefulShutdown::new();
    let accept = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // For example, there are too many open files.
                Timer::after(Duration::from_secs(1)).await;
                continue;
            };
            let service = TowerToHyperService::new(router.clone());
            let connection = http1::Builder::new()
                .timer(SmolTimer::new())
                .serve_connection(FuturesIo::new(stream), service);
            let connection = connections.watch(connection);
            smol::spawn(async {
                if let Err(error) = connection.await {
                    tracing::debug!("a connection has failed: {error}");
                }
            })
            .detach();
        }
    };
    let stop = async { signals.next().await.map_or(Ok(()), |signal| signal.map(drop)) };
    future::or(stop, accept).await?;
    drop(listener);
    connections.shutdown().await;
    Ok(())
}
