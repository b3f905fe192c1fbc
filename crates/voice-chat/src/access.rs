// SPDX-License-Identifier: MPL-2.0

//! Who may come in: the access key, and client secrets that live for a while and bring a session's settings along.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// How many secrets may be alive.
const MAX_SECRETS: usize = 10_000;
/// How many addresses are counted.
const MAX_ADDRESSES: usize = 100_000;
/// Over this time requests are counted.
const RATE_WINDOW: Duration = Duration::from_secs(60);

/// The access key and the client secrets.
pub struct Access {
    key: Option<String>,
    secrets: Mutex<HashMap<String, Secret>>,
}

struct Secret {
    expires: Instant,
    session: Map<String, Value>,
}

/// Somebody who may come in.
#[derive(Debug, PartialEq)]
pub enum Admission {
    /// With the access key, or where none is needed.
    Key,
    /// With a client secret, which has these settings.
    Secret(Map<String, Value>),
}

impl Access {
    /// Lets in who has this key; without one, everybody.
    pub fn new(key: Option<String>) -> Self {
        Self { key, secrets: Mutex::default() }
    }

    /// Whether a key is needed.
    pub fn needs_key(&self) -> bool {
        self.key.is_some()
    }

    /// Whether this token lets in. A client secret has to be alive even where no key is needed.
    pub fn admit(&self, token: Option<&str>, now: Instant) -> Option<Admission> {
        if let Some(token) = token.filter(|token| token.starts_with("ek_")) {
            let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
            let secret = secrets.get(token).filter(|secret| secret.expires > now);
            return secret.map(|secret| Admission::Secret(secret.session.clone()));
        }
        self.has_key(token).then_some(Admission::Key)
    }

    /// Whether this token may make client secrets.
    pub fn has_key(&self, token: Option<&str>) -> bool {
        match (&self.key, token) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(key), Some(token)) => key.as_bytes().ct_eq(token.as_bytes()).into(),
        }
    }

    /// Makes a client secret. `None`: too many are alive.
    pub fn make_secret(&self, lifetime: Duration, session: Map<String, Value>, now: Instant) -> Option<String> {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.retain(|_, secret| secret.expires > now);
        if secrets.len() >= MAX_SECRETS {
            return None;
        }
        let value = crate::ids::client_secret();
        secrets.insert(value.clone(), Secret { expires: now + lifetime, session });
        Some(value)
    }
}

/// The bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

/// Counts what each address asks for.
pub struct RateLimit {
    per_minute: u32,
    counts: Mutex<HashMap<IpAddr, (Instant, u32)>>,
}

impl RateLimit {
    /// So many requests of each address in a minute.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, counts: Mutex::default() }
    }

    /// Counts a request. `Err`: too many; how long to wait.
    pub fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MAX_ADDRESSES {
            counts.retain(|_, (since, _)| now.duration_since(*since) < RATE_WINDOW);
        }
        let (since, count) = counts.entry(address.to_canonical()).or_insert((now, 0));
        if now.duration_since(*since) >= RATE_WINDOW {
            (*since, *count) = (now, 0);
        }
        if *count >= self.per_minute {
            return Err(RATE_WINDOW - now.duration_since(*since));
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_and_living_secrets_let_in() {
        let now = Instant::now();
        let access = Access::new(Some("key".into()));
        assert_eq!(access.admit(None, now), None);
        assert_eq!(access.admit(Some("kex"), now), None);
        assert_eq!(access.admit(Some("key"), now), Some(Admission::Key));
        let session = Map::from_iter([("voice".to_owned(), Value::from("x"))]);
        let secret = access.make_secret(Duration::from_secs(10), session.clone(), now).expect("a secret");
        assert_eq!(access.admit(Some(&secret), now), Some(Admission::Secret(session)));
        assert!(!access.has_key(Some(&secret)), "a secret makes no secrets");
        assert_eq!(access.admit(Some(&secret), now + Duration::from_secs(10)), None);
    }

    #[test]
    fn without_a_key_only_dead_secrets_are_refused() {
        let access = Access::new(None);
        let now = Instant::now();
        assert_eq!(access.admit(None, now), Some(Admission::Key));
        assert_eq!(access.admit(Some("sk-something"), now), Some(Admission::Key));
        assert_eq!(access.admit(Some("ek_unknown"), now), None);
    }

    #[test]
    fn an_address_asks_so_often_in_a_minute() {
        let limit = RateLimit::new(2);
        let now = Instant::now();
        let (one, other) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        assert!(limit.take(one, now).is_ok() && limit.take(one, now).is_ok());
        assert_eq!(limit.take(one, now + Duration::from_secs(20)), Err(Duration::from_secs(40)));
        assert!(limit.take(other, now).is_ok());
        assert!(limit.take(one, now + RATE_WINDOW).is_ok());
    }
}
