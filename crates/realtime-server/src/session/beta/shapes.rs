// SPDX-License-Identifier: MPL-2.0

//! The shapes of the beta's client events, with their limits, and nothing that only GA has.

use crate::session::client_schema::{
    FUNCTION, FUNCTION_CALL, FUNCTION_CALL_OUTPUT, INCLUDE, ITEM_ID, LONG, NAME, OBJECT, SEMANTIC_VAD, STATUS, TRACING,
    TYPED,
};
use crate::session::schema::Schema::{Any, Bool, Either, Int, List, Number, Object, Pairs, Tagged, Word};
use crate::session::schema::{Field, Schema, nullable, optional, required};

const VOICE: Schema = Word(&["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse"]);
const FORMAT: Schema = Word(&["pcm16", "g711_ulaw", "g711_alaw"]);
const MODALITIES: Schema = List(&Word(&["text", "audio"]), 2);
const TEMPERATURE: Schema = Number(0.6, 1.2);
const MAX_TOKENS: Schema = Either(&[Int(1, 4_096), Word(&["inf"])]);
const TRANSCRIPTION: Schema = Object(&[optional("model", NAME), nullable("language", NAME), nullable("prompt", LONG)]);
const NOISE: Schema = Object(&[optional("type", Word(&["near_field", "far_field"]))]);
const TURN_DETECTION: Schema = Tagged(&[
    (
        "server_vad",
        &[
            optional("threshold", Number(0.0, 1.0)),
            optional("prefix_padding_ms", Int(0, 10_000)),
            optional("silence_duration_ms", Int(0, 10_000)),
            optional("create_response", Bool),
            optional("interrupt_response", Bool),
        ],
    ),
    ("semantic_vad", SEMANTIC_VAD),
]);
const TOOLS: Schema = List(&Tagged(&[("function", FUNCTION)]), 1024);
const TOOL_CHOICE: Schema = Either(&[
    Word(&["none", "auto", "required"]),
    Tagged(&[("function", &[optional("name", NAME), optional("function", Object(&[required("name", NAME)]))])]),
]);

const SESSION: Schema = Object(&[
    optional("model", NAME),
    optional("modalities", MODALITIES),
    optional("instructions", LONG),
    optional("voice", VOICE),
    optional("speed", Number(0.25, 1.5)),
    optional("input_audio_format", FORMAT),
    optional("output_audio_format", FORMAT),
    nullable("input_audio_transcription", TRANSCRIPTION),
    nullable("input_audio_noise_reduction", NOISE),
    nullable("turn_detection", TURN_DETECTION),
    optional("tools", TOOLS),
    optional("tool_choice", TOOL_CHOICE),
    optional("temperature", TEMPERATURE),
    optional("max_response_output_tokens", MAX_TOKENS),
    nullable("tracing", TRACING),
    nullable("client_secret", Any),
]);

const TRANSCRIPTION_SESSION: Schema = Object(&[
    optional("modalities", MODALITIES),
    optional("input_audio_format", FORMAT),
    nullable("input_audio_transcription", TRANSCRIPTION),
    nullable("input_audio_noise_reduction", NOISE),
    nullable("turn_detection", TURN_DETECTION),
    nullable("include", INCLUDE),
    nullable("client_secret", Any),
]);

const PART: Schema = Tagged(&[
    ("input_text", &[required("text", TYPED)]),
    ("input_audio", &[optional("audio", LONG), nullable("transcript", LONG)]),
    ("text", &[required("text", TYPED)]),
    ("audio", &[optional("audio", LONG), nullable("transcript", LONG)]),
]);
const MESSAGE: &[Field] = &[
    required("role", Word(&["system", "user", "assistant"])),
    required("content", List(&PART, 1024)),
    optional("id", ITEM_ID),
    optional("object", OBJECT),
    optional("status", STATUS),
];
const ITEM: Schema =
    Tagged(&[("message", MESSAGE), ("function_call", FUNCTION_CALL), ("function_call_output", FUNCTION_CALL_OUTPUT)]);
const INPUT_ITEM: Schema = Tagged(&[
    ("message", MESSAGE),
    ("function_call", FUNCTION_CALL),
    ("function_call_output", FUNCTION_CALL_OUTPUT),
    ("item_reference", &[required("id", NAME)]),
]);

const RESPONSE: Schema = Object(&[
    optional("modalities", MODALITIES),
    optional("instructions", LONG),
    optional("voice", VOICE),
    optional("output_audio_format", FORMAT),
    optional("tools", TOOLS),
    optional("tool_choice", TOOL_CHOICE),
    optional("temperature", TEMPERATURE),
    optional("max_response_output_tokens", MAX_TOKENS),
    optional("max_output_tokens", MAX_TOKENS),
    nullable("metadata", Pairs),
    optional("conversation", Word(&["auto", "none"])),
    optional("input", List(&INPUT_ITEM, 4096)),
]);

/// The fields of each client event whose shape is not that of GA, beside `type` and `event_id`.
pub const EVENTS: &[(&str, &[Field])] = &[
    ("session.update", &[required("session", SESSION)]),
    ("transcription_session.update", &[required("session", TRANSCRIPTION_SESSION)]),
    ("conversation.item.create", &[required("item", ITEM), nullable("previous_item_id", NAME)]),
    ("response.create", &[nullable("response", RESPONSE)]),
];
