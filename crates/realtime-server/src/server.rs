// SPDX-License-Identifier: MPL-2.0

//! The server as a whole: it accepts connections, does TLS where it is wanted, and hands requests to `http`.

use crate::http;
use crate::socket::Wire;
use crate::state::{App, Backend, CLIENT_TIMEOUT};
use anyhow::Context;
use axum::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How many connections may be open; more wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;

/// Reads a certificate chain and its key.
pub fn tls(cert: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read the certificate {}", cert.display()))?;
    let key_der =
        PrivateKeyDer::from_pem_file(key).with_context(|| format!("cannot read the key {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key_der))
        .with_context(|| format!("cannot use the certificate {}", cert.display()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Accepts connections for ever.
pub async fn run(app: Arc<App>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let connection_limit = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = connection_limit.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let (app, tls) = (app.clone(), tls.clone());
                tokio::spawn(async move {
                    if let Err(error) = connection(app, stream, tls).await {
                        tracing::debug!("a connection ended: {error:#}");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: waiting is all that helps.
                tracing::warn!("cannot accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(app: Arc<App>, stream: TcpStream, tls: Option<TlsAcceptor>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let (stream, wire) = match app.backend {
        Backend::Script(_) => Wire::split(stream).map(|(stream, wire)| (stream, Some(Arc::new(wire))))?,
        _ => (stream, None),
    };
    match tls {
        Some(tls) => serve(app, tokio::time::timeout(CLIENT_TIMEOUT, tls.accept(stream)).await??, wire).await,
        None => serve(app, stream, wire).await,
    }
}

/// Serves HTTP, and whatever session comes of it.
async fn serve<I>(app: Arc<App>, io: I, wire: Option<Arc<Wire>>) -> anyhow::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (session, started) = tokio::sync::oneshot::channel();
    let slot = http::ConnectionSlot::new(session, wire);
    let service = TowerToHyperService::new(http::router(app).layer(Extension(slot)));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CLIENT_TIMEOUT)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades()
        .await?;
    if let Ok(session) = started.await {
        session.await?;
    }
    Ok(())
}
