// SPDX-License-Identifier: MPL-2.0

//! Properties that change while the element runs, and stay true to what the session really does.
//!
//! A change is wished for at once and in force when the server has accepted it. Until then the property shows the wish.
//! Each property is settled apart: what is refused goes back to what is in force, and nothing else does.

use crate::error::{Error, Warning};
use crate::realtime::conversation::Input;
use crate::realtime::conversation::config::{Config, ConfigUpdate};
use crate::realtime::element::Messages;
use crate::realtime::element::conversation_config::Configured;
use crate::realtime::element::imp::{CAT, OpenAIRealtime};
use crate::realtime::element::run::Run;
use crate::types::Timing;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::collections::VecDeque;

/// The value of a property, of the kinds that the element has.
#[derive(Clone, Debug, PartialEq)]
enum PropertyValue {
    Text(Option<String>),
    Flag(bool),
    Number(f64),
    Count(u32),
    Time(u64),
    /// Of an enumeration, by its nick.
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

    fn put(&self, element: &crate::realtime::element::OpenAIRealtime, name: &str) {
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

/// The values of all properties that can change, in the order of the class.
type Values = Vec<(&'static str, PropertyValue)>;
/// Wishes that are not answered; older ones are not taken back one by one.
const MAX_PENDING_UPDATES: usize = 256;

/// What is wished and what is in force.
#[derive(Debug, Default)]
pub struct PropertySync {
    revision: u64,
    in_force: Values,
    wished: VecDeque<(u64, Values)>,
    /// A property is being set back, which is no wish.
    going_back: bool,
}

impl OpenAIRealtime {
    fn live_values(&self) -> Values {
        let element = self.obj();
        let all = element.list_properties();
        let live = all.iter().filter(|pspec| pspec.flags().contains(gst::PARAM_FLAG_MUTABLE_PLAYING));
        live.filter_map(|pspec| Some((pspec.name(), PropertyValue::of(&element.property_value(pspec.name()))?)))
            .collect()
    }

    /// A session begins: what is set is in force.
    pub(crate) fn begin_property_sync(&self) {
        let in_force = self.live_values();
        *self.property_sync() = PropertySync { in_force, ..PropertySync::default() };
    }

    /// A property has changed that may change at any time.
    pub(crate) fn setting_changed(&self, name: &str) {
        let Some(run) = self.run() else { return };
        if self.property_sync().going_back {
            return;
        }
        let has_begun = run.timing().is_some();
        match self.wished_config(&run) {
            Ok((config, left_out)) => {
                self.warn_of_left_out(left_out);
                self.wish(&run, has_begun, config);
            }
            Err(failure) => {
                self.warn(Warning::new("settings", failure.to_string()).about(failure.to_string()));
                self.take_back(&run, name);
            }
        }
    }

    fn wished_config(&self, run: &Run) -> Result<Configured, Error> {
        let settings = self.settings().clone();
        let timing = run.timing().unwrap_or(Timing::Live);
        settings.config(timing, self.likely_input_format(), run.output().clone(), run.dialect())
    }

    /// Wishes for what the properties say now.
    fn wish(&self, run: &Run, has_begun: bool, config: Config) {
        let values = self.live_values();
        run.set_settings(self.settings().clone());
        let revision = {
            let mut property_sync = self.property_sync();
            property_sync.revision += 1;
            let revision = property_sync.revision;
            if !has_begun {
                // The session will begin with it.
                property_sync.in_force = values;
                return;
            }
            if property_sync.wished.len() == MAX_PENDING_UPDATES {
                property_sync.wished.pop_front();
            }
            property_sync.wished.push_back((revision, values));
            revision
        };
        gst::debug!(CAT, imp = self, "settings, revision {revision}");
        run.input_queue.push(Input::Configure(Box::new(ConfigUpdate { revision, config })));
    }

    /// A property was set to what cannot be. It goes back to what it was before; what else is wished stands.
    fn take_back(&self, run: &Run, name: &str) {
        let before = {
            let property_sync = self.property_sync();
            let newest = property_sync.wished.back().map_or(&property_sync.in_force, |(_, values)| values);
            newest.iter().find(|(is, _)| *is == name).map(|(_, value)| value.clone())
        };
        if let Some(before) = before {
            self.put_back(name, &before);
        }
        run.set_settings(self.settings().clone());
    }

    fn put_back(&self, name: &str, value: &PropertyValue) {
        self.property_sync().going_back = true;
        value.put(&self.obj(), name);
        self.property_sync().going_back = false;
    }

    /// A wish is in force, but for what comes from these fields of the session.
    pub(crate) fn on_update_result(&self, revision: u64, without: &[String]) {
        let refused = {
            let mut property_sync = self.property_sync();
            while property_sync.wished.front().is_some_and(|(older, _)| *older < revision) {
                property_sync.wished.pop_front();
            }
            let is_it = property_sync.wished.front().is_some_and(|(first, _)| *first == revision);
            let Some((_, wished)) = is_it.then(|| property_sync.wished.pop_front()).flatten() else { return };
            let mut refused = Vec::new();
            for (is, wish) in property_sync.in_force.iter_mut().zip(wished).filter(|(is, wish)| is.1 != wish.1) {
                if without.iter().any(|field| comes_from(is.0, field)) {
                    refused.push((is.clone(), wish.1));
                } else {
                    *is = wish;
                }
            }
            refused
        };
        let mut is_back = false;
        for ((name, is), wish) in refused {
            // Unless it was set again since.
            if PropertyValue::of(&self.obj().property_value(name)).is_some_and(|now| now == wish) {
                self.put_back(name, &is);
                is_back = true;
            }
        }
        if let Some(run) = self.run().filter(|_| is_back)
            && let Ok((config, _)) = self.wished_config(&run)
        {
            // A property may have set more fields than the one that is refused.
            self.wish(&run, true, config);
        }
    }
}

/// Whether a property has a part in a field of the session. That of `session` may have one in each.
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
        "audio.input.noise_reduction" => &["noise-reduction"],
        "audio.input.transcription" => &["transcription-model", "transcription-language", "transcription-prompt"],
        "audio.input.turn_detection" => &["turn-detection", "create-response", "interrupt-response", "frame-policy"],
        _ => &[],
    };
    let of_detection = field == "audio.input.turn_detection" && property.starts_with("vad-");
    property == "session" || of_detection || properties.contains(&property)
}
