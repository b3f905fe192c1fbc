//! What a run tells: the thread that talks to the application, and what becomes of each thing that the session posts.
//!
//! Applications do as they like in their handlers, so what is told never comes from a thread that a session or a stream
//! needs.

use crate::realtime::element::run::{End, Messenger, Run};
use crate::realtime::element::pads::text::Carries;
use crate::realtime::element::imp;
use crate::realtime::element::messages;
use crate::realtime::conversation::io::SessionNotice;
use crate::realtime::conversation::{Failure, Notice, Warning};
use crate::realtime::session::{Post, WireEvent};
use crate::media::text_src_task::{Item, TextStream};
use crate::media::errors;
use crate::media::{glib_text};
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

impl Run {
    pub(crate) fn start_messenger(self: &Arc<Self>, mut posts: mpsc::Receiver<Post>) {
        let run = Arc::downgrade(self);
        self.state().messenger = Messenger::Starting;
        let spawned = std::thread::Builder::new().name("openairt-bus".into()).spawn(move || {
            if let Some(run) = run.upgrade() {
                run.state().messenger = Messenger::Talking(std::thread::current().id());
            }
            while let Some(post) = posts.blocking_recv() {
                let Some(run) = run.upgrade() else { return };
                run.tell(post);
            }
            if let Some(run) = run.upgrade() {
                run.nothing_more_to_tell();
            }
        });
        if let Err(error) = spawned {
            self.state().messenger = Messenger::Gone;
            self.fail(&Failure::Connect(format!("no thread to be had: {error}")), None);
        }
    }

    /// The session is gone. One that says nothing of it must not leave the pipeline waiting.
    fn nothing_more_to_tell(self: &Arc<Self>) {
        let is_due = {
            let state = self.state();
            state.end == End::No && !state.stopped
        };
        if is_due {
            self.fail(&Failure::Lost("the session ended unexpectedly".into()), None);
        }
        self.state().messenger = Messenger::Gone;
        self.changed.notify_all();
    }

    /// Tells the application one thing.
    fn tell(self: &Arc<Self>, post: Post) {
        if self.state().stopped {
            return;
        }
        match post {
            Post::Notice(notice) => self.tell_notice(&notice),
            Post::Text(words) => self.send_text(Carries::Words(words.role), &Item::Words(words)),
            Post::TextQuiet(speaker, until) => self.send_text(Carries::Words(speaker), &Item::Quiet(until)),
            Post::Event(event) => self.tell_event(event),
            Post::Fail(failure, done) => self.fail(&failure, done),
            Post::Finished(at) => {
                self.state().end = End::Finished;
                // Whatever upstream still has is not waited for by anybody.
                self.mailbox.close();
                self.playout.finish(at);
                self.each_text(TextStream::finish);
            }
        }
    }

    pub(crate) fn tell_notice(self: &Arc<Self>, notice: &Notice) {
        let Some(element) = self.element.upgrade() else { return };
        element.imp().note(notice);
        match notice {
            Notice::Warning(warning) => element.imp().warn(warning),
            Notice::FunctionCall(call) => {
                let mut call = call.clone();
                call.arguments = glib_text(&call.arguments).into_owned();
                self.call(&element, call);
            }
            Notice::CallExpired { call_id } => self.calls.expire(call_id),
            Notice::Settings { revision, without } => element.imp().settings_told(*revision, without),
            notice => {
                if let Some(structure) = messages::structure(notice) {
                    messages::post(&element, structure);
                }
            }
        }
        if matches!(notice, Notice::Session(SessionNotice::Ready { .. })) {
            self.end_progress(gst::ProgressType::Complete, "Session is ready");
        }
    }

    fn send_text(&self, carries: Carries, item: &Item) {
        for stream in self.text_streams(carries) {
            stream.push(item.clone());
            let lost = stream.take_dropped();
            if lost > 0
                && let Some(element) = self.element.upgrade()
            {
                let message = format!("{} is not read: {lost} of the oldest pieces are dropped", stream.pad().name());
                element.imp().warn(&Warning::new("text-dropped", message));
            }
        }
    }

    fn tell_event(&self, event: WireEvent) {
        if self.settings().raw_events
            && let Some(element) = self.element.upgrade()
        {
            messages::post(&element, messages::event(&event));
        }
        self.send_text(Carries::Events, &Item::Event(event));
    }

    /// Posts an ERROR, with the place on the input up to which all is done; from then on nothing more is taken from
    /// upstream, and the stream ends.
    pub(crate) fn fail(self: &Arc<Self>, failure: &Failure, done: Option<Duration>) {
        self.end_progress(gst::ProgressType::Error, "No session");
        if let Some(element) = self.element.upgrade() {
            let closed = SessionNotice::Closed { reason: failure.to_string(), running_time: done };
            self.tell_notice(&Notice::Session(closed));
            gst::error!(imp::CAT, obj = element, "{failure}");
            errors::post_failure(element.upcast_ref(), failure, done);
        }
        self.state().end = End::Failed;
        self.mailbox.close();
        self.playout.abandon();
        self.each_text(TextStream::finish);
    }

    pub(crate) fn end_progress(&self, kind: gst::ProgressType, text: &str) {
        if std::mem::take(&mut self.state().progress) {
            self.post_progress(kind, text);
        }
    }

    pub(crate) fn post_progress(&self, kind: gst::ProgressType, text: &str) {
        if let Some(element) = self.element.upgrade() {
            // Without a bus there is nobody to be told.
            let _ = element.post_message(gst::message::Progress::builder(kind, "connect", text).src(&element).build());
        }
    }
}
