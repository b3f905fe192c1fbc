// SPDX-License-Identifier: MPL-2.0

//! Errors that end a session, and warnings that do not: the types that every layer uses.

pub(crate) mod warning_limit;

use std::sync::Arc;

/// What went wrong; decides on the GStreamer error and on whether another server can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The key is missing, wrong, expired or not allowed to do this.
    NotAuthorized,
    /// The model or the address does not exist.
    NotFound,
    /// A property or what it leads to was refused.
    Settings,
    /// No connection could be made.
    Connect,
    /// The connection was lost.
    Lost,
    /// The account's quota is used up.
    Quota,
}

/// An error that ends a run, or that a connection or a request ends with.
///
/// It is shown as the message and, after a semicolon, the hint. Decisions are taken on [`Self::kind`] and on the types of
/// the causes, never on the text.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error without a cause. The message says what is wrong and where.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    /// [`ErrorKind::NotAuthorized`]
    pub fn not_authorized(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotAuthorized, message)
    }

    /// [`ErrorKind::Settings`]
    pub fn settings(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Settings, message)
    }

    /// [`ErrorKind::Connect`]
    pub fn connect(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Connect, message)
    }

    /// [`ErrorKind::Lost`]
    pub fn lost(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Lost, message)
    }

    /// The error with its cause.
    #[must_use]
    pub fn with_source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// The error with what the user can do about it, behind a hint that is there already.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        let hint = self.hint.map_or_else(|| hint.clone(), |first| format!("{first}; {hint}"));
        Self { hint: Some(hint), ..self }
    }

    /// The error as one of another kind.
    #[must_use]
    pub fn with_kind(self, kind: ErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// The error with its message in a context.
    #[must_use]
    pub fn map_message(self, map: impl FnOnce(&str) -> String) -> Self {
        Self { message: map(&self.message), ..self }
    }

    /// The error without secrets. A cause whose text holds one is left out, because it cannot be changed.
    #[must_use]
    pub fn redacted(mut self, redact: impl Fn(&mut String)) -> Self {
        redact(&mut self.message);
        self.hint.iter_mut().for_each(&redact);
        let is_clean = |cause: &(dyn std::error::Error + 'static)| {
            let text = cause.to_string();
            let mut redacted = text.clone();
            redact(&mut redacted);
            redacted == text
        };
        if !self.causes().all(is_clean) {
            self.source = None;
        }
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What is wrong and where.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether it is of a kind and its text has this part.
    #[cfg(test)]
    pub fn says(&self, kind: ErrorKind, part: &str) -> bool {
        self.kind == kind && self.to_string().contains(part)
    }

    /// The causes, outermost first.
    pub fn causes(&self) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
        std::iter::successors(std::error::Error::source(self), |cause| cause.source())
    }

    /// The first cause of a type.
    pub fn cause<T: std::error::Error + 'static>(&self) -> Option<&T> {
        self.causes().find_map(|cause| cause.downcast_ref())
    }

    /// What the debug text of a bus message says beside the error itself: causes that the message does not name, and the
    /// hint on a line of its own.
    pub fn debug_text(&self) -> Option<String> {
        let causes = self.causes().map(ToString::to_string).filter(|cause| !self.message.contains(cause.as_str()));
        let lines = causes.map(|cause| format!("caused by: {cause}"));
        let lines: Vec<_> = lines.chain(self.hint.iter().map(|hint| format!("hint: {hint}"))).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// Causes are not compared.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.message, &self.hint) == (other.kind, &other.message, &other.hint)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}; {hint}", self.message.trim_end_matches('.')),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

/// A fault that does not end the stream; becomes a WARNING on the bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// What is wrong, for the user.
    pub message: String,
    /// The server's `error.code`, or a code of the element.
    pub code: Option<String>,
    /// The server's `error.type`.
    pub kind: Option<String>,
    /// The field at fault.
    pub param: Option<String>,
    /// What it is about, where the code does not say so: a call, a pad, an action. The limit of warnings counts each
    /// subject for itself. It is not posted.
    pub subject: Option<String>,
}

impl Warning {
    /// A warning of the element.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), code: Some(code.into()), kind: None, param: None, subject: None }
    }

    /// The warning with its subject.
    #[must_use]
    pub fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable() -> Error {
        let cause = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
        Error::settings("ca-file /ca.pem cannot be read.").with_source(cause).with_hint("check the path")
    }

    #[test]
    fn the_hint_follows_the_message_and_the_debug_text_names_the_causes() {
        let error = unreadable();
        assert_eq!(error.to_string(), "ca-file /ca.pem cannot be read; check the path");
        assert_eq!(error.debug_text().as_deref(), Some("caused by: no such file\nhint: check the path"));
        assert!(error.cause::<std::io::Error>().is_some_and(|cause| cause.kind() == std::io::ErrorKind::NotFound));
        assert_eq!(Error::lost("gone").debug_text(), None);
    }

    #[test]
    fn an_error_without_secrets_has_no_cause_that_holds_one() {
        let redact = |secret: &'static str| move |text: &mut String| *text = text.replace(secret, "[redacted]");
        let error = unreadable().redacted(redact("path"));
        assert_eq!(error.debug_text().as_deref(), Some("caused by: no such file\nhint: check the [redacted]"));
        assert_eq!(unreadable().redacted(redact("such")).causes().count(), 0);
    }
}
