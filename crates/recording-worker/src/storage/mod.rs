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
/// The slowest upload that is waited for, in bytes per second: a store says nothing until it has everything.
const SLOWEST_UPLOAD: u64 = 64 << 10;

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
        let got = self.wait(async {
            match &self.backend {
                Backend::Local(local) => local.get(name),
                Backend::Http(http) => http.get(name).await,
                Backend::Cloud(cloud) => cloud.get(name).await,
            }
        });
        got.map_err(|failure| match failure.kind {
            FailureKind::Interrupted => failure,
            // It is the folder of results that is at fault, not the recording.
            _ => Failure {
                kind: FailureKind::Output,
                message: format!("cannot look for {name} among the results: {}", failure.message),
                ..failure
            },
        })
    }

    /// Writes a file of the folder, whole or not at all. It is not cut short by an interrupt: what is done is kept.
    pub fn put(&self, name: &str, content: Bytes) -> Result<(), Failure> {
        self.finish(upload_time(content.len()), async {
            match &self.backend {
                Backend::Local(local) => local.put(name, &content),
                Backend::Http(http) => http.put(name, content).await,
                Backend::Cloud(cloud) => cloud.put(name, content).await,
            }
        })
    }

    /// Removes a file of the folder, whatever interrupts. One that is not there is no failure.
    pub fn delete(&self, name: &str) -> Result<(), Failure> {
        self.finish(STALL, async {
            match &self.backend {
                Backend::Local(local) => local.delete(name),
                Backend::Http(http) => http.delete(name).await,
                Backend::Cloud(cloud) => cloud.delete(name).await,
            }
        })
    }

    /// Does a step that an interrupt does not end, in so much time.
    fn finish(&self, time: Duration, step: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
        let step = async { tokio::time::timeout(time, step).await };
        self.runtime.block_on(step).unwrap_or_else(|_| Err(stalled(FailureKind::Output, time)))
    }

    /// Does a step, unless the store is silent or the process is to end.
    fn wait<T>(&self, step: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.runtime.block_on(async {
            tokio::select! {
                result = tokio::time::timeout(STALL, step) => {
                    result.unwrap_or_else(|_| Err(stalled(FailureKind::InputUnreachable, STALL)))
                }
                () = self.interrupt.wait() => Err(Failure::new(FailureKind::Interrupted, "told to end")),
            }
        })
    }
}

fn stalled(kind: FailureKind, time: Duration) -> Failure {
    Failure::new(kind, format!("the store has said nothing for {} s", time.as_secs()))
}

/// How long a file of so many bytes may take to be written.
fn upload_time(bytes: usize) -> Duration {
    STALL + Duration::from_secs(bytes as u64 / SLOWEST_UPLOAD)
}

/// A recording as it comes in.
type Chunks = BoxStream<'static, Result<Bytes, Failure>>;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn open(text: &str, interrupt: &Interrupt) -> Store {
        let stores = Stores::new(interrupt, None).expect("stores");
        stores.open(&Location::parse(text).expect("a URI")).expect("a store")
    }

    #[test]
    fn what_is_done_is_put_in_order_whatever_interrupts() {
        let (interrupt, folder) = (Interrupt::default(), tempfile::tempdir().expect("a folder"));
        let store = open(folder.path().to_str().expect("a path"), &interrupt);
        interrupt.raise();
        // Each step may win a race against the interrupt by chance.
        for _ in 0..20 {
            assert_eq!(store.put("row.json", Bytes::from_static(b"{}")), Ok(()));
            assert_eq!(store.delete("row.json"), Ok(()));
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_a_fault_of_the_results() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/results", listener.local_addr().expect("an address"));
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let _ = stream.read(&mut [0; 4096]).expect("a request");
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").expect("it is read");
        });
        let failure = open(&url, &Interrupt::default()).get("row.json").expect_err("refused");
        server.join().expect("a server");
        assert_eq!(failure.kind, FailureKind::Output);
        let message = "cannot look for row.json among the results: the web server answers 403 Forbidden";
        assert_eq!(failure.message, message);
    }

    #[test]
    fn an_hour_of_speech_may_take_longer_than_silence() {
        assert_eq!(upload_time(0), STALL);
        assert!(upload_time(24_000 * 2 * 3600) > Duration::from_secs(30 * 60));
    }
}
