// SPDX-License-Identifier: MPL-2.0

//! A server from its command line to its end: bound, run until a shutdown, and the verdict of its script.

use crate::auth::Auth;
use crate::cli::{Cli, EngineName};
use crate::engines::echo::Echo;
use crate::engines::local::Local;
use crate::engines::replay::Replay;
use crate::engines::script::ScriptRunner;
use crate::llm::LanguageModel;
use crate::metrics::Metrics;
use crate::server;
use crate::state::{App, Backend};
use crate::trace;
use crate::worker_pool::Workers;
use anyhow::Context;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// A server that listens and does not accept yet.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    script: Option<Arc<ScriptRunner>>,
    once: bool,
    url: String,
}

impl Server {
    /// Loads the engine and binds the address; an error names what is wrong with either.
    pub async fn bind(cli: Cli) -> anyhow::Result<Self> {
        let tls = match (&cli.tls_cert, &cli.tls_key) {
            (Some(cert), Some(key)) => Some(server::tls(cert, key)?),
            _ => None,
        };
        let backend = build_backend(&cli)?;
        let script = if let Backend::Script(script) = &backend { Some(script.clone()) } else { None };
        let app = Arc::new(App {
            backend,
            auth: Auth::new(cli.api_key),
            refused_models: cli.refuse_model,
            refuse_beta: cli.refuse_beta,
            recorder: cli.record.map(trace::Recorder::new).transpose()?,
            max_session: cli.max_session,
            ping_interval: cli.ping_interval,
            workers: Workers::new(),
            metrics: Metrics::new(),
            spoken_answers: Default::default(),
        });
        let listener =
            TcpListener::bind(&cli.listen).await.with_context(|| format!("cannot listen on {}", cli.listen))?;
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let url = format!("{scheme}://{}/v1/realtime", listener.local_addr()?);
        Ok(Self { app, listener, tls, script, once: cli.once, url })
    }

    /// The URL of the Realtime API, e.g. `ws://127.0.0.1:41234/v1/realtime`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves until `shutdown` is ready or, with `--once`, until the script has ended. Returns what clients did against
    /// the script, a line each.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Vec<String> {
        let (script, once) = (self.script.clone(), self.once);
        let finished = async {
            match script.filter(|_| once) {
                Some(script) => script.finished().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = server::run(self.app, self.listener, self.tls) => {}
            () = finished => {}
            () = shutdown => {}
        }
        self.script.map(|script| script.failures()).unwrap_or_default()
    }
}

fn build_backend(cli: &Cli) -> anyhow::Result<Backend> {
    let file: PathBuf = cli.file.clone().unwrap_or_default();
    Ok(match cli.engine {
        EngineName::Local => {
            let llm = LanguageModel::of(&cli.llm)?;
            Backend::Engine(Arc::new(Local::load(cli.models.as_deref(), llm, &cli.stt, &cli.tts)?))
        }
        EngineName::Echo => Backend::Engine(Arc::new(Echo)),
        EngineName::Script => Backend::Script(Arc::new(ScriptRunner::load(&file)?)),
        EngineName::Replay => Backend::Replay(Arc::new(Replay::load(&file, cli.speed)?)),
    })
}

/// A server with a thread and a tokio runtime of its own. Dropping it ends the server and its connections.
pub struct ServerThread {
    url: String,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl ServerThread {
    /// Starts a server; returns when it accepts connections.
    pub fn start(cli: Cli) -> anyhow::Result<Self> {
        let (shutdown, ended) = oneshot::channel();
        let (ready, started) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("realtime-server".into()).spawn(move || {
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                Err(error) => {
                    // Whoever started this may have given up.
                    let _ = ready.send(Err(error));
                    return Vec::new();
                }
            };
            let failures = runtime.block_on(async {
                match Server::bind(cli).await {
                    Ok(server) => {
                        let _ = ready.send(Ok(server.url().to_string()));
                        // A dropped sender means the same as a message.
                        server.run(async { drop(ended.await) }).await
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                        Vec::new()
                    }
                }
            });
            runtime.shutdown_background();
            failures
        })?;
        let url = started.recv().context("the server's thread has ended")??;
        Ok(Self { url, shutdown: Some(shutdown), thread: Some(thread) })
    }

    /// The URL of the Realtime API.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends the server; returns what clients did against its script, a line each.
    pub fn stop(&mut self) -> Vec<String> {
        drop(self.shutdown.take());
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        self.stop();
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("realtime-server")
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
