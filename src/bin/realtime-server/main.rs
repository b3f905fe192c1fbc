//! `realtime-server`: a local server that speaks the OpenAI Realtime protocol.
//!
//! A reading map. `cli` is the command line, `server` accepts connections, `http` and `auth` decide who becomes a
//! session and `connection` runs one. What a session may do, `session` knows: rules without a socket or a clock.
//! What is heard and answered, an `engine` decides; the one with models finds them in `speech` and `vision`, and in
//! `tools` which function is meant. `trace` records.

mod audio;
mod auth;
mod cli;
mod connection;
mod engine;
mod g711;
mod http;
mod ids;
mod outbox;
mod picture;
mod pings;
mod secrets;
mod server;
mod session;
mod socket;
mod speech;
mod tools;
mod trace;
mod vision;
mod work;

use anyhow::Context;
use auth::Auth;
use cli::{Cli, EngineName};
use engine::echo::Echo;
use engine::local::Local;
use engine::replay::Replay;
use engine::script::Theatre;
use server::{App, Mind};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use work::Workers;

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
    // A session that computes does not hold up the end.
    runtime.shutdown_background();
    code
}

/// Serves until a signal, or the end of a script, ends it.
async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let tls = match (&cli.tls_cert, &cli.tls_key) {
        (Some(cert), Some(key)) => Some(server::tls(cert, key)?),
        _ => None,
    };
    let mind = mind(&cli)?;
    let theatre = if let Mind::Script(theatre) = &mind { Some(theatre.clone()) } else { None };
    let app = Arc::new(App {
        mind,
        auth: Auth::new(cli.api_key),
        refused_models: cli.refuse_model,
        refuse_beta: cli.refuse_beta,
        recorder: cli.record.map(trace::Recorder::new).transpose()?,
        max_session: cli.max_session,
        ping_interval: cli.ping_interval,
        workers: Workers::new(),
    });
    let listener = TcpListener::bind(&cli.listen).await.with_context(|| format!("cannot listen on {}", cli.listen))?;
    // Whoever reads the line below may send a signal at once.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    announce(&format!("listening on {scheme}://{}/v1/realtime", listener.local_addr()?))
        .context("cannot write to standard output")?;
    let play = theatre.clone();
    let finished = async {
        match play.filter(|_| cli.once) {
            Some(theatre) => theatre.finished().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = server::run(app, listener, tls) => {}
        () = finished => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let failed = theatre.is_some_and(|theatre| theatre.has_failed());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Who answers.
fn mind(cli: &Cli) -> anyhow::Result<Mind> {
    let file: PathBuf = cli.file.clone().unwrap_or_default();
    Ok(match cli.engine {
        EngineName::Local => Mind::Engine(Arc::new(Local::load(cli.models.as_deref())?)),
        EngineName::Echo => Mind::Engine(Arc::new(Echo)),
        EngineName::Script => Mind::Script(Arc::new(Theatre::load(&file)?)),
        EngineName::Replay => Mind::Replay(Arc::new(Replay::load(&file, cli.speed)?)),
    })
}

/// The one line on standard output, for whoever started the server and waits for it.
fn announce(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
