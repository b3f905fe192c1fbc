// SPDX-License-Identifier: MPL-2.0

//! One answer on its way to the client: which events it consists of, and in which order.
//!
//! The writer takes pieces of an answer and gives the events of the wire for them; it knows nothing of where the
//! pieces come from. `pieces` cuts what is said into deltas; here is what stands around them. Whatever becomes of an
//! answer, every event that opened something is followed by the one that closes it.

mod pieces;

use crate::ids;
use crate::session::item::message;
use crate::session::response_config::{Outcome, Plan};
use crate::session::usage::{self, Counts};
use openai_protocol::items::{ContentPart, PartKind, Role, Status};
use openai_protocol::response::{Response, ResponseAudio};
use openai_protocol::server::{
    ResponseContentPartAdded, ResponseContentPartDone, ResponseCreated, ResponseDone, ResponseOutputAudioDone,
    ResponseOutputAudioTranscriptDone, ResponseOutputItemAdded, ResponseOutputItemDone, ResponseOutputTextDone,
};
use openai_protocol::session::{AudioFormat, AudioOutput, MaxTokens, Modality};
use openai_protocol::{Item, ServerEvent, Usage};

/// An answer in the making.
#[derive(Debug)]
pub struct Writer {
    /// The answer's name.
    pub id: String,
    /// The name of its message, or of the next one.
    pub item_id: String,
    plan: Plan,
    /// Items that are complete.
    complete: Vec<Item>,
    /// The tokens of their text.
    written: u64,
    /// The message has been announced.
    begun: bool,
    words: String,
    /// Samples of all sound so far, in the output format's rate.
    sent: usize,
    /// Its tokens, where the engine counts them; otherwise they are counted here.
    pub usage: Option<Usage>,
    /// Why it is complete no further than this.
    pub incomplete: Option<&'static str>,
}

impl Writer {
    /// An answer of which nothing was said yet.
    pub fn new(plan: Plan) -> Self {
        let (id, item_id) = (ids::new("resp_"), ids::new("item_"));
        Self {
            id,
            item_id,
            plan,
            complete: Vec::new(),
            written: 0,
            begun: false,
            words: String::new(),
            sent: 0,
            usage: None,
            incomplete: None,
        }
    }

    /// Whether it is part of the conversation.
    pub fn in_conversation(&self) -> bool {
        self.plan.conversation_id.is_some()
    }

    /// Whether it is spoken.
    pub fn speaks(&self) -> bool {
        self.plan.modalities.contains(&Modality::Audio)
    }

    /// The name of the voice that it is to be spoken with.
    pub fn voice(&self) -> Option<String> {
        let voice = self.plan.output.voice.as_ref()?;
        voice.as_str().or_else(|| voice["id"].as_str()).map(str::to_owned)
    }

    /// The most tokens that it may have.
    pub fn max_tokens(&self) -> Option<u64> {
        match self.plan.max_tokens {
            MaxTokens::Count(most) => Some(most),
            MaxTokens::Word(_) => None,
        }
    }

    /// Whether a message has been announced and is not complete.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether there is nothing in it so far.
    pub fn is_empty(&self) -> bool {
        self.complete.is_empty() && !self.begun
    }

    /// The place of the item that is in the making.
    pub fn index(&self) -> u32 {
        self.complete.len() as u32
    }

    /// How long it is so far.
    pub fn sent_ms(&self) -> u64 {
        self.sent as u64 * 1000 / u64::from(self.format().rate())
    }

    /// The tokens of what it answers to.
    pub fn input(&self) -> Counts {
        self.plan.input
    }

    /// Its tokens so far.
    pub fn output(&self) -> Counts {
        Counts {
            text: self.written + usage::text(&self.words),
            audio: usage::assistant_audio(self.sent_ms()),
            image: 0,
        }
    }

    fn format(&self) -> AudioFormat {
        self.plan.output.format.clone().unwrap_or_default()
    }

    /// Its message as it stands.
    pub fn item(&self, status: Status) -> Item {
        let content = match status {
            Status::InProgress => Vec::new(),
            _ => vec![self.part(if self.speaks() { PartKind::OutputAudio } else { PartKind::OutputText })],
        };
        message(self.item_id.clone(), Role::Assistant, status, content)
    }

    fn part(&self, kind: PartKind) -> ContentPart {
        let words = Some(self.words.clone());
        match self.speaks() {
            true => ContentPart { kind, transcript: words, ..Default::default() },
            false => ContentPart { kind, text: words, ..Default::default() },
        }
    }

    /// The part as the events of parts call it.
    fn bare_part(&self) -> ContentPart {
        self.part(if self.speaks() { PartKind::Audio } else { PartKind::Text })
    }

    fn response(&self, status: Status) -> Response {
        let AudioOutput { format, voice, .. } = self.plan.output.clone();
        Response {
            object: Some("realtime.response".into()),
            id: Some(self.id.clone()),
            status: Some(status),
            conversation_id: self.plan.conversation_id.clone(),
            output_modalities: Some(self.plan.modalities.clone()),
            max_output_tokens: Some(self.plan.max_tokens.clone()),
            audio: Some(ResponseAudio {
                output: Some(AudioOutput { format, voice, ..Default::default() }),
                ..Default::default()
            }),
            metadata: self.plan.metadata.clone(),
            ..Default::default()
        }
    }

    /// The answer's announcement.
    pub fn created(&self) -> ServerEvent {
        ResponseCreated { response: self.response(Status::InProgress), ..Default::default() }.into()
    }

    /// The message's announcement within the answer. That within the conversation follows it, then [`Self::open`].
    pub fn begin(&mut self) -> ServerEvent {
        self.begun = true;
        let item = self.item(Status::InProgress);
        self.item_added(item)
    }

    /// The announcement of an item within the answer.
    pub fn item_added(&self, item: Item) -> ServerEvent {
        let (response_id, output_index) = (self.id.clone(), self.index());
        ResponseOutputItemAdded { response_id, output_index, item, ..Default::default() }.into()
    }

    /// The announcement of the message's one part.
    pub fn open(&self) -> ServerEvent {
        let (response_id, item_id, output_index) = self.place();
        let part = self.bare_part();
        ResponseContentPartAdded { response_id, item_id, output_index, part, ..Default::default() }.into()
    }

    /// What the events of the message say about where it is.
    fn place(&self) -> (String, String, u32) {
        (self.id.clone(), self.item_id.clone(), self.index())
    }

    /// The events that close the message's part.
    pub fn close(&self) -> Vec<ServerEvent> {
        let (response_id, item_id, output_index) = self.place();
        let done = ResponseContentPartDone {
            response_id: response_id.clone(),
            item_id: item_id.clone(),
            output_index,
            part: self.bare_part(),
            ..Default::default()
        };
        if !self.speaks() {
            let text = self.words.clone();
            return vec![
                ResponseOutputTextDone { response_id, item_id, output_index, text, ..Default::default() }.into(),
                done.into(),
            ];
        }
        let sound = ResponseOutputAudioDone {
            response_id: response_id.clone(),
            item_id: item_id.clone(),
            output_index,
            ..Default::default()
        };
        let transcript = self.words.clone();
        let words =
            ResponseOutputAudioTranscriptDone { response_id, item_id, output_index, transcript, ..Default::default() };
        vec![sound.into(), words.into(), done.into()]
    }

    /// The end of an item within the answer, whose place the next one takes. That within the conversation comes
    /// before it.
    pub fn item_done(&mut self, item: Item) -> ServerEvent {
        let (response_id, output_index) = (self.id.clone(), self.index());
        let called = item.name.iter().chain(&item.arguments).map(|text| usage::text(text)).sum::<u64>();
        self.written += usage::text(&self.words) + called;
        self.words.clear();
        self.begun = false;
        self.item_id = ids::new("item_");
        self.complete.push(item.clone());
        ResponseOutputItemDone { response_id, output_index, item, ..Default::default() }.into()
    }

    /// The end of the answer.
    pub fn done(&self, outcome: &Outcome, usage: Usage) -> ServerEvent {
        let (status, details) = outcome.told();
        let output = self.complete.clone();
        let response = Response { status_details: details, output, usage: Some(usage), ..self.response(status) };
        ResponseDone { response, ..Default::default() }.into()
    }
}
