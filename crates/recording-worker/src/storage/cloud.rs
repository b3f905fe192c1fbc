// SPDX-License-Identifier: MPL-2.0

//! S3 and what speaks like it, Google Cloud Storage and Azure Blob Storage, with credentials and region of the environment.

use crate::failure::{Failure, FailureKind};
use crate::storage::{Chunks, Stat};
use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore, ObjectStoreExt, RetryConfig};
use std::sync::Arc;
use std::time::Duration;

/// A recording, or a prefix of results.
#[derive(Debug)]
pub struct Cloud {
    store: Arc<dyn ObjectStore>,
    path: Path,
    /// For messages.
    name: String,
}

impl Cloud {
    pub fn new(scheme: &str, bucket: &str, key: &str, endpoint: Option<&str>) -> anyhow::Result<Self> {
        let name = format!("{scheme}://{bucket}/{key}");
        let path =
            Path::parse(key.trim_end_matches('/')).with_context(|| format!("'{name}' has a key that is none"))?;
        let store = open(scheme, bucket, endpoint).with_context(|| format!("cannot use {scheme}://{bucket}"))?;
        Ok(Self { store, path, name })
    }

    pub async fn stat(&self) -> Result<Stat, Failure> {
        let meta = self.store.head(&self.path).await.map_err(|error| self.unreadable(error))?;
        Ok(Stat { etag: meta.e_tag })
    }

    pub async fn read(&self) -> Result<Chunks, Failure> {
        let result = self.store.get(&self.path).await.map_err(|error| self.unreadable(error))?;
        let name = self.name.clone();
        Ok(result.into_stream().map_err(move |error| failure(&name, "read", error)).boxed())
    }

    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, Failure> {
        match self.store.get(&self.child(name)).await {
            Ok(result) => Ok(Some(result.bytes().await.map_err(|error| self.unreadable(error))?)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    pub async fn put(&self, name: &str, content: Bytes) -> Result<(), Failure> {
        let put = self.store.put(&self.child(name), content.into()).await;
        put.map(drop).map_err(|error| self.unwritable(name, error))
    }

    pub async fn delete(&self, name: &str) -> Result<(), Failure> {
        match self.store.delete(&self.child(name)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.unwritable(name, error)),
        }
    }

    fn child(&self, name: &str) -> Path {
        self.path.clone().join(name)
    }

    fn unreadable(&self, error: Error) -> Failure {
        failure(&self.name, "read", error)
    }

    fn unwritable(&self, name: &str, error: Error) -> Failure {
        Failure { kind: FailureKind::Output, ..failure(&format!("{name} in {}", self.name), "write", error) }
    }
}

/// Large recordings take their time: what is bounded is silence, by whoever reads.
fn options() -> ClientOptions {
    ClientOptions::new().with_timeout_disabled().with_connect_timeout(Duration::from_secs(20))
}

fn retries() -> RetryConfig {
    RetryConfig { max_retries: 4, retry_timeout: Duration::from_secs(45), ..RetryConfig::default() }
}

fn open(scheme: &str, bucket: &str, endpoint: Option<&str>) -> anyhow::Result<Arc<dyn ObjectStore>> {
    let url = format!("{scheme}://{bucket}");
    Ok(match scheme {
        "s3" | "s3a" => {
            let builder = AmazonS3Builder::from_env().with_url(url).with_retry(retries());
            let Some(endpoint) = endpoint else { return Ok(Arc::new(builder.with_client_options(options()).build()?)) };
            // An endpoint that was named with http is meant so.
            let options = options().with_allow_http(endpoint.starts_with("http://"));
            Arc::new(builder.with_client_options(options).with_endpoint(endpoint).build()?)
        }
        "gs" => {
            let builder = GoogleCloudStorageBuilder::from_env().with_url(url).with_retry(retries());
            Arc::new(builder.with_client_options(options()).build()?)
        }
        "az" | "azure" | "abfs" | "abfss" | "adl" | "wasbs" => {
            let builder = MicrosoftAzureBuilder::from_env().with_url(url).with_retry(retries());
            Arc::new(builder.with_client_options(options()).build()?)
        }
        _ => bail!("no store for '{scheme}://'"),
    })
}

fn failure(name: &str, action: &str, error: Error) -> Failure {
    let kind = match &error {
        Error::NotFound { .. } => FailureKind::InputNotFound,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => FailureKind::InputDenied,
        _ => FailureKind::InputUnreachable,
    };
    let hint = match kind {
        FailureKind::InputDenied => "; check the credentials of the environment and the region (AWS_REGION)",
        _ => "",
    };
    Failure::new(kind, format!("cannot {action} {name}: {error}{hint}"))
}
