// SPDX-License-Identifier: MPL-2.0

//! Computation beside the sessions: never more of it at a time than there are processors.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The processors, shared by all who compute.
#[derive(Clone, Debug)]
pub struct Processors(Arc<Semaphore>);

impl Processors {
    /// As many as the machine has.
    pub fn new() -> Self {
        Self::with(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// As many as this.
    pub fn with(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// Waits for a processor.
    pub async fn acquire(&self) -> anyhow::Result<Processor> {
        Ok(Processor(self.0.clone().acquire_owned().await?))
    }

    /// Waits for a processor and computes something on it, where it blocks nobody.
    pub async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
        self.acquire().await?.compute(work).await
    }
}

/// A processor that nobody else uses until it is dropped.
#[derive(Debug)]
pub struct Processor(OwnedSemaphorePermit);

impl Processor {
    /// Computes something; the processor is free again when it is done, also if nobody waits for the result any more.
    pub async fn compute<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
        let work = move || {
            let result = work();
            drop(self.0);
            result
        };
        Ok(tokio::task::spawn_blocking(work).await?)
    }
}
