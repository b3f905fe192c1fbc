// SPDX-License-Identifier: MPL-2.0

//! Who may come in: the server's key, and secrets that were made with it and die after a while.

use crate::ids;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How many secrets may be alive.
const MAX_SECRETS: usize = 10_000;

/// The key and the secrets.
#[derive(Default)]
pub struct Auth {
    key: Option<String>,
    secrets: Mutex<HashMap<String, Secret>>,
}

/// What a secret stands for.
#[derive(Clone, Debug)]
pub struct Secret {
    expires: SystemTime,
    /// The configuration that its sessions begin with.
    pub preset: Option<Preset>,
}

/// The configuration that a secret brings along, which also says what it opens.
#[derive(Clone, Debug)]
pub enum Preset {
    /// Conversations and transcriptions.
    Session(Box<openai_protocol::Session>),
    /// Translations.
    Translation(Box<openai_protocol::translation::Session>),
}

impl Auth {
    /// Lets in who has this key; without one, everybody.
    pub fn new(key: Option<String>) -> Self {
        Self { key: key.filter(|key| !key.is_empty()), secrets: Mutex::default() }
    }

    /// Whether this request comes from somebody who may come in, and what a secret brings along.
    pub fn admit(&self, headers: &HeaderMap) -> Option<Option<Secret>> {
        let Some(token) = token(headers) else { return self.key.is_none().then_some(None) };
        if let Some(secret) = self.secret(token) {
            return Some(Some(secret));
        }
        match &self.key {
            None => Some(None),
            Some(key) => same(key.as_bytes(), token.as_bytes()).then_some(None),
        }
    }

    /// Whether this request comes from somebody who may make secrets.
    pub fn is_owner(&self, headers: &HeaderMap) -> bool {
        let Some(key) = &self.key else { return true };
        token(headers).is_some_and(|token| same(key.as_bytes(), token.as_bytes()))
    }

    fn secret(&self, token: &str) -> Option<Secret> {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.get(token).filter(|secret| secret.expires > SystemTime::now()).cloned()
    }

    /// Makes a secret that lives so long. `None`: there are too many.
    pub fn make_secret(&self, life: Duration, preset: Option<Preset>) -> Option<(String, SystemTime)> {
        let now = SystemTime::now();
        let expires = now + life;
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.retain(|_, secret| secret.expires > now);
        if secrets.len() >= MAX_SECRETS {
            return None;
        }
        let value = ids::secret();
        secrets.insert(value.clone(), Secret { expires, preset });
        Some((value, expires))
    }
}

/// The key in a request: a bearer token, Azure's header, or the subprotocol that browsers use.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let bearer = text(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    bearer
        .or_else(|| text("api-key"))
        .map(str::trim)
        .or_else(|| subprotocols(headers).find_map(|protocol| protocol.strip_prefix("openai-insecure-api-key.")))
}

/// The subprotocols that a client offers.
pub fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lists = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim)
}

/// Compares without telling by its time where the first difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().expect("a name"), value.parse().expect("a value"))])
    }

    #[test]
    fn the_key_opens_in_three_ways() {
        let auth = Auth::new(Some("key".into()));
        for (name, value) in [
            ("authorization", "Bearer key"),
            ("api-key", "key"),
            ("sec-websocket-protocol", "realtime, openai-insecure-api-key.key"),
        ] {
            assert!(auth.admit(&headers(name, value)).is_some(), "{name}");
        }
        assert!(auth.admit(&headers("authorization", "Bearer kex")).is_none());
        assert!(auth.admit(&HeaderMap::new()).is_none());
        assert!(Auth::new(None).admit(&HeaderMap::new()).is_some());
    }

    #[test]
    fn a_secret_opens_until_it_dies_and_makes_no_secrets() {
        let auth = Auth::new(Some("key".into()));
        let (secret, _) = auth.make_secret(Duration::from_secs(60), None).expect("a secret");
        let request = headers("authorization", &format!("Bearer {secret}"));
        assert!(auth.admit(&request).is_some_and(|secret| secret.is_some()));
        assert!(!auth.is_owner(&request));
        let (dead, _) = auth.make_secret(Duration::ZERO, None).expect("a secret");
        assert!(auth.admit(&headers("authorization", &format!("Bearer {dead}"))).is_none());
    }
}
