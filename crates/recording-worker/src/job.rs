// SPDX-License-Identifier: MPL-2.0

//! The whole of the work on one recording, from the URI to the row.

mod results;

use crate::checkpoint::{self, Checkpoint};
use crate::cli::Cli;
use crate::failure::{Failure, FailureKind};
use crate::interrupt::Interrupt;
use crate::media::{self, DoneWhen, Heard, Listener, Turns};
use crate::parent;
use crate::row::{Row, Status, Versions};
use crate::settings::{Settings, Task};
use crate::storage::location::Location;
use crate::storage::{Store, Stores};
use anyhow::Context;
use results::Results;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The name of the row's file.
const ROW: &str = "row.json";

/// How the work ended.
#[derive(Debug)]
pub enum Ended {
    /// With a row of this status; `true`, `true`: worth another try, and every other recording will fail as well.
    Row(Status, bool, bool),
    /// A mistake was found before anything was done.
    Mistake(anyhow::Error),
    /// The results cannot be written.
    Unwritten,
}

impl Ended {
    /// The exit status, as `--help` explains it.
    pub fn code(&self) -> u8 {
        match self {
            Self::Row(Status::Ok, ..) => 0,
            Self::Mistake(_) => 2,
            Self::Unwritten => 6,
            Self::Row(_, _, true) => 5,
            Self::Row(Status::Partial, true, _) => 4,
            Self::Row(_, true, _) => 3,
            Self::Row(..) => 1,
        }
    }
}

/// Does the work.
pub fn run(cli: &Cli) -> Ended {
    let interrupt = Interrupt::default();
    let mut job = match Job::new(cli, &interrupt) {
        Ok(job) => job,
        Err(error) => return Ended::Mistake(error),
    };
    let worked = job.work();
    job.end(worked)
}

/// The work on one recording.
#[derive(Debug)]
struct Job {
    settings: Settings,
    input: Store,
    output: Store,
    row: Row,
    interrupt: Interrupt,
    started: Instant,
    tells_progress: bool,
    does_again: bool,
}

/// What became of it before its row is written.
enum Worked {
    /// It was done before; the row is there.
    Before,
    Now(Results),
}

impl Job {
    fn new(cli: &Cli, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let settings = cli.settings.as_deref().map_or_else(|| Ok(Settings::default()), Settings::read)?;
        media::init().context("GStreamer cannot be used")?;
        media::require_session_type(settings.task)?;
        let input = Location::parse(&cli.input).context("INPUT_URI")?;
        let output = Location::parse(&cli.output).context("OUTPUT_URI")?;
        let stores = Stores::new(interrupt, cli.endpoint_url.clone())?;
        let row = Row::new(input.public(), None, settings.task.name(), &settings.identity());
        interrupt.listen().context("signals")?;
        if !cli.outlive_parent {
            parent::watch(interrupt).context("the parent process cannot be watched")?;
        }
        Ok(Self {
            input: stores.open(&input).context("INPUT_URI")?,
            output: stores.open(&output).context("OUTPUT_URI")?,
            settings,
            row,
            interrupt: interrupt.clone(),
            started: Instant::now(),
            tells_progress: cli.progress,
            does_again: cli.again,
        })
    }

    fn work(&mut self) -> Result<Worked, Failure> {
        let etag = self.input.stat()?.etag;
        self.row = Row::new(self.row.uri.clone(), etag, self.settings.task.name(), &self.settings.identity());
        self.row.versions =
            Versions { worker: env!("CARGO_PKG_VERSION").to_owned(), gstreamer: gst::version_string().to_string() };
        let before = self.output.get(ROW)?.and_then(|content| serde_json::from_slice::<Row>(&content).ok());
        let before = before.filter(|row| row.key == self.row.key);
        if let Some(before) = before {
            if before.status == Status::Ok && !self.does_again {
                self.row = before;
                return Ok(Worked::Before);
            }
            self.row.attempts = before.attempts + 1;
        }
        let mut heard = self.resume()?;
        let folder = TempDir::new().map_err(|error| internal(format!("no temporary folder: {error}")))?;
        let recording = self.fetch(folder.path())?;
        let probe = media::probe(&recording)?;
        self.row.duration_s = probe.duration.map(|duration| duration.as_secs_f64());
        let allowed = self.settings.deadline(probe.duration.unwrap_or_default());
        let deadline = Instant::now() + allowed;
        let result = self.listen(&recording, folder.path(), deadline, &mut heard);
        let answer = result.and_then(|audio| Ok((audio, self.ask(deadline, &mut heard)?)));
        let checkpoint = self.checkpoint(&heard);
        self.take(heard, answer.is_ok());
        let done = answer.and_then(|(audio, answer)| Ok((audio, self.take_answer(answer)?)));
        if done.is_err() && checkpoint.is_of_use() {
            // The next run goes on there, and counts what this one has cost. If nothing can be written, the row will tell.
            let _ = self.keep(&checkpoint);
        }
        let (audio, result) = done?;
        self.row.result = result;
        Ok(Worked::Now(Results::of(&self.row, &self.settings, audio)))
    }

    /// What an earlier run has done. Spoken output cannot go on in the middle.
    fn resume(&mut self) -> Result<Heard, Failure> {
        let done_when = match self.settings.task {
            Task::Transcribe | Task::Summarise | Task::Extract => DoneWhen::Written,
            Task::Answer => DoneWhen::Answered,
            Task::Translate | Task::Dub => DoneWhen::AtTheEnd,
        };
        let mut heard = Heard { turns: Turns::new(Vec::new(), 0.0, done_when), ..Heard::default() };
        let Some(content) = self.output.get(checkpoint::NAME)? else { return Ok(heard) };
        let Some(checkpoint) = Checkpoint::read(&content, &self.row.key) else { return Ok(heard) };
        self.row.attempts = self.row.attempts.max(checkpoint.attempts + 1);
        heard.usage = checkpoint.usage;
        heard.session_ids = checkpoint.session_ids;
        if self.settings.audio_name().is_none() && !self.does_again {
            heard.turns = Turns::new(checkpoint.segments, checkpoint.done_s, done_when);
        }
        Ok(heard)
    }

    /// The recording as a file of this machine.
    fn fetch(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let (path, size) = match self.input.local_path() {
            Some(path) => (path.to_owned(), std::fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default()),
            None => {
                let path = folder.join("recording");
                let mut file = std::fs::File::create(&path).map_err(|error| internal(format!("no copy: {error}")))?;
                let size = self.input.copy_to(&mut file)?;
                (path, size)
            }
        };
        if size == 0 {
            return Err(Failure::new(FailureKind::Empty, "the recording has no bytes"));
        }
        Ok(path)
    }

    /// Listens, and writes down what is done every now and then. Returns the spoken output.
    fn listen(
        &self,
        recording: &Path,
        folder: &Path,
        deadline: Instant,
        heard: &mut Heard,
    ) -> Result<Option<bytes::Bytes>, Failure> {
        let audio = self.settings.audio_name().map(|name| folder.join(name));
        let listener = Listener {
            settings: &self.settings,
            recording,
            audio: audio.as_deref(),
            deadline,
            interrupt: &self.interrupt,
        };
        let interval = Duration::from_secs_f64(self.settings.checkpoint_s);
        let (mut retries, mut written) = (0, None::<Instant>);
        let listened = listener.listen(heard, |heard, is_done| {
            if heard.retries > retries {
                retries = heard.retries;
                self.tell(&json!({"event": "retry"}));
            }
            if is_done {
                self.tell(
                    &json!({"event": "progress", "done_s": heard.turns.done_s(), "cost_usd": heard.usage.cost_usd}),
                );
                if written.is_none_or(|at| at.elapsed() >= interval) {
                    // A checkpoint that cannot be written costs time later; the row will tell if nothing can be written.
                    let _ = self.keep(&self.checkpoint(heard));
                    written = Some(Instant::now());
                }
            }
        });
        listened?;
        let read = |path: PathBuf| std::fs::read(path).map_err(|error| internal(format!("the spoken output: {error}")));
        audio.map(read).transpose().map(|audio| audio.map(Into::into))
    }

    fn checkpoint(&self, heard: &Heard) -> Checkpoint {
        Checkpoint {
            key: self.row.key.clone(),
            attempts: self.row.attempts,
            done_s: heard.turns.done_s(),
            segments: heard.turns.done_segments(),
            usage: heard.usage,
            session_ids: heard.session_ids.clone(),
        }
    }

    fn keep(&self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        self.output.put(checkpoint::NAME, checkpoint.to_bytes())
    }

    /// What the model says of the transcript, where it is asked; nothing of a recording in which nobody speaks.
    fn ask(&self, deadline: Instant, heard: &mut Heard) -> Result<Option<String>, Failure> {
        if !self.settings.reads_transcript() || heard.turns.segments().is_empty() {
            return Ok(None);
        }
        // The words are done, whatever becomes of the answer.
        self.keep(&self.checkpoint(heard))?;
        let transcript = results::transcript(heard.turns.segments());
        media::ask(&self.settings, &transcript, deadline, &self.interrupt, heard).map(Some)
    }

    /// Puts what was heard into the row.
    fn take(&mut self, heard: Heard, is_whole: bool) {
        let row = &mut self.row;
        let can_go_on = self.settings.audio_name().is_none();
        row.done_s = match (is_whole, can_go_on) {
            (true, _) => row.duration_s.unwrap_or(heard.turns.done_s()),
            (false, true) => heard.turns.done_s(),
            (false, false) => 0.0,
        };
        row.set_segments(heard.turns.segments().to_vec());
        row.usage = heard.usage;
        if let (None, Some(price)) = (row.usage.cost_usd, self.settings.price_per_minute) {
            row.usage.cost_usd = Some(price * row.done_s / 60.0);
        }
        (row.model, row.session_ids, row.retries) = (heard.model, heard.session_ids, heard.retries);
    }

    /// The answer about the transcript: text, or JSON that has to fit the schema.
    fn take_answer(&mut self, answer: Option<String>) -> Result<Option<Value>, Failure> {
        let Some(answer) = answer else { return Ok(None) };
        let result = self.settings.schema.as_ref().map(|_| results::fill(&answer)).transpose();
        self.row.answer_text = answer;
        result
    }

    /// Writes the results, and the row last.
    fn end(mut self, worked: Result<Worked, Failure>) -> Ended {
        let (results, concerns_all) = match worked {
            Ok(Worked::Before) => {
                self.print(&self.row.to_line());
                return Ended::Row(Status::Ok, false, false);
            }
            Ok(Worked::Now(results)) => (results, false),
            Err(failure) => {
                let concerns_all = failure.kind.concerns_all();
                self.row.fail(failure);
                (Results::default(), concerns_all)
            }
        };
        self.row.outputs = results.names();
        self.row.wall_s = self.started.elapsed().as_secs_f64();
        if let Err(failure) = self.write(results) {
            eprintln!("recording-worker: {failure}");
            return Ended::Unwritten;
        }
        self.print(&self.row.to_line());
        Ended::Row(self.row.status, self.row.retryable, concerns_all)
    }

    fn write(&self, results: Results) -> Result<(), Failure> {
        for (name, content) in results.files {
            self.output.put(name, content)?;
        }
        self.output.put(ROW, self.row.to_line().into())?;
        if self.row.status == Status::Ok
            && let Err(failure) = self.output.delete(checkpoint::NAME)
        {
            // With the row beside it, nobody reads it any more.
            eprintln!("recording-worker: {} is left: {failure}", checkpoint::NAME);
        }
        Ok(())
    }

    fn tell(&self, event: &Value) {
        if self.tells_progress {
            self.print(&event.to_string());
        }
    }

    /// Whoever read it may be gone; the row is in its place all the same.
    fn print(&self, line: &str) {
        let mut stdout = std::io::stdout();
        let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    }
}

fn internal(text: String) -> Failure {
    Failure::new(FailureKind::Internal, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Failed, Ok, Partial};

    #[test]
    fn every_end_has_its_exit_status() {
        let row = |status, retryable, concerns_all| Ended::Row(status, retryable, concerns_all).code();
        assert_eq!([row(Ok, false, false), row(Failed, false, false), row(Failed, true, false)], [0, 1, 3]);
        assert_eq!([row(Partial, true, false), row(Partial, false, true), row(Failed, false, true)], [4, 5, 5]);
        assert_eq!([Ended::Mistake(anyhow::anyhow!("x")).code(), Ended::Unwritten.code()], [2, 6]);
    }
}
