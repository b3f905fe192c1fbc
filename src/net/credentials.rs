// SPDX-License-Identifier: MPL-2.0

//! The key: where it comes from, the header that carries it, and what helps where a server does not take it.
//!
//! One in a file is read anew for each connection, because there are keys that last for an hour and are renewed in
//! their file.

use crate::error::Error;
use crate::net::clock::Clock;
use crate::net::secret::Secret;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// So many keys of a file are kept out of texts; the oldest ones are forgotten.
const MAX_REMEMBERED_KEYS: usize = 8;

/// How long an application may take to give a key.
const ANSWER: Duration = Duration::from_secs(10);

/// An application that gives the key for each connection, or nothing.
#[derive(Clone)]
pub struct CredentialsProvider(Arc<dyn Fn() -> Option<String> + Send + Sync>);

impl CredentialsProvider {
    /// Who is asked. It may take its time.
    pub fn new(ask: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl std::fmt::Debug for CredentialsProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

/// The name and the value of the header that carries a key.
pub type KeyHeader = (&'static str, Secret);

/// Where a key comes from.
#[derive(Clone)]
pub enum CredentialSource {
    /// From nowhere: a server on this machine needs none.
    None,
    /// From the application alone, which is asked for it.
    Application,
    /// From the property.
    Property(Secret),
    /// From the environment.
    Environment(Secret),
    /// From a file, which is read for each connection.
    File(PathBuf),
    /// From a pipe, which can be read only once.
    Once(PathBuf, Secret),
}

/// A key that there is or will be.
#[derive(Clone)]
pub struct Credentials {
    source: CredentialSource,
    is_azure: bool,
    /// Who is asked before.
    credentials: Option<CredentialsProvider>,
    /// All that were used, by whichever connection.
    used: Arc<Mutex<VecDeque<Secret>>>,
}

impl CredentialSource {
    /// The one in this file.
    pub fn file(path: &Path) -> Result<Self, Error> {
        let is_file = std::fs::metadata(path).is_ok_and(|file| file.is_file());
        let path = path.to_owned();
        Ok(if is_file { Self::File(path) } else { Self::Once(path.clone(), read(&path)?) })
    }

    /// The key. A file is read for it.
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
    /// The key from there, which is looked at, or from an application, which is asked when it is needed.
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

    /// Asks the application, on a thread that nobody else needs.
    pub async fn ask(&self, clock: &Clock) -> Result<Option<Secret>, Error> {
        let Some(CredentialsProvider(ask)) = self.credentials.clone() else { return Ok(None) };
        let (sender, answer) = oneshot::channel();
        let spawned = std::thread::Builder::new().name("openairt-key".into()).spawn(move || {
            // Whoever waited may have given up.
            let _ = sender.send(ask().map(Zeroizing::new));
        });
        spawned.map_err(|error| Error::connect(format!("no thread to be had: {error}")))?;
        match clock.timeout(ANSWER, answer).await {
            Some(answer) => Ok(answer.ok().flatten().and_then(|key| Secret::new(&key))),
            None => Err(Error::not_authorized(format!("get-credentials gave no answer within {} s", ANSWER.as_secs()))),
        }
    }

    /// The header that carries the key: the one that the application gave, or else that from the source, for which a
    /// file is read.
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
        // An Entra token is a JWT and goes as a bearer token even to Azure.
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

    /// The text without any of the keys.
    pub fn redact(&self, text: &mut String) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|key| key.redact(text));
    }

    /// What a server sent, without any of the keys; nothing where none is there.
    pub fn scrubbed_json(&self, text: &str) -> Option<String> {
        let mut scrubbed: Option<String> = None;
        for key in self.used.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|key| key.is_unmistakable()) {
            scrubbed = key.scrubbed_json(scrubbed.as_deref().unwrap_or(text)).or(scrubbed);
        }
        scrubbed
    }

    /// What to do where a server does not take it.
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

/// The environment's variable for a key.
pub fn variable(is_azure: bool) -> &'static str {
    if is_azure { "AZURE_OPENAI_API_KEY" } else { "OPENAI_API_KEY" }
}

/// What to do without a key.
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
