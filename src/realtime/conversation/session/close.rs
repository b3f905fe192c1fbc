// SPDX-License-Identifier: MPL-2.0

//! The end of a connection: why it was closed, and whether another one makes sense.

use crate::error::{Error, ErrorKind};
use crate::realtime::conversation::server_error::{fatal, may_come_back};
use openai_protocol::response::ServerError;
use std::time::{Duration, Instant};

/// How soon after an `error` a close is explained by it.
const MAX_ERROR_TO_CLOSE: Duration = Duration::from_secs(5);

/// Last `error` of the server.
#[derive(Debug, Default)]
pub(crate) struct LastError(Option<(Instant, ServerError)>);

/// Why a connection was closed.
#[derive(Debug)]
pub(crate) struct Closed {
    pub failure: Error,
    /// Whether another connection makes sense.
    pub comes_back: bool,
    /// What the server says of it.
    pub reason: String,
}

impl LastError {
    pub fn set(&mut self, error: ServerError, now: Instant) {
        self.0 = Some((now, error));
    }

    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// The last error, whenever it came.
    pub fn take(&mut self) -> Option<ServerError> {
        self.0.take().map(|(_, error)| error)
    }

    /// The connection is closed. Its code tells why, or the `error` before it does.
    pub fn explain_close(
        &mut self,
        code: Option<u16>,
        reason: &str,
        is_ready: bool,
        model: &str,
        now: Instant,
    ) -> Closed {
        let error = self.0.take().filter(|(at, _)| now.saturating_duration_since(*at) < MAX_ERROR_TO_CLOSE);
        let error = error.map(|(_, error)| error);
        let message = match &error {
            Some(error) if error.message.contains(reason.trim_end_matches('.')) => error.message.clone(),
            Some(error) if reason.contains(&error.message) => reason.to_owned(),
            Some(error) => format!("{} ({reason})", error.message),
            None => reason.to_owned(),
        };
        let closed = |when: &str| describe(code, when, &message);
        let by_error = error.as_ref().and_then(|error| fatal(error, model));
        let by_code = match code {
            Some(3000) => Some(Error::not_authorized(closed(""))),
            Some(4000 | 4004) if code == Some(4004) || reason.contains("model") => Some(Error::new(
                ErrorKind::NotFound,
                format!("the server does not offer the model '{model}': {}", closed("")),
            )),
            Some(4000) => Some(Error::settings(closed(""))),
            _ => None,
        };
        let expired = error.as_ref().and_then(|error| error.code.as_deref()) == Some("session_expired");
        let comes_back = expired || reason.contains("session_expired") || may_come_back(code);
        let comes_back = comes_back && by_error.is_none() && by_code.is_none();
        let otherwise =
            if is_ready { Error::lost(closed("")) } else { Error::connect(closed(" before the session began")) };
        let failure = by_error.or(by_code).unwrap_or(otherwise);
        let reason = if message.is_empty() { closed("") } else { message };
        Closed { failure, comes_back, reason }
    }
}

fn describe(code: Option<u16>, when: &str, message: &str) -> String {
    let with_code = code.map(|code| format!(" with code {code}")).unwrap_or_default();
    // The largest messages are images.
    let hint = if code == Some(1009) {
        " (a message was too large; 'max-frame-size' limits what is sent of pictures)"
    } else {
        ""
    };
    let colon = if message.is_empty() { "" } else { ": " };
    format!("the server closed the connection{with_code}{when}{colon}{message}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str, code: &str) -> ServerError {
        ServerError { message: message.into(), code: Some(code.into()), ..Default::default() }
    }

    fn explain(last: &mut LastError, code: Option<u16>, reason: &str, now: Instant) -> Closed {
        last.explain_close(code, reason, true, "m", now)
    }

    #[test]
    fn an_error_explains_a_close_that_follows_soon() {
        let (mut last, now) = (LastError::default(), Instant::now());
        last.set(error("the server is busy", "server_error"), now);
        let closed = explain(&mut last, Some(1011), "", now);
        assert!(closed.comes_back && closed.reason == "the server is busy");
        last.set(error("the server is busy", "server_error"), now);
        let closed = explain(&mut last, Some(1011), "over", now + MAX_ERROR_TO_CLOSE);
        assert_eq!(closed.reason, "over");
    }

    #[test]
    fn what_the_user_has_to_mend_is_not_tried_again() {
        let (mut last, now) = (LastError::default(), Instant::now());
        let closed = explain(&mut last, Some(3000), "", now);
        assert!(closed.failure.kind() == ErrorKind::NotAuthorized && !closed.comes_back);
        let closed = explain(&mut last, Some(4000), "unknown model", now);
        assert_eq!(closed.failure.kind(), ErrorKind::NotFound);
        last.set(error("wrong key", "invalid_api_key"), now);
        let closed = explain(&mut last, Some(1006), "", now);
        assert!(closed.failure.kind() == ErrorKind::NotAuthorized && !closed.comes_back);
    }

    #[test]
    fn a_session_that_has_expired_comes_back() {
        let (mut last, now) = (LastError::default(), Instant::now());
        assert!(explain(&mut last, Some(1008), "session_expired", now).comes_back);
        assert!(!explain(&mut last, Some(1008), "policy", now).comes_back);
    }
}
