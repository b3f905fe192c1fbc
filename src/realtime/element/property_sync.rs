// SPDX-License-Identifier: MPL-2.0

//! Changes of properties while there is a session: they are requested from the server, and a property that it refuses goes
//! back to the value that is applied.
//!
//! Until the server has answered, a property shows the requested value. Properties are independent of each other: if one
//! is refused, the others keep what was requested.

use crate::error::{Error, Warning};
use crate::realtime::conversation::Input;
use crate::realtime::conversation::config::{Config, ConfigUpdate};
use crate::realtime::element::conversation_config::Configured;
use crate::realtime::element::messenger::Messenger;
use crate::realtime::element::run::Run;
use crate::realtime::element::session_json::without_refused;
use crate::realtime::element::settings::Settings;
use crate::realtime::element::{CAT, Messages, audio_caps};
use crate::types::Timing;
use gst::glib;
use gst::prelude::*;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Value of a property of any of the element's types.
#[derive(Clone, Debug, PartialEq)]
enum PropertyValue {
    Text(Option<String>),
    Flag(bool),
    Number(f64),
    Count(u32),
    Time(u64),
    /// Nick of an enumeration's value.
    Choice(String),
    Messages(Messages),
}

impl PropertyValue {
    fn of(value: &glib::Value) -> Option<Self> {
        if let Some((_, choice)) = glib::EnumValue::from_value(value) {
            return Some(Self::Choice(choice.nick().to_owned()));
        }
        if let Ok(messages) = value.get() {
            return Some(Self::Messages(messages));
        }
        let text = || value.get().ok().map(Self::Text);
        let flag = || value.get().ok().map(Self::Flag);
        let number = || value.get().ok().map(Self::Number);
        let count = || value.get().ok().map(Self::Count);
        text().or_else(flag).or_else(number).or_else(count).or_else(|| value.get().ok().map(Self::Time))
    }

    fn set(&self, element: &gst::Element, name: &str) {
        match self {
            Self::Text(text) => element.set_property(name, text),
            Self::Flag(flag) => element.set_property(name, flag),
            Self::Number(number) => element.set_property(name, number),
            Self::Count(count) => element.set_property(name, count),
            Self::Time(time) => element.set_property(name, time),
            Self::Messages(messages) => element.set_property(name, messages),
            Self::Choice(nick) => element.set_property_from_str(name, nick),
        }
    }
}

/// The values of all properties that are mutable in PLAYING, in the order of the class.
type Values = Vec<(&'static str, PropertyValue)>;

/// Maximum number of requested changes without an answer; what older ones change is not rolled back.
const MAX_PENDING_UPDATES: usize = 256;

#[derive(Debug, Default)]
struct State {
    revision: u64,
    applied: Values,
    requested: VecDeque<(u64, Values)>,
    /// A property is being rolled back, which requests nothing.
    is_rolling_back: bool,
}

/// Keeps the properties of one element in line with its session.
pub struct PropertySync {
    element: glib::WeakRef<gst::Element>,
    settings: Arc<Mutex<Settings>>,
    messenger: Arc<Messenger>,
    state: Mutex<State>,
}

impl PropertySync {
    /// Nothing is requested.
    pub fn new(element: &gst::Element, settings: Arc<Mutex<Settings>>, messenger: Arc<Messenger>) -> Self {
        Self { element: element.downgrade(), settings, messenger, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settings(&self) -> Settings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn values(element: &gst::Element) -> Values {
        let all = element.list_properties();
        let mutable = all.iter().filter(|pspec| pspec.flags().contains(gst::PARAM_FLAG_MUTABLE_PLAYING));
        mutable
            .filter_map(|pspec| Some((pspec.name(), PropertyValue::of(&element.property_value(pspec.name()))?)))
            .collect()
    }

    /// A run starts: all properties are applied.
    pub fn begin(&self) {
        let applied = self.element.upgrade().map(|element| Self::values(&element)).unwrap_or_default();
        *self.state() = State { applied, ..State::default() };
    }

    /// A property was set that is mutable in PLAYING.
    pub fn on_changed(&self, run: &Run, name: &str) {
        let Some(element) = self.element.upgrade() else { return };
        if self.state().is_rolling_back {
            return;
        }
        match self.config(&element, run) {
            Ok((config, left_out)) => {
                self.messenger.warn_of_left_out_settings(left_out);
                self.request(&element, run, run.timing().is_some(), config);
            }
            Err(error) => {
                self.messenger.warn(Warning::new("settings", error.to_string()).about(error.to_string()));
                self.reject(&element, run, name);
            }
        }
    }

    fn config(&self, element: &gst::Element, run: &Run) -> Result<Configured, Error> {
        let timing = run.timing().unwrap_or(Timing::Live);
        let input = element.static_pad("audio_sink").map(|pad| audio_caps::likely_input_format(&pad));
        self.settings().config(timing, input.unwrap_or_default(), run.output().clone(), run.dialect())
    }

    /// Requests what the properties say now.
    fn request(&self, element: &gst::Element, run: &Run, has_session: bool, config: Config) {
        let values = Self::values(element);
        run.set_settings(self.settings());
        let revision = {
            let mut state = self.state();
            state.revision += 1;
            let revision = state.revision;
            if !has_session {
                // The session will start with it.
                state.applied = values;
                return;
            }
            if state.requested.len() == MAX_PENDING_UPDATES {
                state.requested.pop_front();
            }
            state.requested.push_back((revision, values));
            revision
        };
        gst::debug!(CAT, obj = element, "settings, revision {revision}");
        run.input_queue.push(Input::Configure(Box::new(ConfigUpdate { revision, config })));
    }

    /// A property was set to an invalid value: it goes back to the value before, and nothing is requested.
    fn reject(&self, element: &gst::Element, run: &Run, name: &str) {
        let before = {
            let state = self.state();
            let newest = state.requested.back().map_or(&state.applied, |(_, values)| values);
            newest.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone())
        };
        if let Some(before) = before {
            self.roll_back(element, name, &before);
        }
        run.set_settings(self.settings());
    }

    fn roll_back(&self, element: &gst::Element, name: &str, value: &PropertyValue) {
        self.state().is_rolling_back = true;
        value.set(element, name);
        self.state().is_rolling_back = false;
    }

    /// A requested change was applied, except for the properties that these fields of the session come from.
    pub fn on_update_result(&self, run: &Run, revision: u64, refused_fields: &[String]) {
        let Some(element) = self.element.upgrade() else { return };
        let refused = {
            let mut state = self.state();
            while state.requested.front().is_some_and(|(older, _)| *older < revision) {
                state.requested.pop_front();
            }
            let is_first = state.requested.front().is_some_and(|(first, _)| *first == revision);
            let Some((_, requested)) = is_first.then(|| state.requested.pop_front()).flatten() else { return };
            let mut refused = Vec::new();
            for (applied, requested) in state.applied.iter_mut().zip(requested).filter(|(is, new)| is.1 != new.1) {
                if refused_fields.iter().any(|field| comes_from(applied.0, field)) {
                    if let Some(rest) = session_without_refused(applied, &requested.1, refused_fields) {
                        applied.1 = rest;
                    }
                    refused.push((applied.clone(), requested.1));
                } else {
                    *applied = requested;
                }
            }
            refused
        };
        let mut has_rolled_back = false;
        for ((name, applied), requested) in refused {
            // Unless it was set again since.
            if PropertyValue::of(&element.property_value(name)).is_some_and(|now| now == requested) {
                self.roll_back(&element, name, &applied);
                has_rolled_back = true;
            }
        }
        if has_rolled_back && let Ok((config, _)) = self.config(&element, run) {
            // A property may have set more fields than the refused one.
            self.request(&element, run, true, config);
        }
    }
}

/// What the property `session` is when the server has refused fields of it: the other fields stay as requested.
fn session_without_refused(
    (name, applied): &(&'static str, PropertyValue),
    requested: &PropertyValue,
    refused_fields: &[String],
) -> Option<PropertyValue> {
    match (*name, applied, requested) {
        ("session", PropertyValue::Text(applied), PropertyValue::Text(Some(requested))) => {
            without_refused(requested, applied.as_deref(), refused_fields).map(|rest| PropertyValue::Text(Some(rest)))
        }
        _ => None,
    }
}

/// Whether a field of the session comes from a property; `session` may hold any field.
fn comes_from(property: &str, field: &str) -> bool {
    let properties: &[&str] = match field {
        "instructions" => &["instructions"],
        "output_modalities" => &["output-modalities"],
        "tools" => &["tools"],
        "tool_choice" => &["tool-choice"],
        "reasoning" => &["reasoning-effort"],
        "max_output_tokens" => &["max-output-tokens"],
        "audio.output.voice" => &["voice"],
        "audio.output.speed" => &["speed"],
        "audio.output.language" => &["translation-language"],
        "audio.input.noise_reduction" => &["noise-reduction"],
        "audio.input.transcription" => &["transcription-model", "transcription-language", "transcription-prompt"],
        "audio.input.turn_detection" => &["turn-detection", "create-response", "interrupt-response", "frame-policy"],
        _ => &[],
    };
    let of_detection = field == "audio.input.turn_detection" && property.starts_with("vad-");
    property == "session" || of_detection || properties.contains(&property)
}
