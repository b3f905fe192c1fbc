// SPDX-License-Identifier: MPL-2.0

//! The visitors that are there: how many may be, and how each is told to go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// All visitors.
pub struct Registry {
    places: Arc<Semaphore>,
    max: u32,
    visitors: Mutex<HashMap<String, watch::Sender<bool>>>,
    shutdown: watch::Sender<bool>,
}

/// Waits until a flag is true; for ever if it cannot become so any more.
pub async fn raised(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|is_raised| *is_raised).await.is_err() {
        std::future::pending().await
    }
}

/// One visitor's place; dropping it frees the place and the name.
pub struct Place {
    registry: Arc<Registry>,
    /// The call's name.
    pub id: String,
    /// Becomes true when somebody hangs up.
    pub hangup: watch::Receiver<bool>,
    /// Becomes true when the program ends.
    pub shutdown: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

impl Registry {
    /// For so many visitors at once.
    pub fn new(max: u16) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(max.into())),
            max: max.into(),
            visitors: Mutex::default(),
            shutdown: watch::channel(false).0,
        })
    }

    /// A place for one more. `None`: all are taken, or the program ends.
    pub fn admit(self: &Arc<Self>) -> Option<Place> {
        if *self.shutdown.borrow() {
            return None;
        }
        let permit = self.places.clone().try_acquire_owned().ok()?;
        let (sender, hangup) = watch::channel(false);
        let id = crate::ids::call();
        self.visitors.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), sender);
        Some(Place { registry: self.clone(), id, hangup, shutdown: self.shutdown.subscribe(), _permit: permit })
    }

    /// Tells a visitor to go. `false`: there is none of this name.
    pub fn hang_up(&self, id: &str) -> bool {
        let visitors = self.visitors.lock().unwrap_or_else(PoisonError::into_inner);
        visitors.get(id).map(|hangup| hangup.send_replace(true)).is_some()
    }

    /// Tells all visitors to go, and waits until they are gone.
    pub async fn shut_down(&self) {
        self.shutdown.send_replace(true);
        // The semaphore is never closed.
        let _ = self.places.acquire_many(self.max).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.visitors.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_free_again_when_its_visitor_is_gone() {
        let registry = Registry::new(1);
        let place = registry.admit().expect("a place");
        assert!(registry.admit().is_none());
        assert!(registry.hang_up(&place.id) && *place.hangup.borrow());
        let id = place.id.clone();
        drop(place);
        assert!(!registry.hang_up(&id));
        let place = registry.admit().expect("the place again");
        let mut shutdown = place.shutdown.clone();
        let gone = tokio::spawn(async move {
            shutdown.changed().await.expect("a shutdown");
            drop(place);
        });
        registry.shut_down().await;
        gone.await.expect("the visitor is gone");
        assert!(registry.admit().is_none());
    }
}
