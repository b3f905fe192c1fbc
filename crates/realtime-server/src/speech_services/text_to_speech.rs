// SPDX-License-Identifier: MPL-2.0

//! A voice at an endpoint: a sentence is sent to `/audio/speech`, and comes back as a WAV or an MP3 file.

use crate::audio::Sound;
use crate::audio_file::FileFormat;
use crate::endpoint::{Endpoint, EndpointError, Fault, RequestBody};
use crate::engine::Spoken;
use crate::processors::Processors;
use crate::speech_services::settings::TEXT_TO_SPEECH;
use crate::speech_services::{TtsArgs, Voice};
use futures_util::FutureExt;
use serde_json::json;
use std::sync::Arc;

/// The rate in which the server handles voices, in Hz.
const RATE: u32 = 24_000;
/// The largest file of a sentence: five minutes at 48 kHz.
const MAX_FILE: usize = 32 << 20;

/// The voice of an endpoint.
pub struct RemoteVoice(Arc<Client>);

struct Client {
    endpoint: Endpoint,
    model: String,
    voice: Option<String>,
}

impl RemoteVoice {
    /// The one that the command line names; `None` where it names none.
    pub fn of(args: &TtsArgs) -> anyhow::Result<Option<Self>> {
        let Some(url) = &args.tts_url else { return Ok(None) };
        let endpoint = Endpoint::new(TEXT_TO_SPEECH, url, args.tts_api_key_file.as_deref(), args.tts_timeout)?;
        let model = args.tts_model.clone().unwrap_or_else(|| "tts-1".into());
        Ok(Some(Self(Arc::new(Client { endpoint, model, voice: args.tts_voice.clone() }))))
    }
}

impl Client {
    /// The file with a spoken sentence.
    async fn file(&self, sentence: &str, voice: Option<String>, speed: f32) -> Result<Vec<u8>, EndpointError> {
        let voice = self.voice.clone().or(voice).unwrap_or_else(|| "alloy".into());
        let mut body = json!({"model": self.model, "input": sentence, "voice": voice, "response_format": "wav"});
        if speed != 1.0 {
            body["speed"] = json!(speed);
        }
        let bytes = body.to_string().into();
        let request = RequestBody { content_type: "application/json".into(), accept: "audio/wav", bytes };
        self.endpoint.post(request).await?.whole(&self.endpoint, MAX_FILE).await
    }

    /// The sound in a file, at the server's rate.
    fn decode(&self, file: &[u8]) -> Result<Sound, EndpointError> {
        let bad = |got| self.endpoint.error(Fault::Unreadable { expected: "speech", got });
        let format = FileFormat::detect(file).ok_or_else(|| {
            bad(format!("neither WAV nor MP3, but {:?}", self.endpoint.quote(&String::from_utf8_lossy(file))))
        })?;
        let sound = format.decode(file).map_err(|why| bad(self.endpoint.quote(&why)))?;
        sound.converted(RATE).map_err(|error| bad(error.to_string()))
    }
}

impl Voice for RemoteVoice {
    fn language(&self) -> Option<&'static str> {
        None
    }

    fn speak(&self, sentence: String, voice: Option<String>, speed: f32, processors: &Processors) -> Spoken {
        let (client, processors) = (self.0.clone(), processors.clone());
        async move {
            if !sentence.contains(char::is_alphanumeric) {
                return Ok(Sound::new(Vec::new(), RATE));
            }
            let file = client.file(&sentence, voice, speed).await?;
            Ok(processors.compute(move || client.decode(&file)).await??)
        }
        .boxed()
    }
}
