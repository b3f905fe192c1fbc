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
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The rate of the model, in Hz.
const VOICE_RATE: u32 = 24_000;

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
        let model = self.0.clone();
        computed(processors, move |on_part| model.transcribe_parts(&hearable(&sound)?, on_part))
    }
}

/// The segments of a recording that `work` finds on a processor. It calls its argument with each of them, samples and words,
/// and ends where that says that no more is wanted.
fn computed(
    processors: &Processors,
    work: impl FnOnce(&mut dyn FnMut(Range<usize>, String) -> bool) -> anyhow::Result<()> + Send + 'static,
) -> Segments {
    // A recording has so many segments and no more. They wait here, so that whoever takes them slowly keeps nobody from the
    // processor.
    let (sender, segments) = mpsc::unbounded_channel();
    let taken = sender.clone();
    let processors = processors.while_wanted(move || !taken.is_closed());
    let results = sender.clone();
    let ms = |sample: usize| sample as u64 * 1000 / u64::from(SAMPLE_RATE);
    let work = move || {
        work(&mut |part, text| {
            results.send(Ok(Segment { start_ms: ms(part.start), end_ms: ms(part.end), text })).is_ok()
        })
    };
    tokio::spawn(async move {
        if let Err(error) = processors.compute(work).await.and_then(|done| done) {
            // Whoever is gone needs no error.
            let _ = sender.send(Err(error));
        }
    });
    stream::unfold(segments, |mut segments| async move { Some((segments.recv().await?, segments)) }).boxed()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::oneshot;
    use tokio::time::timeout;

    /// A bound for what takes no time.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn segments_that_nobody_takes_keep_no_processor() {
        let processors = Processors::with(1);
        let (begun, wait) = oneshot::channel();
        let segments = computed(&processors, |on_part| {
            begun.send(()).expect("the test waits");
            assert!((0..100).all(|part| on_part(part * 16..part * 16 + 16, format!("{part}"))));
            Ok(())
        });
        wait.await.expect("it begins");
        drop(timeout(PATIENCE, processors.acquire()).await.expect("the processor is free again"));
        let segments: Vec<Segment> = segments.map(|segment| segment.expect("words")).collect().await;
        assert_eq!(segments.len(), 100);
        assert_eq!(segments[99], Segment { start_ms: 99, end_ms: 100, text: "99".into() });
    }

    #[tokio::test]
    async fn nothing_is_computed_for_whoever_is_gone() {
        let processors = Processors::with(1);
        let taken = processors.acquire().await.expect("a processor");
        let (begun, never) = oneshot::channel::<()>();
        let segments = computed(&processors, move |_| {
            let _ = begun.send(());
            Ok(())
        });
        drop(segments);
        drop(taken);
        assert!(timeout(PATIENCE, never).await.expect("it is dropped").is_err(), "it was computed");
    }
}
