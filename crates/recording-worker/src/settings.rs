// SPDX-License-Identifier: MPL-2.0

//! The settings file: what is done with a recording, and within which bounds. A field that nobody knows is a mistake.

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is done with a recording.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Its words are written down.
    #[default]
    Transcribe,
    /// Each turn is answered.
    Answer,
    /// Written down, and the words summarised.
    Summarise,
    /// Written down, and a JSON schema filled from the words.
    Extract,
    /// Translated into text in another language.
    Translate,
    /// Translated into speech in another language.
    Dub,
}

impl Task {
    /// The name in the settings file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transcribe => "transcribe",
            Self::Answer => "answer",
            Self::Summarise => "summarise",
            Self::Extract => "extract",
            Self::Translate => "translate",
            Self::Dub => "dub",
        }
    }

    /// The element's `session-type` for it.
    pub fn session_type(self) -> &'static str {
        match self {
            Self::Transcribe | Self::Summarise | Self::Extract => "transcription",
            Self::Answer => "conversation",
            Self::Translate | Self::Dub => "translation",
        }
    }

    /// Whether it is an interpretation, which has no turns.
    pub fn translates(self) -> bool {
        matches!(self, Self::Translate | Self::Dub)
    }
}

/// A format of subtitles.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SubtitleFormat {
    /// SubRip
    Srt,
    /// WebVTT
    Vtt,
}

/// All settings. What is not in the file has the value of [`Settings::default`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What is done.
    pub task: Task,
    /// The Realtime server; unset: as the environment says, else OpenAI.
    pub uri: Option<String>,
    /// The Realtime model.
    pub model: Option<String>,
    /// A file with the key; it takes precedence over the environment.
    pub api_key_file: Option<PathBuf>,
    /// The model that writes down.
    pub transcription_model: Option<String>,
    /// The language that is spoken, an ISO 639-1 code.
    pub language: Option<String>,
    /// Words and names to expect.
    pub transcription_prompt: Option<String>,
    /// `translate`, `dub`: the language to translate into.
    pub target_language: Option<String>,
    /// System instructions: of the answers, or of the summary.
    pub instructions: Option<String>,
    /// The voice of answers.
    pub voice: Option<String>,
    /// `answer`: also write the spoken answers, to `answer.wav`.
    pub audio: bool,
    /// Merged over the session's configuration, so that every field of the API can be set.
    pub session: Option<Map<String, Value>>,
    /// `summarise`, `extract`: the Chat Completions server; unset: as the environment says, else OpenAI.
    pub chat_uri: Option<String>,
    /// `summarise`, `extract`: the model that reads the transcript.
    pub chat_model: Option<String>,
    /// `summarise`, `extract`: what is asked of it.
    pub prompt: Option<String>,
    /// `extract`: the JSON schema.
    pub schema: Option<Value>,
    /// Which subtitles are written.
    pub subtitles: Vec<SubtitleFormat>,
    /// The most that a recording may cost, in US dollars by published prices.
    pub max_cost: Option<f64>,
    /// What a minute of sound costs where the server tells no usage, in US dollars.
    pub price_per_minute: Option<f64>,
    /// The most that sound is sent faster than real time; 0: as fast as the server takes it.
    pub max_speed: f64,
    /// How long a recording may take: so many times its own length …
    pub deadline_factor: f64,
    /// … and so many seconds in addition.
    pub deadline_extra_s: f64,
    /// At least so many seconds between two writes of what is done so far.
    pub checkpoint_s: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            task: Task::default(),
            uri: None,
            model: None,
            api_key_file: None,
            transcription_model: None,
            language: None,
            transcription_prompt: None,
            target_language: None,
            instructions: None,
            voice: None,
            audio: false,
            session: None,
            chat_uri: None,
            chat_model: None,
            prompt: None,
            schema: None,
            subtitles: vec![SubtitleFormat::Srt, SubtitleFormat::Vtt],
            max_cost: None,
            price_per_minute: None,
            max_speed: 0.0,
            deadline_factor: 2.0,
            deadline_extra_s: 120.0,
            checkpoint_s: 5.0,
        }
    }
}

impl Settings {
    /// Reads a settings file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{}", path.display()))
    }

    /// Reads settings from JSON.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let settings: Self = serde_json::from_str(text)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> anyhow::Result<()> {
        let task = self.task.name();
        ensure!(
            self.task.translates() == self.target_language.is_some(),
            "target_language goes with the tasks translate and dub"
        );
        ensure!((self.task == Task::Extract) == self.schema.is_some(), "schema goes with the task extract");
        if let Some(schema) = &self.schema {
            ensure!(schema.is_object(), "schema: a JSON schema is an object");
        }
        if self.prompt.is_some() && !self.reads_transcript() {
            bail!("prompt goes with the tasks summarise and extract, not with {task}; for answers see instructions");
        }
        ensure!(!self.audio || self.task == Task::Answer, "audio goes with the task answer");
        let numbers = [
            ("max_cost", self.max_cost.unwrap_or(1.0), f64::MIN_POSITIVE),
            ("price_per_minute", self.price_per_minute.unwrap_or(0.0), 0.0),
            ("max_speed", self.max_speed, 0.0),
            ("deadline_factor", self.deadline_factor, 0.0),
            ("deadline_extra_s", self.deadline_extra_s, 0.1),
            ("checkpoint_s", self.checkpoint_s, 0.0),
        ];
        for (name, value, least) in numbers {
            ensure!((least..=1e6).contains(&value), "{name}: {value} is not between {least} and 1000000");
        }
        Ok(())
    }

    /// Whether a model of Chat Completions reads the transcript.
    pub fn reads_transcript(&self) -> bool {
        matches!(self.task, Task::Summarise | Task::Extract)
    }

    /// The file that the spoken output goes to, if there is one.
    pub fn audio_name(&self) -> Option<&'static str> {
        match self.task {
            Task::Dub => Some("dub.wav"),
            Task::Answer if self.audio => Some("answer.wav"),
            _ => None,
        }
    }

    /// How long a recording of this length may take.
    pub fn deadline(&self, duration: Duration) -> Duration {
        duration.mul_f64(self.deadline_factor) + Duration::from_secs_f64(self.deadline_extra_s)
    }

    /// What the result depends on, in one text: bounds, prices and where the key lies are left out.
    pub fn identity(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            for name in ["api_key_file", "max_cost", "price_per_minute", "max_speed", "checkpoint_s"] {
                fields.remove(name);
            }
            fields.retain(|name, value| !name.starts_with("deadline_") && !value.is_null());
        }
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        for (text, said) in [
            (r#"{"tasks": "answer"}"#, "unknown field `tasks`"),
            (r#"{"task": "sing"}"#, "unknown variant `sing`"),
            (r#"{"task": "extract"}"#, "schema goes with"),
            (r#"{"task": "extract", "schema": []}"#, "a JSON schema is an object"),
            (r#"{"task": "dub"}"#, "target_language"),
            (r#"{"prompt": "Why?"}"#, "prompt goes with"),
            (r#"{"audio": true}"#, "audio goes with"),
            (r#"{"max_cost": 0}"#, "max_cost: 0"),
            (r#"{"deadline_factor": -1}"#, "deadline_factor: -1"),
            ("[", "line 1"),
        ] {
            let error = Settings::parse(text).expect_err(text);
            assert!(format!("{error:#}").contains(said), "{text}: {error:#}");
        }
    }

    #[test]
    fn the_deadline_grows_with_the_recording() {
        let settings = Settings::parse(r#"{"deadline_factor": 1.5, "deadline_extra_s": 10}"#).expect("settings");
        assert_eq!(settings.deadline(Duration::from_secs(20)), Duration::from_secs(40));
    }

    #[test]
    fn bounds_do_not_make_another_result_and_a_model_does() {
        let identity = |text| Settings::parse(text).expect("settings").identity();
        assert_eq!(identity("{}"), identity(r#"{"max_cost": 1, "deadline_extra_s": 5, "api_key_file": "/k"}"#));
        assert_ne!(identity("{}"), identity(r#"{"model": "other"}"#));
    }
}
