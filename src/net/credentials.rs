// SPDX-License-Identifier: MPL-2.0

//! The API key: its source, its header, and the hint for a server that refuses it.
//!
//! A key file is read for each connection, because some keys are valid for an hour and renewed in their file.

use crate::error::Error;
use crate::net::clock::Clock;
use crate::net::secret::Secret;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// Number of the newest keys that are redacted; a key file or an application gives new ones.
const MAX_REMEMBERED_KEYS: usize = 8;

/// How long a handler of `get-credentials` may take.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(10);

/// The application as a source of the key for each connection (`get-credentials`).
#[derive(Clone)]
pub struct CredentialsProvider(Arc<dyn Fn() -> Option<String> + Send + Sync>);

impl CredentialsProvider {
    /// `ask` may block. It returns `None` to leave the key to the other sources.
    pub fn new(ask: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl std::fmt::Debug for CredentialsProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

/// Name and value of the header that carries a key.
pub type KeyHeader = (&'static str, Secret);

/// Where a key comes from.
#[derive(Clone)]
pub enum CredentialSource {
    /// No key, for a server on this machine.
    None,
    /// The application alone.
    Application,
    /// The property.
    Property(Secret),
    /// An environment variable.
    Environment(Secret),
    /// A file, which is read for each connection.
    File(PathBuf),
    /// A pipe, which was read once.
    Once(PathBuf, Secret),
}

/// The key of an endpoint.
#[derive(Clone)]
pub struct Credentials {
    source: CredentialSource,
    is_azure: bool,
    /// Takes precedence over the source.
    credentials: Option<CredentialsProvider>,
    /// Keys used so far, newest first; shared by all connections.
    used: Arc<Mutex<VecDeque<Secret>>>,
}

impl CredentialSource {
    /// The key in a file.
    pub fn file(path: &Path) -> Result<Self, Error> {
        let is_file = std::fs::metadata(path).is_ok_and(|file| file.is_file());
        let path = path.to_owned();
        Ok(if is_file { Self::File(path) } else { Self::Once(path.clone(), read(&path)?) })
    }

    /// The key as it is now.
    fn key(&self) -> Result<Option<Secret>, Error> {
        match self {
            Self::None => Ok(None),
            Self::Application => Err(Error::not_authorized("get-credentials gave no key")),
            Self::Property(key) | Self::Environment(key) | Self::Once(_, key) => Ok(Some(key.clone())),
            Self::File(path) => read(path).map(Some),
        }
    }
}

impl Credentials {
    /// Checks the key now, unless only the application has it.
    pub fn new(
        source: CredentialSource,
        is_azure: bool,
        credentials: Option<CredentialsProvider>,
    ) -> Result<Self, Error> {
        let key = Self { source, is_azure, credentials, used: Arc::default() };
        match key.source {
            CredentialSource::Application => Ok(key),
            _ => key.header(None).map(|_| key),
        }
    }

    /// Asks the application, on a thread of its own because it may block.
    pub async fn ask(&self, clock: &Clock) -> Result<Option<Secret>, Error> {
        let Some(CredentialsProvider(ask)) = self.credentials.clone() else { return Ok(None) };
        let (sender, answer) = oneshot::channel();
        let spawned = std::thread::Builder::new().name("openairt-key".into()).spawn(move || {
            // The receiver is gone after the timeout.
            let _ = sender.send(ask().map(Zeroizing::new));
        });
        spawned.map_err(|error| Error::connect(format!("no thread to be had: {error}")))?;
        match clock.timeout(PROVIDER_TIMEOUT, answer).await {
            Some(answer) => Ok(answer.ok().flatten().and_then(|key| Secret::new(&key))),
            None => Err(Error::not_authorized(format!(
                "get-credentials gave no answer within {} s",
                PROVIDER_TIMEOUT.as_secs()
            ))),
        }
    }

    /// The header for a key of the application, or else of the source.
    pub fn header(&self, asked: Option<Secret>) -> Result<Option<KeyHeader>, Error> {
        let Some(key) = asked.map_or_else(|| self.source.key(), |key| Ok(Some(key)))? else { return Ok(None) };
        if key.expose().contains(|letter: char| letter.is_control()) {
            let message = format!("the key{} holds characters that no key has", self.from());
            return Err(Error::not_authorized(message).with_source(KeyError::Invalid));
        }
        {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            if !used.contains(&key) {
                used.truncate(MAX_REMEMBERED_KEYS - 1);
                used.push_front(key.clone());
            }
        }
        // Azure takes Entra tokens, which are JWTs, as bearer tokens.
        if self.is_azure && !key.expose().starts_with("eyJ") {
            return Ok(Some(("api-key", key)));
        }
        let bearer = Zeroizing::new(format!("Bearer {}", key.expose()));
        Ok(Secret::new(&bearer).map(|bearer| ("authorization", bearer)))
    }

    /// Whether it is for Azure.
    pub fn is_azure(&self) -> bool {
        self.is_azure
    }

    /// Redacts all keys in a text.
    pub fn redact(&self, text: &mut String) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|key| key.redact(text));
    }

    /// The JSON text without any of the keys, or `None` if it holds none.
    pub fn scrubbed_json(&self, text: &str) -> Option<String> {
        let mut scrubbed: Option<String> = None;
        for key in self.used.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|key| key.is_unmistakable()) {
            scrubbed = key.scrubbed_json(scrubbed.as_deref().unwrap_or(text)).or(scrubbed);
        }
        scrubbed
    }

    /// Hint for a server that refuses the key.
    pub fn hint(&self) -> String {
        match self.source {
            CredentialSource::None if self.credentials.is_none() => how_to_set_key(self.is_azure),
            _ => format!("check the key{}", self.from()),
        }
    }

    fn from(&self) -> String {
        match &self.source {
            _ if self.credentials.is_some() => " (from get-credentials)".into(),
            CredentialSource::None | CredentialSource::Application => String::new(),
            CredentialSource::Property(_) => " (from api-key)".into(),
            CredentialSource::Environment(_) => format!(" (from {})", variable(self.is_azure)),
            CredentialSource::File(path) | CredentialSource::Once(path, _) => {
                format!(" (from api-key-file {})", path.display())
            }
        }
    }
}

/// Environment variable of the key.
pub fn variable(is_azure: bool) -> &'static str {
    if is_azure { "AZURE_OPENAI_API_KEY" } else { "OPENAI_API_KEY" }
}

/// Hint for a missing key.
pub fn how_to_set_key(is_azure: bool) -> String {
    format!("set the environment variable {}, or the property api-key-file or api-key", variable(is_azure))
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Its file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// Its file holds none.
    #[error("is empty")]
    Empty,
    /// It holds control characters.
    #[error("holds control characters")]
    Invalid,
}

fn read(path: &Path) -> Result<Secret, Error> {
    let wrong =
        |why: KeyError| Error::not_authorized(format!("api-key-file {} {why}", path.display())).with_source(why);
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| wrong(KeyError::Unreadable(error)))?;
    Secret::new(&text).ok_or_else(|| wrong(KeyError::Empty))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(key: &Credentials) -> String {
        key.header(None).expect("it can be read").expect("there is one").1.expose().to_owned()
    }

    #[test]
    fn a_file_is_read_each_time_and_no_key_of_it_is_told() {
        let path = std::env::temp_dir().join(format!("openairealtime-key-{}", std::process::id()));
        std::fs::write(&path, "sk-first\n").expect("a file");
        let key = Credentials::new(CredentialSource::file(&path).expect("a source"), false, None).expect("a key");
        let shared = key.clone();
        assert_eq!(value(&key), "Bearer sk-first");
        std::fs::write(&path, "sk-second\n").expect("a file");
        assert_eq!(value(&key), "Bearer sk-second");
        let mut text = "sk-first, sk-second".to_owned();
        shared.redact(&mut text);
        assert_eq!(text, "[redacted], [redacted]");
        std::fs::write(&path, "sk\u{7}").expect("a file");
        let name = path.display().to_string();
        assert!(key.header(None).is_err_and(|failure| failure.to_string().contains(&name)));
        std::fs::remove_file(&path).expect("it was there");
        assert!(key.header(None).is_err_and(|failure| failure.to_string().contains(&name)));
        assert_eq!(key.hint(), format!("check the key (from api-key-file {name})"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pipe_is_read_once() {
        use std::io::Write;
        use std::os::fd::AsRawFd;
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer.write_all(b"sk-from-a-pipe").expect("room");
        drop(writer);
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let key =
            Credentials::new(CredentialSource::file(Path::new(&path)).expect("a source"), false, None).expect("a key");
        assert_eq!((value(&key), value(&key)), ("Bearer sk-from-a-pipe".into(), "Bearer sk-from-a-pipe".into()));
    }

    #[test]
    fn only_the_newest_keys_are_remembered() {
        let path = std::env::temp_dir().join(format!("openairealtime-keys-{}", std::process::id()));
        std::fs::write(&path, "sk-0").expect("a file");
        let key = Credentials::new(CredentialSource::file(&path).expect("a source"), true, None).expect("a key");
        for number in 1..20 {
            std::fs::write(&path, format!("sk-{number}")).expect("a file");
            assert_eq!(value(&key), format!("sk-{number}"));
        }
        std::fs::remove_file(&path).expect("it was there");
        assert_eq!(key.used.lock().expect("no panic").len(), MAX_REMEMBERED_KEYS);
    }
}
