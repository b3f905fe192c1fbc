// SPDX-License-Identifier: MPL-2.0

//! The certificate: read from files, or made at the start.

use crate::cli::Cli;
use anyhow::Context;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// TLS as the command line says; `None` without.
pub fn acceptor(cli: &Cli) -> anyhow::Result<Option<TlsAcceptor>> {
    let (chain, key) = match (&cli.tls_cert, &cli.tls_key) {
        (Some(cert), Some(key)) => read(cert, key)?,
        _ if cli.tls => make(&cli.listen)?,
        _ => return Ok(None),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .context("the certificate and the key do not go together")?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(cert: &Path, key: &Path) -> anyhow::Result<Identity> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read the certificate {}", cert.display()))?;
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| format!("cannot read the key {}", key.display()))?;
    Ok((chain, key))
}

/// A certificate for the names that are known; a browser asks its user whether to trust it in any case.
fn make(listen: &str) -> anyhow::Result<Identity> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if let Some((host, _)) = listen.rsplit_once(':') {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if !host.is_empty() && !names.iter().any(|name| name == host) {
            names.push(host.to_owned());
        }
    }
    let made = rcgen::generate_simple_self_signed(names).context("cannot make a certificate")?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok((vec![made.cert.der().clone()], key.into()))
}
