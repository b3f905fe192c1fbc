//! Properties that change while the element runs, and stay true to what the session really does.
//!
//! A change is wished for at once and in force when the server has accepted it. Until then the property shows the wish;
//! what is refused goes back to what is in force.

use super::imp::{CAT, OpenAIRealtime};
use crate::conversation::{Input, Timing, Warning, Wish};
use crate::media::errors;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::collections::VecDeque;

/// The value of a property, of the kinds that the element has.
#[derive(Clone, Debug, PartialEq)]
enum Held {
    Text(Option<String>),
    Flag(bool),
    Number(f64),
    Count(u32),
    Time(u64),
    /// Of an enumeration, by its nick.
    Choice(String),
}

impl Held {
    fn of(value: &glib::Value) -> Option<Self> {
        if let Some((_, choice)) = glib::EnumValue::from_value(value) {
            return Some(Self::Choice(choice.nick().to_owned()));
        }
        let text = || value.get().ok().map(Self::Text);
        let flag = || value.get().ok().map(Self::Flag);
        let number = || value.get().ok().map(Self::Number);
        let count = || value.get().ok().map(Self::Count);
        text().or_else(flag).or_else(number).or_else(count).or_else(|| value.get().ok().map(Self::Time))
    }

    fn put(&self, element: &super::OpenAIRealtime, name: &str) {
        match self {
            Self::Text(text) => element.set_property(name, text),
            Self::Flag(flag) => element.set_property(name, flag),
            Self::Number(number) => element.set_property(name, number),
            Self::Count(count) => element.set_property(name, count),
            Self::Time(time) => element.set_property(name, time),
            Self::Choice(nick) => element.set_property_from_str(name, nick),
        }
    }
}

/// The values of all properties that can change, in the order of the class.
type Values = Vec<(&'static str, Held)>;
/// Wishes that are not answered; older ones are not taken back one by one.
const WISHES: usize = 256;

/// What is wished and what is in force.
#[derive(Debug, Default)]
pub struct Updates {
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
        live.filter_map(|pspec| Some((pspec.name(), Held::of(&element.property_value(pspec.name()))?))).collect()
    }

    /// A session begins: what is set is in force.
    pub(super) fn begin_updates(&self) {
        let in_force = self.live_values();
        *self.updates() = Updates { in_force, ..Updates::default() };
    }

    /// A property has changed that may change at any time.
    pub(super) fn setting_changed(&self) {
        let Some(run) = self.run() else { return };
        if self.updates().going_back {
            return;
        }
        let values = self.live_values();
        let settings = self.settings().clone();
        let timing = run.timing();
        let dialect = run.dialect();
        let checked =
            settings.config(timing.unwrap_or(Timing::Live), self.likely_input_format(), run.output().clone(), dialect);
        let (config, left_out) = match checked {
            Ok(configured) => configured,
            Err(failure) => {
                errors::post_warning(self.obj().upcast_ref(), &Warning::new("settings", failure.to_string()));
                return self.go_back(&values, None);
            }
        };
        self.warn_of_left_out(left_out);
        run.set_settings(settings);
        let revision = {
            let mut updates = self.updates();
            updates.revision += 1;
            let revision = updates.revision;
            if timing.is_none() {
                // The session will begin with it.
                updates.in_force = values;
                return;
            }
            if updates.wished.len() == WISHES {
                updates.wished.pop_front();
            }
            updates.wished.push_back((revision, values));
            revision
        };
        gst::debug!(CAT, imp = self, "settings, revision {revision}");
        run.mailbox.push(Input::Configure(Box::new(Wish { revision, config })));
    }

    /// A wish is in force, but for these properties; or it was refused.
    pub(super) fn settings_told(&self, revision: u64, accepted: bool, without: &[&'static str]) {
        let wished = {
            let mut updates = self.updates();
            while updates.wished.front().is_some_and(|(older, _)| *older < revision) {
                updates.wished.pop_front();
            }
            let is_it = updates.wished.front().is_some_and(|(first, _)| *first == revision);
            let Some((_, wished)) = is_it.then(|| updates.wished.pop_front()).flatten() else { return };
            if accepted {
                for (before, now) in updates.in_force.iter_mut().zip(&wished) {
                    if !without.contains(&before.0) {
                        *before = now.clone();
                    }
                }
            }
            wished
        };
        if !accepted {
            self.go_back(&wished, None);
        } else if !without.is_empty() {
            self.go_back(&wished, Some(without));
        }
    }

    /// Sets properties back to what is in force, unless they were set again since.
    fn go_back(&self, wished: &Values, only: Option<&[&'static str]>) {
        let in_force = self.updates().in_force.clone();
        let element = self.obj();
        for ((name, is), (_, wish)) in in_force.iter().zip(wished) {
            let concerned = only.is_none_or(|only| only.contains(name));
            if concerned && is != wish && Held::of(&element.property_value(name)).as_ref() == Some(wish) {
                self.updates().going_back = true;
                is.put(&element, name);
                self.updates().going_back = false;
            }
        }
        let settings = self.settings().clone();
        if let Some(run) = self.run() {
            run.set_settings(settings);
        }
    }
}
