// SPDX-License-Identifier: MPL-2.0

//! Computation beside the sessions: never more of it at a time than there are processors.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The processors, shared by all who compute.
#[derive(Clone)]
pub struct Processors {
    free: Arc<Semaphore>,
    is_wanted: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl Processors {
    /// As many as the machine has.
    pub fn new() -> Self {
        Self::with(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// As many as this.
    pub fn with(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), is_wanted: None }
    }

    /// The same processors for work that fails, instead of being begun, when nobody wants its result any more.
    pub fn while_wanted(&self, is_wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { free: self.free.clone(), is_wanted: Some(Arc::new(is_wanted)) }
    }

    /// Waits for a processor.
    pub async fn acquire(&self) -> anyhow::Result<Processor> {
        let processor = Processor(self.free.clone().acquire_owned().await?);
        let is_wanted = self.is_wanted.as_ref().is_none_or(|is_wanted| is_wanted());
        anyhow::ensure!(is_wanted, "nobody wants the result any more");
        Ok(processor)
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
