//! Serves on tokio, with axum.

use std::{io, net::TcpListener};

use axum::Router;
use oncelot::runtime::Tokio;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

fn main() -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(shop::run(Tokio, serve))
}

async fn serve(listener: TcpListener, router: Router) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}
