// SPDX-License-Identifier: MPL-2.0

//! Where recordings come from and results go to: this machine, HTTP(S), and object stores.
//!
//! Results are written whole: under another name and then renamed on this machine, by one PUT elsewhere.

mod cloud;
mod http;
mod local;
pub mod location;

use crate::failure::{Failure, FailureKind};
use crate::interrupt::Interrupt;
use bytes::Bytes;
use cloud::Cloud;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http::Http;
use local::Local;
use location::Location;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// A store that says nothing for so long is given up.
const STALL: Duration = Duration::from_secs(60);

/// What a store knows of a recording before it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// The mark of this version, where the store has one.
    pub etag: Option<String>,
}

/// A recording, or a folder of results.
#[derive(Debug)]
pub struct Store {
    backend: Backend,
    runtime: Arc<tokio::runtime::Runtime>,
    interrupt: Interrupt,
}

#[derive(Debug)]
enum Backend {
    Local(Local),
    Http(Http),
    Cloud(Cloud),
}

/// Opens stores, which share a runtime.
#[derive(Debug)]
pub struct Stores {
    runtime: Arc<tokio::runtime::Runtime>,
    interrupt: Interrupt,
    endpoint: Option<String>,
}

impl Stores {
    /// `endpoint`: the address of an S3 that is not Amazon's.
    pub fn new(interrupt: &Interrupt, endpoint: Option<String>) -> std::io::Result<Self> {
        // Another part of the program may have chosen a provider before; that one is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime: Arc::new(runtime), interrupt: interrupt.clone(), endpoint })
    }

    /// Opens a store; nothing is sent yet.
    pub fn open(&self, location: &Location) -> anyhow::Result<Store> {
        let _runtime = self.runtime.enter();
        let backend = match location {
            Location::Local(path) => Backend::Local(Local::new(path)),
            Location::Http(url) => Backend::Http(Http::new(url)?),
            Location::Cloud { scheme, bucket, key } => {
                Backend::Cloud(Cloud::new(scheme, bucket, key, self.endpoint.as_deref())?)
            }
        };
        Ok(Store { backend, runtime: self.runtime.clone(), interrupt: self.interrupt.clone() })
    }
}

impl Store {
    /// What is known of the recording.
    pub fn stat(&self) -> Result<Stat, Failure> {
        self.wait(async {
            match &self.backend {
                Backend::Local(local) => local.stat(),
                Backend::Http(http) => http.stat().await,
                Backend::Cloud(cloud) => cloud.stat().await,
            }
        })
    }

    /// Copies the recording into a file; returns its size.
    pub fn copy_to(&self, file: &mut File) -> Result<u64, Failure> {
        if let Backend::Local(local) = &self.backend {
            return local.copy_to(file);
        }
        let mut chunks = self.wait(async {
            match &self.backend {
                Backend::Http(http) => http.read().await,
                Backend::Cloud(cloud) => cloud.read().await,
                Backend::Local(_) => unreachable!("copied above"),
            }
        })?;
        let mut size = 0;
        while let Some(chunk) = self.wait(async { chunks.next().await.transpose() })? {
            let failed =
                |error| Failure::new(FailureKind::Internal, format!("cannot keep a copy of the recording: {error}"));
            file.write_all(&chunk).map_err(failed)?;
            size += chunk.len() as u64;
        }
        Ok(size)
    }

    /// The path of a recording that is on this machine, which needs no copy.
    pub fn local_path(&self) -> Option<&std::path::Path> {
        match &self.backend {
            Backend::Local(local) => Some(local.path()),
            _ => None,
        }
    }

    /// A small file of the folder; `None` if it is not there.
    pub fn get(&self, name: &str) -> Result<Option<Bytes>, Failure> {
        self.wait(async {
            match &self.backend {
                Backend::Local(local) => local.get(name),
                Backend::Http(http) => http.get(name).await,
                Backend::Cloud(cloud) => cloud.get(name).await,
            }
        })
    }

    /// Writes a file of the folder, whole or not at all. It is not cut short by an interrupt: what is done is kept.
    pub fn put(&self, name: &str, content: Bytes) -> Result<(), Failure> {
        self.runtime.block_on(async {
            let put = async {
                match &self.backend {
                    Backend::Local(local) => local.put(name, &content),
                    Backend::Http(http) => http.put(name, content).await,
                    Backend::Cloud(cloud) => cloud.put(name, content).await,
                }
            };
            tokio::time::timeout(STALL, put).await.unwrap_or_else(|_| Err(stalled(FailureKind::Output)))
        })
    }

    /// Removes a file of the folder. One that is not there is no failure.
    pub fn delete(&self, name: &str) -> Result<(), Failure> {
        self.wait(async {
            match &self.backend {
                Backend::Local(local) => local.delete(name),
                Backend::Http(http) => http.delete(name).await,
                Backend::Cloud(cloud) => cloud.delete(name).await,
            }
        })
    }

    fn wait<T>(&self, step: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.runtime.block_on(async {
            tokio::select! {
                result = tokio::time::timeout(STALL, step) => {
                    result.unwrap_or_else(|_| Err(stalled(FailureKind::InputUnreachable)))
                }
                () = self.interrupt.wait() => Err(Failure::new(FailureKind::Interrupted, "told to end")),
            }
        })
    }
}

fn stalled(kind: FailureKind) -> Failure {
    Failure::new(kind, format!("the store has said nothing for {} s", STALL.as_secs()))
}

/// A recording as it comes in.
type Chunks = BoxStream<'static, Result<Bytes, Failure>>;
