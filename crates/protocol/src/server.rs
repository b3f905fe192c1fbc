// SPDX-License-Identifier: MPL-2.0

//! Server events: the forty-six of the GA protocol. Beta spellings are read as their GA counterparts.
//!
//! `item_id` is the item that an event is about (or, of a turn, will become), `output_index` its place in the response,
//! `content_index` the part's place in the item.

use super::fields::{last_duplicate_key, null_is_default};
use super::items::ContentPart;
use super::response::{Response, ServerError};
use super::usage::{LogProb, RateLimit, TranscriptionUsage};
use super::{Base64, Item, Session, events};
use serde_json::Value;

events! {
    /// An event from the server to the client.
    pub enum ServerEvent {
        /// The first event: the session with its defaults.
        SessionCreated("session.created") {
            session: Session,
        }
        /// A `session.update` was applied.
        SessionUpdated("session.updated") {
            session: Session,
        }
        /// In the types, sent first by some compatible servers.
        ConversationCreated("conversation.created") {
            conversation: Value,
        }
        /// Something was refused or failed; the session lives on unless the connection closes as well.
        Error("error") {
            error: ServerError,
        }
        /// The rest of the account's limits.
        RateLimitsUpdated("rate_limits.updated") {
            rate_limits: Vec<RateLimit>,
        }
        /// The server's voice activity detection found the begin of speech.
        InputAudioBufferSpeechStarted("input_audio_buffer.speech_started") {
            /// Milliseconds of all audio appended in the session, before the padding.
            audio_start_ms: u64,
            item_id: String,
        }
        /// The server's voice activity detection found the end of speech.
        InputAudioBufferSpeechStopped("input_audio_buffer.speech_stopped") {
            /// Milliseconds of all audio appended in the session, silence included.
            audio_end_ms: u64,
            item_id: String,
        }
        /// The audio so far has become a user item.
        InputAudioBufferCommitted("input_audio_buffer.committed") {
            previous_item_id: Option<String>,
            item_id: String,
        }
        /// The audio that was not committed was dropped.
        InputAudioBufferCleared("input_audio_buffer.cleared") {}
        /// Nobody spoke for `idle_timeout_ms`.
        InputAudioBufferTimeoutTriggered("input_audio_buffer.timeout_triggered") {
            /// Begin of the silence on the input's clock.
            audio_start_ms: u64,
            /// End of the silence on the input's clock.
            audio_end_ms: u64,
            item_id: String,
        }
        /// A telephone key; SIP only, and the one event without an `event_id`.
        InputAudioBufferDtmfEventReceived("input_audio_buffer.dtmf_event_received") {
            event: String,
            /// Unix time in seconds.
            received_at: Value,
        }
        /// An item was added to the conversation; the model's own are still empty.
        ConversationItemAdded("conversation.item.added") {
            previous_item_id: Option<String>,
            item: Item,
        }
        /// An item is complete.
        ConversationItemDone("conversation.item.done") {
            previous_item_id: Option<String>,
            item: Item,
        }
        /// The beta's name of `conversation.item.added`; some servers still send it.
        ConversationItemCreated("conversation.item.created") {
            previous_item_id: Option<String>,
            item: Item,
        }
        /// An item with its audio.
        ConversationItemRetrieved("conversation.item.retrieved") {
            item: Item,
        }
        /// A `conversation.item.truncate` was applied; the item's transcript is deleted.
        ConversationItemTruncated("conversation.item.truncated") {
            item_id: String,
            content_index: u32,
            /// Length that is left.
            audio_end_ms: u64,
        }
        /// An item was deleted from the conversation.
        ConversationItemDeleted("conversation.item.deleted") {
            item_id: String,
        }
        /// A piece of the user's transcript.
        TranscriptionDelta("conversation.item.input_audio_transcription.delta") {
            item_id: String,
            #[serde(deserialize_with = "null_is_default")]
            content_index: u32,
            #[serde(deserialize_with = "null_is_default")]
            delta: String,
            /// Only if requested.
            #[serde(skip_serializing_if = "Option::is_none")]
            logprobs: Option<Vec<LogProb>>,
        }
        /// The user's transcript of one item.
        TranscriptionCompleted("conversation.item.input_audio_transcription.completed") {
            item_id: String,
            content_index: u32,
            transcript: String,
            /// Usage of the transcription model, apart from the responses.
            #[serde(deserialize_with = "last_duplicate_key")]
            usage: TranscriptionUsage,
            /// Only if requested.
            #[serde(skip_serializing_if = "Option::is_none")]
            logprobs: Option<Vec<LogProb>>,
        }
        /// An item of the user could not be transcribed.
        TranscriptionFailed("conversation.item.input_audio_transcription.failed") {
            item_id: String,
            content_index: u32,
            error: ServerError,
        }
        /// A segment of one speaker, from a diarizing model.
        TranscriptionSegment("conversation.item.input_audio_transcription.segment") {
            item_id: String,
            content_index: u32,
            id: String,
            text: String,
            speaker: String,
            /// Seconds.
            start: f64,
            /// Seconds.
            end: f64,
        }
        /// A response begins, without output so far.
        ResponseCreated("response.created") {
            response: Response,
        }
        /// A response has ended, whatever became of it.
        ResponseDone("response.done") {
            response: Response,
        }
        /// A response gets another item.
        ResponseOutputItemAdded("response.output_item.added") {
            response_id: String,
            output_index: u32,
            item: Item,
        }
        /// An item of a response is complete.
        ResponseOutputItemDone("response.output_item.done") {
            response_id: String,
            output_index: u32,
            item: Item,
        }
        /// A message of a response gets another part, which is empty so far.
        ResponseContentPartAdded("response.content_part.added") {
            response_id: String,
            item_id: String,
            output_index: u32,
            content_index: u32,
            part: ContentPart,
        }
        /// A part of a message is complete.
        ResponseContentPartDone("response.content_part.done") {
            response_id: String,
            item_id: String,
            output_index: u32,
            content_index: u32,
            part: ContentPart,
        }
        /// A piece of the model's audio. It arrives faster than it plays.
        ResponseOutputAudioDelta("response.output_audio.delta") {
            response_id: String,
            item_id: String,
            output_index: u32,
            content_index: u32,
            /// Samples in the session's output format.
            delta: Base64,
        }
        /// The audio of a part is complete.
        ResponseOutputAudioDone("response.output_audio.done") {
            response_id: String,
            item_id: String,
            output_index: u32,
            content_index: u32,
        }
        /// A piece of the transcript of the model's audio; usually ahead of it.
        ResponseOutputAudioTranscriptDelta("response.output_audio_transcript.delta") {
            response_id: String,
            item_id: String,
            output_index: u32,
            content_index: u32,
            delta: String,
        }
        /// The whole transcript of an audio part.
        ResponseOutputAudioTranscriptDone("response.output_audio_transcript.done") {
            response_id: String,
            item_id: String,
            output_index: u32,
            content_index: u32,
            transcript: String,
        }
        /// A piece of a text part.
        ResponseOutputTextDelta("response.output_text.delta") {
            response_id: String,
            item_id: String,
            output_index: u32,
            content_index: u32,
            delta: String,
        }
        /// The whole text of a text part.
        ResponseOutputTextDone("response.output_text.done") {
            response_id: String,
            item_id: String,
            output_index: u32,
            content_index: u32,
            text: String,
        }
        /// A piece of a function call's arguments.
        FunctionCallArgumentsDelta("response.function_call_arguments.delta") {
            response_id: String,
            item_id: String,
            output_index: u32,
            call_id: String,
            /// JSON text.
            delta: String,
        }
        /// A function call is complete.
        FunctionCallArgumentsDone("response.function_call_arguments.done") {
            response_id: String,
            item_id: String,
            output_index: u32,
            call_id: String,
            /// The function; older servers leave it out.
            name: String,
            arguments: String,
        }
        /// A piece of an MCP call's arguments.
        McpCallArgumentsDelta("response.mcp_call_arguments.delta") {
            response_id: String,
            item_id: String,
            output_index: u32,
            /// JSON text.
            delta: String,
        }
        /// An MCP call's arguments are complete.
        McpCallArgumentsDone("response.mcp_call_arguments.done") {
            response_id: String,
            item_id: String,
            output_index: u32,
            arguments: String,
        }
        /// The server is calling an MCP tool.
        McpCallInProgress("response.mcp_call.in_progress") {
            item_id: String,
            output_index: u32,
        }
        /// An MCP tool has answered.
        McpCallCompleted("response.mcp_call.completed") {
            item_id: String,
            output_index: u32,
        }
        /// An MCP tool could not be called.
        McpCallFailed("response.mcp_call.failed") {
            item_id: String,
            output_index: u32,
        }
        /// The server requests the tools of an MCP server.
        McpListToolsInProgress("mcp_list_tools.in_progress") {
            item_id: String,
        }
        /// An MCP server's tools are known.
        McpListToolsCompleted("mcp_list_tools.completed") {
            item_id: String,
        }
        /// An MCP server did not list its tools.
        McpListToolsFailed("mcp_list_tools.failed") {
            item_id: String,
        }
        /// The server began to play a response; WebRTC and SIP only.
        OutputAudioBufferStarted("output_audio_buffer.started") {
            response_id: String,
        }
        /// The server has played a response; WebRTC and SIP only.
        OutputAudioBufferStopped("output_audio_buffer.stopped") {
            response_id: String,
        }
        /// The server stopped playing a response; WebRTC and SIP only.
        OutputAudioBufferCleared("output_audio_buffer.cleared") {
            response_id: String,
        }
    }
}
