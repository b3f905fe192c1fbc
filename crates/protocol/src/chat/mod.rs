// SPDX-License-Identifier: MPL-2.0

//! Chat Completions: the request, the whole answer, the chunks of a streamed one, and errors.
//!
//! Requests are written as the published types have them. Answers are read tolerantly: compatible servers leave fields
//! out, send `null` for what they do not have, or add fields of their own.

mod answer;
mod request;

pub use answer::{
    AnswerAudio, Choice, Chunk, Completion, CompletionTokens, CompletionUsage, ErrorBody, FunctionDelta, Message,
    PromptTokens, StreamEvent, ToolCallDelta,
};
pub use request::{
    AssistantAudio, AudioOutput, Function, ImageUrl, InputAudio, Part, Request, RequestMessage, StreamOptions, ToolCall,
};
