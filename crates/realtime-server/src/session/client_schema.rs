// SPDX-License-Identifier: MPL-2.0

//! The shapes of the API's client events: what GA takes, with its limits, and nothing of the beta.
//!
//! These tables are the one place to look when a client asks why something was refused. What the beta has in the same
//! words, `beta/shapes.rs` takes from here.

use crate::session::schema::Schema::{Any, Bool, Either, Int, List, Number, Object, Pairs, Single, Tagged, Text, Word};
use crate::session::schema::{Field, Schema, nullable, optional, required};

/// Text without a limit of its own; the message's size bounds it.
pub(super) const LONG: Schema = Text(usize::MAX);
/// Names of things.
pub(super) const NAME: Schema = Text(512);
/// Names of items that a client chooses.
pub(super) const ITEM_ID: Schema = Text(32);
/// The longest typed message.
pub(super) const TYPED: Schema = Text(256_000);

/// The voices that OpenAI names.
pub const VOICES: &[&str] = &["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"];

const VOICE: Schema = Either(&[Word(VOICES), Object(&[required("id", NAME)])]);

const FORMAT: Schema = Tagged(&[
    ("audio/pcm", &[optional("rate", Int(24_000, 24_000))]),
    ("audio/pcmu", &[optional("rate", Int(8_000, 8_000))]),
    ("audio/pcma", &[optional("rate", Int(8_000, 8_000))]),
]);

const TRANSCRIPTION: Schema = Object(&[
    optional("model", NAME),
    nullable("language", NAME),
    nullable("prompt", LONG),
    optional("languages", List(&NAME, 64)),
    optional("keywords", List(&NAME, 1024)),
    optional("delay", Word(&["minimal", "low", "medium", "high", "xhigh"])),
]);

/// The fields of a turn detection that listens for the end of a thought.
pub(super) const SEMANTIC_VAD: &[Field] = &[
    optional("eagerness", Word(&["low", "medium", "high", "auto"])),
    optional("create_response", Bool),
    optional("interrupt_response", Bool),
];

const TURN_DETECTION: Schema = Tagged(&[
    (
        "server_vad",
        &[
            optional("threshold", Number(0.0, 1.0)),
            optional("prefix_padding_ms", Int(0, 10_000)),
            optional("silence_duration_ms", Int(0, 10_000)),
            nullable("idle_timeout_ms", Int(5_000, 30_000)),
            optional("create_response", Bool),
            optional("interrupt_response", Bool),
        ],
    ),
    ("semantic_vad", SEMANTIC_VAD),
]);

const AUDIO_INPUT: Schema = Object(&[
    optional("format", FORMAT),
    nullable("transcription", TRANSCRIPTION),
    nullable(
        "noise_reduction",
        Object(&[optional("type", Word(&["near_field", "far_field"])), optional("strength", Number(0.0, 100.0))]),
    ),
    nullable("turn_detection", TURN_DETECTION),
]);

/// The fields of a function that the model may call.
pub(super) const FUNCTION: &[Field] =
    &[required("name", Text(64)), optional("description", LONG), optional("parameters", Any)];

const TOOLS: Schema = List(
    &Tagged(&[
        ("function", FUNCTION),
        (
            "mcp",
            &[
                required("server_label", NAME),
                optional("server_url", LONG),
                optional("connector_id", NAME),
                optional("tunnel_id", NAME),
                optional("authorization", LONG),
                nullable("headers", Any),
                nullable("allowed_tools", Any),
                nullable("require_approval", Any),
                optional("server_description", LONG),
                optional("defer_loading", Bool),
                nullable("allowed_callers", Any),
            ],
        ),
    ]),
    1024,
);

const TOOL_CHOICE: Schema = Either(&[
    Word(&["none", "auto", "required"]),
    Tagged(&[
        ("function", &[required("name", NAME)]),
        ("mcp", &[required("server_label", NAME), nullable("name", NAME)]),
    ]),
]);

const MODALITIES: Schema = Single(&["text", "audio"]);
const MAX_TOKENS: Schema = Either(&[Int(1, 32_768), Word(&["inf"])]);
const REASONING: Schema = Object(&[optional("effort", Word(&["minimal", "low", "medium", "high", "xhigh"]))]);
pub(super) const INCLUDE: Schema = List(&Word(&["item.input_audio_transcription.logprobs"]), 8);
pub(super) const TRACING: Schema = Either(&[
    Word(&["auto"]),
    Object(&[optional("workflow_name", NAME), optional("group_id", NAME), optional("metadata", Any)]),
]);
const PROMPT: Schema = Object(&[required("id", NAME), nullable("version", NAME), nullable("variables", Any)]);

const SESSION: Schema = Tagged(&[
    (
        "realtime",
        &[
            optional("model", NAME),
            optional("instructions", LONG),
            optional("output_modalities", MODALITIES),
            optional(
                "audio",
                Object(&[
                    optional("input", AUDIO_INPUT),
                    optional(
                        "output",
                        Object(&[
                            optional("format", FORMAT),
                            optional("voice", VOICE),
                            optional("speed", Number(0.25, 1.5)),
                        ]),
                    ),
                ]),
            ),
            optional("tools", TOOLS),
            optional("tool_choice", TOOL_CHOICE),
            optional("parallel_tool_calls", Bool),
            optional("reasoning", REASONING),
            optional("max_output_tokens", MAX_TOKENS),
            optional(
                "truncation",
                Either(&[
                    Word(&["auto", "disabled"]),
                    Tagged(&[(
                        "retention_ratio",
                        &[
                            required("retention_ratio", Number(0.0, 1.0)),
                            optional("token_limits", Object(&[optional("post_instructions", Int(0, i64::MAX))])),
                        ],
                    )]),
                ]),
            ),
            nullable("tracing", TRACING),
            nullable("prompt", PROMPT),
            nullable("include", INCLUDE),
        ],
    ),
    ("transcription", &[optional("audio", Object(&[optional("input", AUDIO_INPUT)])), nullable("include", INCLUDE)]),
]);

/// Status and object are taken with every item and mean nothing.
pub(super) const STATUS: Schema = Word(&["completed", "incomplete", "in_progress"]);
pub(super) const OBJECT: Schema = Word(&["realtime.item"]);

const PART: Schema = Tagged(&[
    ("input_text", &[required("text", TYPED)]),
    ("input_audio", &[optional("audio", LONG), nullable("transcript", LONG)]),
    ("input_image", &[required("image_url", LONG), optional("detail", Word(&["auto", "low", "high"]))]),
    ("output_text", &[required("text", TYPED)]),
    ("output_audio", &[optional("audio", LONG), nullable("transcript", LONG)]),
]);

const MESSAGE: &[Field] = &[
    required("role", Word(&["system", "user", "assistant"])),
    required("content", List(&PART, 1024)),
    optional("id", ITEM_ID),
    optional("object", OBJECT),
    optional("status", STATUS),
];

pub(super) const FUNCTION_CALL: &[Field] = &[
    required("name", NAME),
    required("arguments", LONG),
    optional("call_id", NAME),
    optional("id", ITEM_ID),
    optional("object", OBJECT),
    optional("status", STATUS),
];

pub(super) const FUNCTION_CALL_OUTPUT: &[Field] = &[
    required("call_id", NAME),
    required("output", LONG),
    optional("id", ITEM_ID),
    optional("object", OBJECT),
    optional("status", STATUS),
];

const MCP_LIST_TOOLS: &[Field] =
    &[required("server_label", NAME), required("tools", List(&Any, 1024)), optional("id", ITEM_ID)];

const MCP_CALL: &[Field] = &[
    required("id", ITEM_ID),
    required("server_label", NAME),
    required("name", NAME),
    required("arguments", LONG),
    nullable("approval_request_id", NAME),
    nullable("output", LONG),
    nullable("error", Any),
];

const MCP_APPROVAL_REQUEST: &[Field] =
    &[required("id", ITEM_ID), required("server_label", NAME), required("name", NAME), required("arguments", LONG)];

const MCP_APPROVAL_RESPONSE: &[Field] = &[
    required("id", ITEM_ID),
    required("approval_request_id", NAME),
    required("approve", Bool),
    nullable("reason", LONG),
];

const ITEM: Schema = Tagged(&[
    ("message", MESSAGE),
    ("function_call", FUNCTION_CALL),
    ("function_call_output", FUNCTION_CALL_OUTPUT),
    ("mcp_list_tools", MCP_LIST_TOOLS),
    ("mcp_call", MCP_CALL),
    ("mcp_approval_request", MCP_APPROVAL_REQUEST),
    ("mcp_approval_response", MCP_APPROVAL_RESPONSE),
]);

/// Items in the `input` of a response may also be names of items.
const INPUT_ITEM: Schema = Tagged(&[
    ("message", MESSAGE),
    ("function_call", FUNCTION_CALL),
    ("function_call_output", FUNCTION_CALL_OUTPUT),
    ("mcp_list_tools", MCP_LIST_TOOLS),
    ("mcp_call", MCP_CALL),
    ("mcp_approval_request", MCP_APPROVAL_REQUEST),
    ("mcp_approval_response", MCP_APPROVAL_RESPONSE),
    ("item_reference", &[required("id", NAME)]),
]);

const RESPONSE: Schema = Object(&[
    optional("instructions", LONG),
    optional("output_modalities", MODALITIES),
    optional("audio", Object(&[optional("output", Object(&[optional("format", FORMAT), optional("voice", VOICE)]))])),
    optional("tools", TOOLS),
    optional("tool_choice", TOOL_CHOICE),
    optional("parallel_tool_calls", Bool),
    optional("reasoning", REASONING),
    optional("max_output_tokens", MAX_TOKENS),
    nullable("prompt", PROMPT),
    nullable("metadata", Pairs),
    optional("conversation", Word(&["auto", "none"])),
    optional("input", List(&INPUT_ITEM, 4096)),
]);

/// The fields of each client event beside `type` and `event_id`.
pub const EVENTS: &[(&str, &[Field])] = &[
    ("session.update", &[required("session", SESSION)]),
    ("input_audio_buffer.append", &[required("audio", LONG)]),
    ("input_audio_buffer.commit", &[]),
    ("input_audio_buffer.clear", &[]),
    ("output_audio_buffer.clear", &[]),
    ("conversation.item.create", &[required("item", ITEM), nullable("previous_item_id", NAME)]),
    ("conversation.item.retrieve", &[required("item_id", NAME)]),
    (
        "conversation.item.truncate",
        &[
            required("item_id", NAME),
            required("content_index", Int(0, u32::MAX as i64)),
            required("audio_end_ms", Int(0, i64::MAX)),
        ],
    ),
    ("conversation.item.delete", &[required("item_id", NAME)]),
    ("response.create", &[nullable("response", RESPONSE)]),
    ("response.cancel", &[nullable("response_id", NAME)]),
];

/// The session's shape alone, for client secrets.
pub const SESSION_REQUEST: &Schema = &SESSION;
