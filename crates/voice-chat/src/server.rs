// SPDX-License-Identifier: MPL-2.0

//! A server from its command line to its end.

use crate::app::App;
use crate::cli::{Cli, is_loopback};
use crate::{http, media, tls};
use anyhow::Context;
use axum::Extension;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How many TCP connections may be open; more wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;
/// How long a client may take for its TLS handshake and for a request's head.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long visitors may take to go when the program ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait where a connection cannot be accepted: out of file descriptors, mostly.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A server that listens and does not accept yet.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    address: SocketAddr,
}

impl Server {
    /// Checks what is installed, reads the certificate and binds the address; an error names what is wrong.
    pub async fn bind(cli: Cli) -> anyhow::Result<Self> {
        media::init()?;
        if let Some(path) = &cli.api_key_file {
            std::fs::metadata(path).with_context(|| format!("cannot read the key in {}", path.display()))?;
        }
        let tls = tls::acceptor(&cli)?;
        let listener =
            TcpListener::bind(&cli.listen).await.with_context(|| format!("cannot listen on {}", cli.listen))?;
        let address = listener.local_addr()?;
        if !is_loopback(address) && cli.access_key.is_none() {
            tracing::warn!("everybody who reaches {address} can talk at your expense; --access-key asks for a key");
        }
        if !is_loopback(address) && !cli.is_tls() {
            tracing::warn!("without HTTPS, browsers of other machines give no microphone; see --tls and --tls-cert");
        }
        Ok(Self { app: App::new(cli), listener, tls, address })
    }

    /// The page's URL, e.g. `http://127.0.0.1:8080/`.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// Serves until `shutdown` is ready; then visitors are told, and waited for.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (closing, closed) = watch::channel(false);
        tokio::select! {
            () = accept(&self.app, self.listener, self.tls, closed) => {}
            () = shutdown => {}
        }
        closing.send_replace(true);
        if timeout(SHUTDOWN_TIMEOUT, self.app.registry.shut_down()).await.is_err() {
            tracing::warn!("some visitors were still there after {} s", SHUTDOWN_TIMEOUT.as_secs());
        }
    }
}

/// Accepts connections for ever.
async fn accept(app: &Arc<App>, listener: TcpListener, tls: Option<TlsAcceptor>, closed: watch::Receiver<bool>) {
    let limit = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let permit = limit.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, address)) => {
                let (app, tls, closed) = (app.clone(), tls.clone(), closed.clone());
                tokio::spawn(async move {
                    if let Err(error) = connection(app, stream, address, tls, closed).await {
                        tracing::debug!("a connection of {address} ended: {error:#}");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!("cannot accept: {error}");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn connection(
    app: Arc<App>,
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    closed: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => serve(app, timeout(CLIENT_TIMEOUT, tls.accept(stream)).await??, address, closed).await,
        None => serve(app, stream, address, closed).await,
    }
}

async fn serve<I>(app: Arc<App>, io: I, address: SocketAddr, mut closed: watch::Receiver<bool>) -> anyhow::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(http::router(app).layer(Extension(ConnectInfo(address))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CLIENT_TIMEOUT)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        result = &mut connection => return Ok(result?),
        _ = closed.wait_for(|is_closed| *is_closed) => {}
    }
    connection.as_mut().graceful_shutdown();
    Ok(connection.await?)
}
