// SPDX-License-Identifier: MPL-2.0

//! Settings of a translation session at the server: the first update, changes while it goes on, and their answers.

use crate::error::Error;
use crate::realtime::conversation::config::ConfigUpdate;
use crate::realtime::conversation::io::Event;
use crate::realtime::conversation::session::session_diff::{as_json, difference, leaves, names};
use crate::realtime::translation::{Phase, Translation};
use openai_protocol::response::ServerError;
use openai_protocol::session::AudioFormat;
use openai_protocol::translation::{Session, SessionUpdate};
use std::collections::VecDeque;

/// An update that was sent.
#[derive(Debug)]
struct Sent {
    event_id: String,
    /// The change of properties that it carries; `None` for the first update of a session.
    update: Option<ConfigUpdate>,
}

/// Updates without an answer, oldest first, and what the server tells of the session.
#[derive(Debug, Default)]
pub(crate) struct Updates {
    sent: VecDeque<Sent>,
    /// The session as it was greeted with.
    pub(crate) created: Session,
}

impl Updates {
    /// `session.created`
    pub fn session_created(&mut self, session: Session) {
        self.created = session;
    }

    /// Changes that a lost session has not answered; the next one begins with them.
    pub fn session_lost(&mut self) -> Vec<ConfigUpdate> {
        self.created = Session::default();
        std::mem::take(&mut self.sent).into_iter().filter_map(|sent| sent.update).collect()
    }

    fn take(&mut self, event_id: Option<&str>) -> Option<Sent> {
        let index = match event_id {
            Some(event_id) => self.sent.iter().position(|sent| sent.event_id == event_id)?,
            None => 0,
        };
        self.sent.remove(index)
    }
}

/// The error about audio that is not 16-bit PCM.
pub(crate) fn wrong_format(pad: &str, format: &AudioFormat) -> Error {
    Error::settings(format!(
        "session-type: a translation session takes and gives 16-bit PCM only, and {pad} has {}; put an audio decoder or \
         encoder beside the element",
        format.describe()
    ))
}

impl Translation {
    /// Sends the settings of the session.
    pub(crate) fn send_settings(&mut self, update: Option<ConfigUpdate>) {
        let config = update.as_ref().map_or(&self.config, |update| &update.config);
        let session = config.translation.clone().unwrap_or_default();
        let event_id = self.send(SessionUpdate { session, ..Default::default() });
        self.updates.sent.push_back(Sent { event_id, update });
    }

    /// Properties have changed.
    pub(crate) fn configure(&mut self, update: ConfigUpdate) {
        if self.phase == Phase::Ready && update.config.translation != self.config.translation {
            return self.send_settings(Some(update));
        }
        self.adopt(update);
    }

    fn adopt(&mut self, update: ConfigUpdate) {
        self.config = update.config;
        self.outbox.notify(Event::Settings { revision: update.revision, without: Vec::new() });
    }

    /// The server has acknowledged the oldest update.
    pub(crate) fn settings_accepted(&mut self) {
        if let Some(update) = self.updates.take(None).and_then(|sent| sent.update) {
            self.adopt(update);
        }
    }

    /// The server has refused an event. Of an update of the settings, all is refused that it would have changed, unless the
    /// error names a part.
    pub(crate) fn settings_refused(&mut self, error: &ServerError) {
        let Some(event_id) = error.event_id.as_deref() else { return };
        let Some(Sent { update: Some(update), .. }) = self.updates.take(Some(event_id)) else { return };
        let [applied, requested] = [&self.config, &update.config].map(|config| as_json(&config.translation));
        let paths = leaves(&difference(&applied, &requested), &mut Vec::new());
        let param = error.param.as_deref();
        let named = param.and_then(|param| paths.iter().find(|path| names(param, path)));
        let refused = named.map_or(paths.as_slice(), std::slice::from_ref);
        let without = refused.iter().map(|path| path.join(".")).collect();
        self.outbox.notify(Event::Settings { revision: update.revision, without });
    }

    /// Whether this event is the first update of a session, without an answer.
    pub(crate) fn is_opening_update(&self, event_id: Option<&str>) -> bool {
        self.updates.sent.iter().any(|sent| sent.update.is_none() && Some(sent.event_id.as_str()) == event_id)
    }
}
