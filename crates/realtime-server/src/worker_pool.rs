// SPDX-License-Identifier: MPL-2.0

//! The engine's work, beside the sessions.
//!
//! A job holds a processor only while it computes. Between two pieces of an answer it waits for its session to take
//! the last one, so a client that does not read costs nothing but memory that was spent already.

use crate::audio::Sound;
use crate::engine::{Engine, Hints, Part, Prompt, Utterance};
use crate::processors::Processors;
use crate::session::{Job, Work};
use futures_util::StreamExt;
use openai_protocol::items::Role;
use std::sync::{Arc, Weak};
use tokio::sync::{OnceCell, Semaphore, mpsc};

/// How many pictures are decoded at a time: each may take hundreds of megabytes for a moment.
const MAX_DECODED: usize = 2;

/// Who does the jobs of all sessions.
#[derive(Clone)]
pub struct Workers {
    processors: Processors,
    decoders: Arc<Semaphore>,
}

impl Workers {
    /// On all processors of the machine.
    pub fn new() -> Self {
        Self::on(Processors::new())
    }

    fn on(processors: Processors) -> Self {
        Self { processors, decoders: Arc::new(Semaphore::new(MAX_DECODED)) }
    }

    /// Does something that decodes pictures, here and now, while the thread's other tasks go on elsewhere. It does not
    /// wait behind the jobs, which take longer.
    pub async fn decode<T>(&self, work: impl FnOnce() -> T) -> T {
        // Nobody closes the semaphore.
        let _place = self.decoders.acquire().await.ok();
        tokio::task::block_in_place(work)
    }

    /// Where computation runs.
    pub fn processors(&self) -> &Processors {
        &self.processors
    }

    /// Does a job and hands over what becomes of it.
    pub async fn perform(self, engine: Arc<dyn Engine>, job: Job, results: mpsc::Sender<Work>) {
        let last = match job {
            Job::Transcribe { item_id, utterance } => {
                let words = self.words(&engine, &utterance).await;
                Work::Heard(item_id, words.map_err(|error| report("transcribe", &error)))
            }
            Job::TranscribePart { item_id, part, utterance } => {
                let words = self.words(&engine, &utterance).await;
                Work::PartHeard(item_id, part, words.map_err(|error| report("transcribe", &error)))
            }
            Job::Listen { sound, hints, words } => {
                if let Err(error) = self.transcribe_speculatively(&engine, sound, hints, &words).await {
                    // It is tried again, and reported, when the words are really wanted.
                    tracing::debug!("cannot listen ahead: {error:#}");
                }
                return;
            }
            Job::Answer { response_id, prompt } => {
                let answered = self.answer(&engine, &response_id, prompt, &results).await;
                Work::Answered(response_id, answered.map_err(|error| report("answer", &error)))
            }
        };
        // A session that has ended needs no result.
        let _ = results.send(last).await;
    }

    /// The words of an utterance, found out now if nobody has asked before.
    async fn words(&self, engine: &Arc<dyn Engine>, utterance: &Utterance) -> anyhow::Result<String> {
        let transcribe = |sound| engine.transcribe(sound, utterance.hints.clone(), &self.processors);
        let find = || async {
            if utterance.parts.is_empty() {
                return transcribe(utterance.sound.clone()).await;
            }
            let mut all = Vec::new();
            for (sound, words) in utterance.pieces() {
                all.push(words.get_or_try_init(|| transcribe(sound)).await?.clone());
            }
            all.retain(|words| !words.is_empty());
            Ok(all.join(" "))
        };
        Ok(utterance.words.get_or_try_init(find).await?.clone())
    }

    /// Finds words that may be wanted soon, unless nobody waits for them any more when a processor is free.
    async fn transcribe_speculatively(
        &self,
        engine: &Arc<dyn Engine>,
        sound: Sound,
        hints: Arc<Hints>,
        words: &Weak<OnceCell<String>>,
    ) -> anyhow::Result<()> {
        let Some(cell) = words.upgrade() else { return Ok(()) };
        let is_wanted = {
            let words = words.clone();
            // One of those who hold the place for the words is this job.
            move || words.strong_count() > 1
        };
        // A processor is waited for inside the cell's initialiser, as in `words`. In the other order a job that has one waits
        // for a cell whose initialiser waits for one: as many of them as processors stop every session.
        let processors = self.processors.while_wanted(is_wanted);
        cell.get_or_try_init(|| engine.transcribe(sound, hints, &processors)).await?;
        Ok(())
    }

    async fn answer(
        &self,
        engine: &Arc<dyn Engine>,
        response_id: &str,
        mut prompt: Prompt,
        results: &mpsc::Sender<Work>,
    ) -> anyhow::Result<()> {
        if engine.understands() {
            self.listen(engine, &mut prompt).await?;
        }
        let mut answer = engine.answer(prompt, &self.processors);
        while let Some(said) = answer.next().await {
            if results.send(Work::ResponsePart(response_id.to_string(), said?)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Puts words in the place of sound: of what was said since the model spoke last, of what is known anyway, and of
    /// everything where the engine reads it.
    async fn listen(&self, engine: &Arc<dyn Engine>, prompt: &mut Prompt) -> anyhow::Result<()> {
        let last = if engine.reads_history() {
            None
        } else {
            prompt.turns.iter().rposition(|turn| turn.role == Role::Assistant)
        };
        let last = last.map_or(0, |index| index + 1);
        for (index, turn) in prompt.turns.iter_mut().enumerate() {
            for part in &mut turn.parts {
                let Part::Sound(utterance) = part else { continue };
                let words = match utterance.words.get() {
                    Some(words) => words.clone(),
                    None if index >= last => self.words(engine, utterance).await?,
                    None => continue,
                };
                *part = Part::Text(words);
            }
        }
        Ok(())
    }
}

/// Logs what went wrong and puts it in words for the client.
fn report(doing: &str, error: &anyhow::Error) -> String {
    tracing::error!("cannot {doing}: {error:#}");
    format!("The server could not {doing}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Answer, Segments, Spoken, TurnDetector, Words};
    use futures_util::FutureExt;
    use std::time::Duration;

    /// Hears the same words in everything.
    struct Deaf;

    impl Engine for Deaf {
        fn turn_detector(&self, _: u32) -> Box<dyn TurnDetector> {
            unreachable!("no session asks for one here")
        }

        fn understands(&self) -> bool {
            true
        }

        fn transcribe(&self, _: Sound, _: Arc<Hints>, processors: &Processors) -> Words {
            let processors = processors.clone();
            async move { processors.compute(|| "words".into()).await }.boxed()
        }

        fn segments(&self, _: Sound, _: Arc<Hints>, _: &Processors) -> Segments {
            futures_util::stream::empty().boxed()
        }

        fn speak(&self, _: String, _: Option<String>, _: f32, _: &Processors) -> Spoken {
            futures_util::future::ready(Ok(Sound::new(Vec::new(), 24_000))).boxed()
        }

        fn answer(&self, _: Prompt, _: &Processors) -> Answer {
            futures_util::stream::empty().boxed()
        }
    }

    /// Jobs that listen ahead and jobs that want the same words, on one processor: all of them come to their end.
    #[tokio::test]
    async fn more_listeners_than_processors_do_not_wait_for_each_other() {
        let (workers, engine) = (Workers::on(Processors::with(1)), Arc::new(Deaf) as Arc<dyn Engine>);
        let (results, mut ended) = mpsc::channel(64);
        let sound = Sound::new(vec![0; 2_400], 24_000);
        // While the processor is taken, everybody queues up.
        let taken = workers.processors.acquire().await.expect("a processor");
        let utterances: Vec<Utterance> = (0..8).map(|_| Utterance::new(sound.clone())).collect();
        for (index, utterance) in utterances.iter().enumerate() {
            let listen =
                Job::Listen { sound: sound.clone(), hints: Arc::default(), words: Arc::downgrade(&utterance.words) };
            let want = Job::Transcribe { item_id: index.to_string(), utterance: utterance.clone() };
            for job in if index % 2 == 0 { [listen, want] } else { [want, listen] } {
                tokio::spawn(workers.clone().perform(engine.clone(), job, results.clone()));
            }
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        drop(taken);
        for _ in 0..utterances.len() {
            let work =
                tokio::time::timeout(Duration::from_secs(30), ended.recv()).await.expect("nobody waits for ever");
            assert!(matches!(work, Some(Work::Heard(_, Ok(words))) if words == "words"));
        }
    }
}
