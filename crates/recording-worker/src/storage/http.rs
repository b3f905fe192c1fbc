// SPDX-License-Identifier: MPL-2.0

//! HTTP and HTTPS: recordings by GET, results by PUT under the URL as a folder. Proxies and trusted certificates are those
//! of the environment and the system.

use crate::failure::{Failure, FailureKind};
use crate::storage::{Chunks, Stat};
use anyhow::Context;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, LAST_MODIFIED};
use reqwest::{Client, Response, StatusCode};
use std::time::Duration;
use url::Url;

/// A recording, or a folder that takes PUT (WebDAV and the like).
#[derive(Debug)]
pub struct Http {
    client: Client,
    url: Url,
}

impl Http {
    pub fn new(url: &Url) -> anyhow::Result<Self> {
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(20))
            .user_agent(concat!("recording-worker/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot set up HTTPS")?;
        Ok(Self { client, url: url.clone() })
    }

    /// A server may refuse HEAD, as it does for a URL that is signed for GET; then the version is not known.
    pub async fn stat(&self) -> Result<Stat, Failure> {
        let response = self.client.head(self.url.clone()).send().await.map_err(unreachable)?;
        match response.status() {
            status if status.is_success() => Ok(Stat { etag: version(response.headers()) }),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(refused(response.status())),
            _ => Ok(Stat::default()),
        }
    }

    pub async fn read(&self) -> Result<Chunks, Failure> {
        let response = accepted(self.client.get(self.url.clone()).send().await.map_err(unreachable)?)?;
        Ok(response.bytes_stream().map_err(unreachable).boxed())
    }

    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, Failure> {
        let response = self.client.get(self.child(name)).send().await.map_err(unreachable)?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(accepted(response)?.bytes().await.map_err(unreachable)?))
    }

    pub async fn put(&self, name: &str, content: Bytes) -> Result<(), Failure> {
        let sent = self.client.put(self.child(name)).body(content).send().await.map_err(unreachable);
        sent.and_then(accepted).map(drop).map_err(|failure| unwritable(name, failure))
    }

    pub async fn delete(&self, name: &str) -> Result<(), Failure> {
        let response = self.client.delete(self.child(name)).send().await.map_err(unreachable)?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(());
        }
        accepted(response).map(drop).map_err(|failure| unwritable(name, failure))
    }

    /// The name goes behind the path; a query, as of a token for the whole folder, stays.
    fn child(&self, name: &str) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(name);
        }
        url
    }
}

/// The mark of a version: the entity tag, else what changes with it.
fn version(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    text(ETAG).or_else(|| Some(format!("{}-{}", text(LAST_MODIFIED)?, text(CONTENT_LENGTH).unwrap_or_default())))
}

fn accepted(response: Response) -> Result<Response, Failure> {
    if response.status().is_success() { Ok(response) } else { Err(refused(response.status())) }
}

fn refused(status: StatusCode) -> Failure {
    let kind = match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => FailureKind::InputNotFound,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => FailureKind::InputUnreachable,
        status if status.is_client_error() => FailureKind::InputDenied,
        _ => FailureKind::InputUnreachable,
    };
    Failure::new(kind, format!("the web server answers {status}")).with_code(status.as_u16().to_string())
}

/// The URL is left out, because it may be signed; the causes say what happened.
fn unreachable(error: reqwest::Error) -> Failure {
    let error = anyhow::Error::from(error.without_url());
    Failure::new(FailureKind::InputUnreachable, format!("the web server cannot be read: {error:#}"))
}

fn unwritable(name: &str, failure: Failure) -> Failure {
    Failure { kind: FailureKind::Output, message: format!("cannot write {name}: {}", failure.message), ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_go_behind_the_path_and_in_front_of_the_query() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        for base in ["https://host/out", "https://host/out/"] {
            let url = Url::parse(&format!("{base}?token=1")).expect("a URL");
            let http = Http::new(&url).expect("a client");
            assert_eq!(http.child("row.json").as_str(), "https://host/out/row.json?token=1");
        }
    }
}
