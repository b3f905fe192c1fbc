//! The shapes of the beta's client events, with their limits, and nothing of GA.

use crate::session::schema::Shape::{Any, Bool, Either, Int, List, Number, Object, Pairs, Tagged, Text, Word};
use crate::session::schema::{Field, Shape, nullable, optional, required};

const LONG: Shape = Text(usize::MAX);
const NAME: Shape = Text(512);
const ITEM_ID: Shape = Text(32);
const TYPED: Shape = Text(256_000);

const VOICE: Shape = Word(&["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse"]);
const FORMAT: Shape = Word(&["pcm16", "g711_ulaw", "g711_alaw"]);
const MODALITIES: Shape = List(&Word(&["text", "audio"]), 2);
const TEMPERATURE: Shape = Number(0.6, 1.2);
const MAX_TOKENS: Shape = Either(&[Int(1, 4_096), Word(&["inf"])]);
const TRANSCRIPTION: Shape = Object(&[optional("model", NAME), nullable("language", NAME), nullable("prompt", LONG)]);
const NOISE: Shape = Object(&[optional("type", Word(&["near_field", "far_field"]))]);
const TURN_DETECTION: Shape = Tagged(&[
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
    (
        "semantic_vad",
        &[
            optional("eagerness", Word(&["low", "medium", "high", "auto"])),
            optional("create_response", Bool),
            optional("interrupt_response", Bool),
        ],
    ),
]);
const TOOLS: Shape = List(
    &Tagged(&[("function", &[required("name", Text(64)), optional("description", LONG), optional("parameters", Any)])]),
    1024,
);
const TOOL_CHOICE: Shape = Either(&[
    Word(&["none", "auto", "required"]),
    Tagged(&[("function", &[optional("name", NAME), optional("function", Object(&[required("name", NAME)]))])]),
]);

const SESSION: Shape = Object(&[
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
    nullable(
        "tracing",
        Either(&[
            Word(&["auto"]),
            Object(&[optional("workflow_name", NAME), optional("group_id", NAME), optional("metadata", Any)]),
        ]),
    ),
    nullable("client_secret", Any),
]);

const TRANSCRIPTION_SESSION: Shape = Object(&[
    optional("modalities", MODALITIES),
    optional("input_audio_format", FORMAT),
    nullable("input_audio_transcription", TRANSCRIPTION),
    nullable("input_audio_noise_reduction", NOISE),
    nullable("turn_detection", TURN_DETECTION),
    nullable("include", List(&Word(&["item.input_audio_transcription.logprobs"]), 8)),
    nullable("client_secret", Any),
]);

const STATUS: Shape = Word(&["completed", "incomplete", "in_progress"]);
const OBJECT: Shape = Word(&["realtime.item"]);
const PART: Shape = Tagged(&[
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
const FUNCTION_CALL: &[Field] = &[
    required("name", NAME),
    required("arguments", LONG),
    optional("call_id", NAME),
    optional("id", ITEM_ID),
    optional("object", OBJECT),
    optional("status", STATUS),
];
const FUNCTION_CALL_OUTPUT: &[Field] = &[
    required("call_id", NAME),
    required("output", LONG),
    optional("id", ITEM_ID),
    optional("object", OBJECT),
    optional("status", STATUS),
];
const ITEM: Shape =
    Tagged(&[("message", MESSAGE), ("function_call", FUNCTION_CALL), ("function_call_output", FUNCTION_CALL_OUTPUT)]);
const INPUT_ITEM: Shape = Tagged(&[
    ("message", MESSAGE),
    ("function_call", FUNCTION_CALL),
    ("function_call_output", FUNCTION_CALL_OUTPUT),
    ("item_reference", &[required("id", NAME)]),
]);

const RESPONSE: Shape = Object(&[
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
