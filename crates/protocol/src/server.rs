// SPDX-License-Identifier: MPL-2.0

//! What a server says: the forty-six events of the GA protocol. Beta spellings are read as their GA counterparts.

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
            /// All of the configuration.
            session: Session,
        }
        /// A `session.update` is in force.
        SessionUpdated("session.updated") {
            /// All of the configuration.
            session: Session,
        }
        /// In the types, sent first by some compatible servers.
        ConversationCreated("conversation.created") {
            /// The conversation.
            conversation: Value,
        }
        /// Something was refused or failed; the session lives on unless the connection closes as well.
        Error("error") {
            /// What and why.
            error: ServerError,
        }
        /// How much of the account's limits is left.
        RateLimitsUpdated("rate_limits.updated") {
            /// One entry a limit.
            rate_limits: Vec<RateLimit>,
        }
        /// The server's voice activity detection heard the user begin.
        InputAudioBufferSpeechStarted("input_audio_buffer.speech_started") {
            /// Where, in milliseconds of all sound that was appended in the session, padding included.
            audio_start_ms: u64,
            /// The user's message that will come of it.
            item_id: String,
        }
        /// The server's voice activity detection heard the user end.
        InputAudioBufferSpeechStopped("input_audio_buffer.speech_stopped") {
            /// Where, in milliseconds of all sound that was appended in the session, silence included.
            audio_end_ms: u64,
            /// The user's message that comes of it.
            item_id: String,
        }
        /// The sound so far has become the user's message.
        InputAudioBufferCommitted("input_audio_buffer.committed") {
            /// The item before it.
            previous_item_id: Option<String>,
            /// The message.
            item_id: String,
        }
        /// The sound that was not committed is forgotten.
        InputAudioBufferCleared("input_audio_buffer.cleared") {}
        /// Nobody spoke for `idle_timeout_ms`.
        InputAudioBufferTimeoutTriggered("input_audio_buffer.timeout_triggered") {
            /// Begin of the silence on the input's clock.
            audio_start_ms: u64,
            /// End of the silence on the input's clock.
            audio_end_ms: u64,
            /// The message that comes of it.
            item_id: String,
        }
        /// A telephone key; SIP only, and the one event without an `event_id`.
        InputAudioBufferDtmfEventReceived("input_audio_buffer.dtmf_event_received") {
            /// The key.
            event: String,
            /// Unix time in seconds.
            received_at: Value,
        }
        /// An item entered the conversation; the model's own are still empty.
        ConversationItemAdded("conversation.item.added") {
            /// The item before it.
            previous_item_id: Option<String>,
            /// The item.
            item: Item,
        }
        /// An item is complete.
        ConversationItemDone("conversation.item.done") {
            /// The item before it.
            previous_item_id: Option<String>,
            /// The item.
            item: Item,
        }
        /// The beta's word for added; some servers send it still.
        ConversationItemCreated("conversation.item.created") {
            /// The item before it.
            previous_item_id: Option<String>,
            /// The item.
            item: Item,
        }
        /// An item with its sound.
        ConversationItemRetrieved("conversation.item.retrieved") {
            /// The item.
            item: Item,
        }
        /// A `conversation.item.truncate` is in force; the item's transcript is gone.
        ConversationItemTruncated("conversation.item.truncated") {
            /// Which item.
            item_id: String,
            /// Which of its parts.
            content_index: u32,
            /// What is left of it.
            audio_end_ms: u64,
        }
        /// An item is gone from the conversation.
        ConversationItemDeleted("conversation.item.deleted") {
            /// Which one.
            item_id: String,
        }
        /// A piece of what the user said.
        TranscriptionDelta("conversation.item.input_audio_transcription.delta") {
            /// The user's message.
            item_id: String,
            /// Which of its parts.
            #[serde(deserialize_with = "null_is_default")]
            content_index: u32,
            /// The piece.
            #[serde(deserialize_with = "null_is_default")]
            delta: String,
            /// Probabilities, where they were asked for.
            #[serde(skip_serializing_if = "Option::is_none")]
            logprobs: Option<Vec<LogProb>>,
        }
        /// All of what the user said in one message.
        TranscriptionCompleted("conversation.item.input_audio_transcription.completed") {
            /// The user's message.
            item_id: String,
            /// Which of its parts.
            content_index: u32,
            /// The words.
            transcript: String,
            /// What it cost, apart from the responses.
            #[serde(deserialize_with = "last_duplicate_key")]
            usage: TranscriptionUsage,
            /// Probabilities, where they were asked for.
            #[serde(skip_serializing_if = "Option::is_none")]
            logprobs: Option<Vec<LogProb>>,
        }
        /// What the user said could not be written down.
        TranscriptionFailed("conversation.item.input_audio_transcription.failed") {
            /// The user's message.
            item_id: String,
            /// Which of its parts.
            content_index: u32,
            /// Why.
            error: ServerError,
        }
        /// Who said what, from a diarizing model.
        TranscriptionSegment("conversation.item.input_audio_transcription.segment") {
            /// The user's message.
            item_id: String,
            /// Which of its parts.
            content_index: u32,
            /// The segment.
            id: String,
            /// Its words.
            text: String,
            /// Who.
            speaker: String,
            /// Begin in seconds.
            start: f64,
            /// End in seconds.
            end: f64,
        }
        /// An answer begins.
        ResponseCreated("response.created") {
            /// The answer, without output so far.
            response: Response,
        }
        /// An answer has ended, whatever became of it.
        ResponseDone("response.done") {
            /// The answer.
            response: Response,
        }
        /// An answer gets another item.
        ResponseOutputItemAdded("response.output_item.added") {
            /// The answer.
            response_id: String,
            /// Its how-many-eth item.
            output_index: u32,
            /// The item.
            item: Item,
        }
        /// An item of an answer is complete.
        ResponseOutputItemDone("response.output_item.done") {
            /// The answer.
            response_id: String,
            /// Its how-many-eth item.
            output_index: u32,
            /// The item.
            item: Item,
        }
        /// A message of an answer gets another part.
        ResponseContentPartAdded("response.content_part.added") {
            /// The answer.
            response_id: String,
            /// The message.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
            /// The part's place in the message.
            content_index: u32,
            /// The part, empty so far.
            part: ContentPart,
        }
        /// A part of a message is complete.
        ResponseContentPartDone("response.content_part.done") {
            /// The answer.
            response_id: String,
            /// The message.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
            /// The part's place in the message.
            content_index: u32,
            /// The part.
            part: ContentPart,
        }
        /// A piece of the model's speech. It arrives faster than it plays.
        ResponseOutputAudioDelta("response.output_audio.delta") {
            /// The answer.
            response_id: String,
            /// The message.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
            /// The part's place in the message.
            content_index: u32,
            /// Samples in the session's output format.
            delta: Base64,
        }
        /// The speech of a part is complete.
        ResponseOutputAudioDone("response.output_audio.done") {
            /// The answer.
            response_id: String,
            /// The message.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
            /// The part's place in the message.
            content_index: u32,
        }
        /// A piece of the words that the model speaks; usually ahead of the sound.
        ResponseOutputAudioTranscriptDelta("response.output_audio_transcript.delta") {
            /// The answer.
            response_id: String,
            /// The message.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
            /// The part's place in the message.
            content_index: u32,
            /// The piece.
            delta: String,
        }
        /// All words of a spoken part.
        ResponseOutputAudioTranscriptDone("response.output_audio_transcript.done") {
            /// The answer.
            response_id: String,
            /// The message.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
            /// The part's place in the message.
            content_index: u32,
            /// The words.
            transcript: String,
        }
        /// A piece of a written answer.
        ResponseOutputTextDelta("response.output_text.delta") {
            /// The answer.
            response_id: String,
            /// The message.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
            /// The part's place in the message.
            content_index: u32,
            /// The piece.
            delta: String,
        }
        /// All of a written part.
        ResponseOutputTextDone("response.output_text.done") {
            /// The answer.
            response_id: String,
            /// The message.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
            /// The part's place in the message.
            content_index: u32,
            /// The text.
            text: String,
        }
        /// A piece of a function call's arguments.
        FunctionCallArgumentsDelta("response.function_call_arguments.delta") {
            /// The answer.
            response_id: String,
            /// The call's item.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
            /// The call.
            call_id: String,
            /// The piece, JSON text.
            delta: String,
        }
        /// A function call is complete.
        FunctionCallArgumentsDone("response.function_call_arguments.done") {
            /// The answer.
            response_id: String,
            /// The call's item.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
            /// The call.
            call_id: String,
            /// The function; older servers leave it out.
            name: String,
            /// JSON text.
            arguments: String,
        }
        /// A piece of an MCP call's arguments.
        McpCallArgumentsDelta("response.mcp_call_arguments.delta") {
            /// The answer.
            response_id: String,
            /// The call's item.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
            /// The piece, JSON text.
            delta: String,
        }
        /// An MCP call's arguments are complete.
        McpCallArgumentsDone("response.mcp_call_arguments.done") {
            /// The answer.
            response_id: String,
            /// The call's item.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
            /// JSON text.
            arguments: String,
        }
        /// The server is calling an MCP tool.
        McpCallInProgress("response.mcp_call.in_progress") {
            /// The call's item.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
        }
        /// An MCP tool has answered.
        McpCallCompleted("response.mcp_call.completed") {
            /// The call's item.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
        }
        /// An MCP tool could not be called.
        McpCallFailed("response.mcp_call.failed") {
            /// The call's item.
            item_id: String,
            /// Its place in the answer.
            output_index: u32,
        }
        /// The server is asking an MCP server for its tools.
        McpListToolsInProgress("mcp_list_tools.in_progress") {
            /// The list's item.
            item_id: String,
        }
        /// An MCP server's tools are known.
        McpListToolsCompleted("mcp_list_tools.completed") {
            /// The list's item.
            item_id: String,
        }
        /// An MCP server did not tell its tools.
        McpListToolsFailed("mcp_list_tools.failed") {
            /// The list's item.
            item_id: String,
        }
        /// The server began to play an answer; WebRTC and SIP only.
        OutputAudioBufferStarted("output_audio_buffer.started") {
            /// The answer.
            response_id: String,
        }
        /// The server has played an answer; WebRTC and SIP only.
        OutputAudioBufferStopped("output_audio_buffer.stopped") {
            /// The answer.
            response_id: String,
        }
        /// The server stopped playing an answer; WebRTC and SIP only.
        OutputAudioBufferCleared("output_audio_buffer.cleared") {
            /// The answer.
            response_id: String,
        }
    }
}
