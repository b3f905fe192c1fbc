// SPDX-License-Identifier: MPL-2.0

//! What a client sets of a translation session.

use crate::api_error::ApiError;
use crate::engine::Engine;
use crate::ids;
use crate::session::schema::Schema::{Number, Object, Text, Word};
use crate::session::schema::{Field, Schema, nullable, required};
use crate::translation::Opening;
use openai_protocol::Setting;
use openai_protocol::session::SessionKind;
use openai_protocol::translation::{Audio, AudioInput, AudioOutput, Session};
use serde_json::Value;

const NAME: Schema = Text(512);

const AUDIO: Schema = Object(&[
    nullable(
        "input",
        Object(&[
            nullable("transcription", Object(&[required("model", NAME)])),
            nullable(
                "noise_reduction",
                Object(&[
                    required("type", Word(&["near_field", "far_field"])),
                    nullable("strength", Number(0.0, 100.0)),
                ]),
            ),
        ]),
    ),
    nullable("output", Object(&[nullable("language", NAME)])),
]);

/// What an update may have.
pub const UPDATE: Schema = Object(&[nullable("audio", AUDIO)]);
/// What the request for a client secret may have.
const REQUEST: &[Field] = &[required("model", NAME), nullable("audio", AUDIO)];

/// The languages of OpenAI's model by their names, which models understand better than codes.
const LANGUAGES: &[(&str, &str)] = &[
    ("de", "German"),
    ("en", "English"),
    ("es", "Spanish"),
    ("fr", "French"),
    ("hi", "Hindi"),
    ("id", "Indonesian"),
    ("it", "Italian"),
    ("ja", "Japanese"),
    ("ko", "Korean"),
    ("pt", "Portuguese"),
    ("ru", "Russian"),
    ("vi", "Vietnamese"),
    ("zh", "Chinese"),
];

/// The configuration in force.
#[derive(Clone, Debug)]
pub struct Config(Session);

impl Config {
    /// The defaults of a new session, over which the preset is put.
    pub fn open(engine: &dyn Engine, opening: &Opening) -> Result<Self, ApiError> {
        let input = AudioInput { transcription: Setting::Off, noise_reduction: Setting::Off, ..Default::default() };
        let output = AudioOutput { language: Some("en".into()), ..Default::default() };
        let mut config = Self(Session {
            id: Some(ids::new("sess_")),
            kind: Some(SessionKind::Translation),
            model: Some(opening.model.clone()),
            audio: Some(Audio { input: Some(input), output: Some(output), ..Default::default() }),
            expires_at: Some(opening.expires_at),
            ..Default::default()
        });
        if let Some(preset) = &opening.preset {
            config.update(engine, preset)?;
        }
        Ok(config)
    }

    /// Takes an update, in full or not at all.
    pub fn update(&mut self, engine: &dyn Engine, update: &Session) -> Result<(), ApiError> {
        let Audio { input, output, .. } = update.audio.clone().unwrap_or_default();
        if let Some(language) = output.as_ref().and_then(|output| output.language.as_deref()) {
            check_language(engine, language)?;
        }
        let own = self.0.audio.get_or_insert_default();
        if let Some(AudioInput { transcription, noise_reduction, .. }) = input {
            let input = own.input.get_or_insert_default();
            if !transcription.is_keep() {
                input.transcription = transcription;
            }
            if !noise_reduction.is_keep() {
                input.noise_reduction = noise_reduction;
            }
        }
        if let Some(language) = output.and_then(|output| output.language) {
            own.output.get_or_insert_default().language = Some(language);
        }
        Ok(())
    }

    /// All of it, as `session.created` and `session.updated` tell it.
    pub fn session(&self) -> Session {
        self.0.clone()
    }

    /// Whether what is said is to be written down as well.
    pub fn wants_original(&self) -> bool {
        let input = self.0.audio.as_ref().and_then(|audio| audio.input.as_ref());
        input.is_some_and(|input| input.transcription.value().is_some())
    }

    /// The language of the translation.
    pub fn language(&self) -> &str {
        let output = self.0.audio.as_ref().and_then(|audio| audio.output.as_ref());
        output.and_then(|output| output.language.as_deref()).unwrap_or("en")
    }
}

/// Checks the configuration in the request for a client secret.
pub fn check_request(value: &Value) -> Result<(), ApiError> {
    Object(REQUEST).check(value, "session")
}

fn check_language(engine: &dyn Engine, language: &str) -> Result<(), ApiError> {
    let at = |message: String| ApiError::new("invalid_value", message).at("session.audio.output.language");
    let is_code = |part: &str| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric());
    if !language.split(['-', '_']).all(is_code) {
        return Err(at(format!("Invalid language: '{language}'. Expected a code such as 'de' or 'pt-BR'.")));
    }
    let Some(spoken) = engine.spoken_language() else { return Ok(()) };
    if primary(language) == spoken {
        return Ok(());
    }
    Err(at(format!(
        "The voice of this server speaks '{spoken}' only, not '{language}'. Start the server with --tts-url and a voice that speaks it."
    )))
}

fn primary(language: &str) -> String {
    language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}

/// What a language model is told to do.
pub fn instructions(language: &str) -> String {
    let code = primary(language);
    let name = LANGUAGES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name);
    let name = match name {
        Some(name) if code == language => name.to_owned(),
        Some(name) => format!("{name} ({language})"),
        None => format!("the language with the code '{language}'"),
    };
    format!(
        "You are an interpreter. Translate what the user says into {name}. Never answer it, never explain, and add nothing: \
         give the translation alone."
    )
}
