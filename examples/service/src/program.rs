//! Common parts of the programs.

use std::{
    error::Error,
    io::{self, IsTerminal},
    net::TcpListener,
    process::ExitCode,
};

use axum::Router;
use oncelot::runtime::Runtime;
use tracing_subscriber::layer::SubscriberExt;

use crate::{
    args::{self, Command, Options},
    resources::{Eager, Lazy},
    router::router,
};

/// Runs the command line. `serve` answers requests until the process gets a signal to stop; initializers and queries
/// run on `runtime`.
pub fn run(
    runtime: impl Runtime + 'static,
    serve: impl FnOnce(TcpListener, Router) -> io::Result<()>,
) -> ExitCode {
    match args::parse() {
        Ok(Command::Help) => {
            print!("{}", args::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Command::Serve(options)) => match listen_and_serve(runtime, options, serve) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprint!("error: {error}\n\n{}", args::USAGE);
            ExitCode::from(2)
        }
    }
}

fn listen_and_serve(
    runtime: impl Runtime + 'static,
    options: Options,
    serve: impl FnOnce(TcpListener, Router) -> io::Result<()>,
) -> Result<(), Box<dyn Error>> {
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    let log = tracing_subscriber::registry().with(options.log).with(lines);
    tracing::subscriber::set_global_default(log)?;

    let router = if options.is_eager {
        router(Eager::open(runtime, &options.files)?)
    } else {
        router(Lazy::new(runtime, options.files))
    };
    let listener = TcpListener::bind(options.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, router)?;
    Ok(())
}
