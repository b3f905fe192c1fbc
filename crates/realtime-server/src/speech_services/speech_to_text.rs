// SPDX-License-Identifier: MPL-2.0

//! Ears at an endpoint: a turn is sent as WAV to `/audio/transcriptions`, and comes back as its words.

use crate::audio::Sound;
use crate::endpoint::{Endpoint, Fault, RequestBody};
use crate::engine::{Hints, Segment, Segments, Words};
use crate::ids;
use crate::processors::Processors;
use crate::speech_services::form::Form;
use crate::speech_services::settings::SPEECH_TO_TEXT;
use crate::speech_services::{Recogniser, SttArgs};
use audio_dsp::resample::UnsupportedRates;
use audio_dsp::wav;
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::Value;
use std::sync::Arc;

/// The rate of what is sent, in Hz: models of speech have no use for more.
const RATE: u32 = 16_000;
/// The longest answer, in bytes: an hour has some hundred kB of words.
const MAX_ANSWER: usize = 8 << 20;

/// The recogniser of an endpoint.
pub struct RemoteRecogniser(Arc<Client>);

struct Client {
    endpoint: Endpoint,
    model: String,
}

impl RemoteRecogniser {
    /// The one that the command line names; `None` where it names none.
    pub fn of(args: &SttArgs) -> anyhow::Result<Option<Self>> {
        let Some(url) = &args.stt_url else { return Ok(None) };
        let endpoint = Endpoint::new(SPEECH_TO_TEXT, url, args.stt_api_key_file.as_deref(), args.stt_timeout)?;
        let model = args.stt_model.clone().unwrap_or_else(|| "whisper-1".into());
        Ok(Some(Self(Arc::new(Client { endpoint, model }))))
    }
}

impl Client {
    /// The words in a sound, from the endpoint. The sound is converted on one of the processors.
    async fn words(self: Arc<Self>, sound: Sound, hints: Arc<Hints>, processors: Processors) -> anyhow::Result<String> {
        let client = self.clone();
        let request = processors.compute(move || client.request(&sound, &hints)).await??;
        let answer = self.endpoint.post(request).await?.whole(&self.endpoint, MAX_ANSWER).await?;
        let text = String::from_utf8_lossy(&answer);
        let value: Option<Value> = serde_json::from_str(&text).ok();
        match value.as_ref().and_then(|value| value["text"].as_str()) {
            Some(words) => Ok(words.trim().to_owned()),
            None => {
                let got = self.endpoint.quote(&text);
                Err(self.endpoint.error(Fault::Unreadable { expected: "transcription", got }).into())
            }
        }
    }

    fn request(&self, sound: &Sound, hints: &Hints) -> Result<RequestBody, UnsupportedRates> {
        let samples = sound.converted(RATE)?.samples;
        let length = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX);
        let mut file = wav::header(RATE, length).to_vec();
        file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        // A name that nobody can guess does not occur in the sound.
        let mut form = Form::new(ids::new("form_"));
        form.text("model", &self.model);
        form.text("response_format", "json");
        for (name, hint) in [("language", &hints.language), ("prompt", &hints.prompt)] {
            if let Some(hint) = hint.as_deref().filter(|hint| !hint.is_empty()) {
                form.text(name, hint);
            }
        }
        form.file("file", "turn.wav", "audio/wav", &file);
        let (content_type, bytes) = form.finish();
        Ok(RequestBody { content_type, accept: "application/json", bytes: bytes.into() })
    }
}

impl Recogniser for RemoteRecogniser {
    fn language(&self) -> Option<&'static str> {
        None
    }

    fn listens_ahead(&self) -> bool {
        // Each request may cost something.
        false
    }

    fn transcribe(&self, sound: Sound, hints: Arc<Hints>, processors: &Processors) -> Words {
        self.0.clone().words(sound, hints, processors.clone()).boxed()
    }

    fn segments(&self, sound: Sound, hints: Arc<Hints>, processors: &Processors) -> Segments {
        let end_ms = sound.ms();
        let words = self.0.clone().words(sound, hints, processors.clone());
        let segment = async move { Ok(Segment { start_ms: 0, end_ms, text: words.await? }) };
        stream::once(segment)
            .filter(|segment| {
                let is_empty = segment.as_ref().is_ok_and(|segment: &Segment| segment.text.is_empty());
                async move { !is_empty }
            })
            .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_turn_is_converted_on_a_processor() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address")).parse().expect("a URL");
        let endpoint = Endpoint::new(SPEECH_TO_TEXT, &url, None, Duration::from_secs(30)).expect("an endpoint");
        let recogniser = RemoteRecogniser(Arc::new(Client { endpoint, model: "m".into() }));
        let processors = Processors::with(1);
        let taken = processors.acquire().await.expect("a processor");
        let sound = Sound::new(vec![0; 2_400], 24_000);
        let mut words = recogniser.transcribe(sound, Arc::default(), &processors);
        tokio::select! {
            biased;
            _ = &mut words => unreachable!("nobody answers"),
            () = async { for _ in 0..100 { tokio::task::yield_now().await } } => {}
        }
        tokio::select! {
            biased;
            _ = listener.accept() => panic!("it was converted without a processor"),
            () = std::future::ready(()) => drop(taken),
        }
        tokio::select! {
            _ = &mut words => unreachable!("nobody answers"),
            asked = listener.accept() => drop(asked.expect("a connection")),
        }
    }
}
