// SPDX-License-Identifier: MPL-2.0

//! Program `realtime-server`: reads the command line, prints one line when it listens, and ends on SIGTERM or Ctrl-C.

use anyhow::Context;
use realtime_server::{Cli, Server};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Gives the memory of connections that were closed back to the system. glibc keeps what lies between pieces that are still
/// used: after a thousand connections, two hundred of them at once, 250 MB.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::read();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    match serve(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("realtime-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(run(cli));
    // Inference on a blocking thread must not delay the exit.
    runtime.shutdown_background();
    code
}

/// Serves until a signal, or the end of a script.
async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let server = Server::bind(cli).await?;
    // The line below invites a signal, so the handlers are in place before it is written.
    let shutdown = shutdown_signal()?;
    announce(&format!("listening on {}", server.url())).context("cannot write to standard output")?;
    let failures = server.run(shutdown).await;
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(unix)]
fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a handler for Ctrl-C the system ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// The one line on standard output, for whoever started the server and waits for it.
fn announce(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
