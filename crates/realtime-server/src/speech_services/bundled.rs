// SPDX-License-Identifier: MPL-2.0

//! The bundled models as ears and voice. They know English, and compute on the processors of the machine.

use crate::audio::Sound;
use crate::engine::{Hints, Segment, Segments, Spoken, Words};
use crate::processors::Processors;
use crate::speech::{Recognition, Synthesis};
use crate::speech_services::{Recogniser, Voice};
use audio_dsp::resample::resample;
use audio_dsp::vad::SAMPLE_RATE;
use futures_util::{FutureExt, StreamExt, stream};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What the model speaks with.
const VOICE_RATE: u32 = 24_000;
/// Segments that wait for whoever takes them.
const WAITING: usize = 16;

/// The bundled recogniser.
pub struct BundledRecogniser(pub Arc<Recognition>);

impl Recogniser for BundledRecogniser {
    fn language(&self) -> Option<&'static str> {
        Some("en")
    }

    fn listens_ahead(&self) -> bool {
        true
    }

    fn transcribe(&self, sound: Sound, _: Arc<Hints>, processors: &Processors) -> Words {
        let (model, processors) = (self.0.clone(), processors.clone());
        let work = move || model.transcribe(&hearable(&sound)?);
        async move { processors.compute(work).await? }.boxed()
    }

    fn segments(&self, sound: Sound, _: Arc<Hints>, processors: &Processors) -> Segments {
        let (model, processors) = (self.0.clone(), processors.clone());
        let (sender, segments) = mpsc::channel(WAITING);
        let ms = |sample: usize| sample as u64 * 1000 / u64::from(SAMPLE_RATE);
        let results = sender.clone();
        let work = move || {
            model.transcribe_parts(&hearable(&sound)?, &mut |part, text| {
                let segment = Segment { start_ms: ms(part.start), end_ms: ms(part.end), text };
                results.blocking_send(Ok(segment)).is_ok()
            })
        };
        tokio::spawn(async move {
            if let Err(error) = processors.compute(work).await.and_then(|done| done) {
                // Whoever is gone needs no error.
                let _ = sender.send(Err(error)).await;
            }
        });
        stream::unfold(segments, |mut segments| async move { Some((segments.recv().await?, segments)) }).boxed()
    }
}

fn hearable(sound: &Sound) -> anyhow::Result<Vec<f32>> {
    Ok(resample(&sound.to_f32(), sound.rate, SAMPLE_RATE)?)
}

/// The bundled voice.
pub struct BundledVoice(pub Arc<Synthesis>);

impl Voice for BundledVoice {
    fn language(&self) -> Option<&'static str> {
        Some("en")
    }

    fn speak(&self, sentence: String, _: Option<String>, speed: f32, processors: &Processors) -> Spoken {
        let (model, processors) = (self.0.clone(), processors.clone());
        let work = move || Ok(Sound::new(model.speak_at(&sentence, speed)?, VOICE_RATE));
        async move { processors.compute(work).await? }.boxed()
    }
}
