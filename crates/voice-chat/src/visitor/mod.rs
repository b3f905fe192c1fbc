// SPDX-License-Identifier: MPL-2.0

//! A visitor from the first to the last event: one task that owns the pipelines, translates between the element and the
//! client, and keeps the limits. [`webrtc`] and [`socket`] are the two transports.

pub mod end;
pub mod socket;
pub mod webrtc;

use crate::app::App;
use crate::events::client::{self, Action};
use crate::events::server::ServerEvents;
use crate::events::session::{SessionSettings, without_fixed_fields};
use crate::events::{error_event, notice};
use crate::media::model::Model;
use crate::media::model::ModelConfig;
use end::End;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Events that wait for a visitor's task; it is never behind by more in order.
pub const MAX_WAITING_EVENTS: usize = 1024;
/// The element sends an update within 10 ms, or it has nothing to send.
const UPDATE_TIMEOUT: Duration = Duration::from_millis(300);
/// Longer settings are not taken, in bytes.
pub const MAX_SESSION_LEN: usize = 256 * 1024;

/// What goes to the client.
#[derive(Debug)]
pub enum Out {
    /// An event of the API.
    Event(String),
    /// An event of this server's own.
    Notice(String),
}

/// What both transports have in common.
pub struct Visitor {
    app: Arc<App>,
    id: String,
    model: Model,
    settings: SessionSettings,
    events: ServerEvents,
    out: Vec<Out>,
    update_due: Option<Instant>,
    /// The session is there.
    is_ready: bool,
}

/// What a visitor asks for when it comes.
#[derive(Debug, Default)]
pub struct Request {
    /// The settings of the session, laid over each other.
    pub session: Map<String, Value>,
    /// The model of the query, which counts where the settings have none.
    pub model: Option<String>,
}

impl Request {
    /// The settings for the element, and how the session begins.
    pub fn resolve(mut self, app: &App) -> (SessionSettings, ModelConfig) {
        let asked = self.session.get("model").and_then(Value::as_str).map(str::to_owned).or(self.model.take());
        let mut settings = SessionSettings::default();
        settings.merge(without_fixed_fields(self.session));
        let config = ModelConfig {
            upstream: app.cli.upstream.clone(),
            model: app.cli.model.clone().or(asked),
            api_key_file: app.cli.api_key_file.clone(),
            session: settings.to_json(),
            max_cost: app.cli.max_cost,
        };
        (settings, config)
    }
}

impl Visitor {
    fn new(app: Arc<App>, id: String, model: Model, settings: SessionSettings, max_message_len: usize) -> Self {
        let events = ServerEvents::new(max_message_len);
        Self { app, id, model, settings, events, out: Vec::new(), update_due: None, is_ready: false }
    }

    /// What is to be sent.
    fn take_out(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out)
    }

    fn send(&mut self, events: Vec<String>) {
        self.out.extend(events.into_iter().map(Out::Event));
    }

    fn tell(&mut self, notice: &Value) {
        self.out.push(Out::Notice(notice.to_string()));
    }

    /// The client takes events from now on.
    fn channel_open(&mut self) {
        let early = self.events.open();
        self.send(early);
    }

    /// A message of the client.
    fn client_text(&mut self, text: &str) {
        match client::read(text) {
            Action::Send(event) => {
                if !self.model.send_event(&event) {
                    self.refuse("invalid_event", "The event is none of the Realtime API, or a field of it is wrong.");
                }
            }
            Action::UpdateSession { session, event_id } => self.update_session(session, event_id),
            Action::CancelResponse | Action::ClearOutput => {
                self.model.cancel_response();
            }
            Action::ForgetFrames => self.model.forget_frames(),
            // Where there is none, a notice of the element's warning says so.
            Action::SendFrame => {
                self.model.send_frame();
            }
            Action::Refuse(event) => {
                let events = self.events.own(&event);
                self.send(events);
            }
        }
    }

    fn update_session(&mut self, session: Map<String, Value>, event_id: Option<String>) {
        self.settings.merge(session);
        let Some(json) = self.settings.to_json().filter(|json| json.len() <= MAX_SESSION_LEN) else {
            return self.refuse("invalid_session", "The settings of the session are too long.");
        };
        // Before it is set: the element may send it at once.
        self.events.update_requested(event_id.clone());
        self.update_due.get_or_insert(Instant::now() + UPDATE_TIMEOUT);
        if !self.model.set_session(&json) {
            let message = "The settings are not those of a session; see the API's reference of session.update.";
            let event = error_event("invalid_session", message, event_id.as_deref());
            let events = self.events.own(&event);
            self.send(events);
        }
    }

    fn refuse(&mut self, code: &str, message: &str) {
        let events = self.events.own(&error_event(code, message, None));
        self.send(events);
    }

    /// When [`Visitor::update_is_due`] is to be called.
    fn deadline(&self) -> Option<Instant> {
        self.update_due
    }

    /// An update has changed nothing, if the element has not sent it by now.
    fn update_is_due(&mut self) {
        self.update_due = None;
        let events = self.events.unsent_updates();
        self.send(events);
    }

    /// Audio of the model goes out.
    fn voice(&mut self, samples: u64, is_silence: bool) {
        let events = if is_silence {
            self.events.output.silent().into_iter().collect()
        } else {
            self.events.output.played(samples)
        };
        for event in events {
            let events = self.events.own(&event);
            self.send(events);
        }
    }

    /// A message of the element's pipeline.
    fn model_message(&mut self, message: &gst::Message) -> Result<(), End> {
        match message.view() {
            gst::MessageView::Element(element) => {
                if let Some(structure) = element.structure()
                    && let Some(name) = structure.name().strip_prefix("openairealtime/")
                {
                    return self.element_message(name, structure);
                }
            }
            gst::MessageView::Latency(_) => self.model.recalculate_latency(),
            gst::MessageView::Error(error) => return Err(End::from_error(error)),
            gst::MessageView::Eos(_) => {
                return Err(End::SessionEnded("its budget is used up, or the server ended it".into()));
            }
            gst::MessageView::Warning(warning) => {
                let text = warning.error().message().to_owned();
                let code = warning.details().and_then(|details| details.get::<&str>("code").ok().map(str::to_owned));
                tracing::warn!("{}: {text}", self.id);
                self.tell(&notice::warning(code.as_deref(), &text));
            }
            _ => {}
        }
        Ok(())
    }

    fn element_message(&mut self, name: &str, structure: &gst::StructureRef) -> Result<(), End> {
        let text = |field: &str| structure.get::<&str>(field).ok();
        match name {
            "event" => {
                let json = text("json").unwrap_or_default();
                if text("direction") == Some("server") {
                    let events = self.events.server_event(json);
                    self.send(events);
                } else {
                    self.events.client_event(json);
                }
                return Ok(());
            }
            "session" => match text("state") {
                Some("ready") => self.is_ready = true,
                Some("closed") => {
                    let reason = text("reason").unwrap_or("closed by the server").to_owned();
                    // An ERROR follows where it has failed, and says more.
                    tracing::debug!("{}: session closed: {reason}", self.id);
                }
                _ => {}
            },
            "interrupted" => {
                self.app.metrics.interruptions.inc();
                self.cleared(|output| output.cleared());
            }
            "response" => {
                let state = text("state").unwrap_or_default();
                self.app.metrics.response(state);
                if let Ok(first_audio) = structure.get::<u64>("first-audio") {
                    self.app.metrics.first_audio_seconds.observe(first_audio as f64 / 1e9);
                }
                if let ("cancelled" | "failed", Some(id)) = (state, text("response-id")) {
                    self.cleared(|output| output.abandoned(id));
                }
            }
            "usage" => {
                if let Ok(cost) = structure.get::<f64>("cost") {
                    self.app.metrics.cost.inc_by(cost);
                }
            }
            "frame" if text("state") == Some("sent") => {
                self.app.metrics.frames.inc();
            }
            _ => {}
        }
        if let Some(notice) = notice::from_message(name, structure) {
            self.tell(&notice);
        }
        Ok(())
    }

    fn cleared(
        &mut self,
        clear: impl FnOnce(&mut crate::events::output_audio_buffer::OutputAudioBuffer) -> Option<Value>,
    ) {
        if let Some(event) = clear(&mut self.events.output) {
            let events = self.events.own(&event);
            self.send(events);
        }
    }

    /// The last words to the client.
    fn farewell(&mut self, end: &End) {
        if !matches!(end, End::HangUp) {
            let mut event = error_event(end.reason(), &end.message(), None);
            if end.is_failure() {
                event["error"]["type"] = "server_error".into();
            }
            let events = self.events.own(&event);
            self.send(events);
        }
        self.tell(&notice::ended(end.reason(), &end.message()));
    }

    /// Counts the end, and writes the one line about it.
    fn log_end(&self, end: &End, since: Instant) {
        self.app.metrics.ended(end.reason());
        let seconds = since.elapsed().as_secs();
        if end.is_failure() {
            tracing::error!("{} ended after {seconds} s: {}", self.id, end.detail());
        } else {
            tracing::info!("{} ended after {seconds} s: {}", self.id, end.detail());
        }
    }
}
