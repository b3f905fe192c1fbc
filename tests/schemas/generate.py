#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Write the JSON Schemas of the Realtime events that the tests hold every event against.

The shapes are read out of the types that the official `openai` package ships, so what the schemas say is what the
published client says, and nobody's memory of it:

    ga-server.json   from the pydantic models of the server's events; what they leave optional may also be null
    ga-client.json   from the TypedDicts of the client's requests; null only where the API takes null
    beta-server.json and beta-client.json   the same of the beta's types
    translation-server.json and translation-client.json   the same of translation sessions
    translation-secrets.json   a request for a client secret of a translation session, and its answer
    chat.json        a request of Chat Completions, a whole answer, and a chunk of a streamed one

All refuse keys that the types do not have: what the tests check was written by this project, and a misspelt optional
field is otherwise no error at all. Prose is left out. Two additions serve the tests: `x-events` gives the one
definition of each event type, so that a failed check names the wrong field rather than the union that did not match,
and `x-source` says what the file was made from.

Usage, with the Python environment of the official client's test:

    tests/clients/install.sh
    target/clients/python/bin/python tests/schemas/generate.py            # write the files beside this script
    target/clients/python/bin/python tests/schemas/generate.py --check    # write nothing; fail where they differ
"""

import json
import sys
import typing
from pathlib import Path

import openai
import pydantic
from openai.types.beta.realtime import RealtimeClientEventParam as BetaClientEventParam
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming
from openai.types.realtime import (
    RealtimeClientEventParam,
    RealtimeServerEvent,
    RealtimeTranslationClientEventParam,
    RealtimeTranslationClientSecretCreateResponse,
    RealtimeTranslationServerEvent,
    ResponseCreateEventParam,
    ResponseCreateEventWithReferencesParam,
)
from openai.types.realtime.translations.client_secret_create_params import ClientSecretCreateParams

VERSION = "3.52.0"
HERE = Path(__file__).resolve().parent
WIDTH = 120

# Limits that the API documents and the types do not carry: of a property, whatever definition it stands in.
LIMITS = {
    "event_id": {"maxLength": 512},
    "audio_end_ms": {"minimum": 0},
    "idle_timeout_ms": {"minimum": 5000, "maximum": 30000},
    "post_instructions": {"minimum": 0},
    "retention_ratio": {"minimum": 0, "maximum": 1},
    "speed": {"minimum": 0.25, "maximum": 1.5},
    "threshold": {"minimum": 0, "maximum": 1},
    # Of a place in the sound.
    "elapsed_ms": {"minimum": 0},
    # At most 16 pairs of at most 64 and 512 characters.
    "metadata": {
        "maxProperties": 16,
        "propertyNames": {"maxLength": 64},
        "additionalProperties": {"type": "string", "maxLength": 512},
    },
    # Either sound, which always comes with its words, or text alone.
    "output_modalities": {"minItems": 1, "maxItems": 1},
}
# Fields that the service tells of a session and that only the types of `client_secrets` have.
UNTYPED = {
    "RealtimeSessionCreateRequest": {
        "id": {"type": "string"},
        "object": {"const": "realtime.session"},
        "expires_at": {"type": "integer"},
    },
    "RealtimeTranscriptionSessionCreateRequest": {
        "id": {"type": "string"},
        "object": {"const": "realtime.transcription_session"},
        "expires_at": {"type": "integer"},
    },
}
BETA_LIMITS = {
    "event_id": {"maxLength": 512},
    "audio_end_ms": {"minimum": 0},
    "temperature": {"minimum": 0.6, "maximum": 1.2},
    "threshold": {"minimum": 0, "maximum": 1},
    "modalities": {"minItems": 1, "maxItems": 2},
}
# The same in the beta. The secret of a transcription session is only told where it was made.
BETA_UNTYPED = {
    # Any model: on Azure a deployment has the name that its owner gave it.
    "Session": {
        "object": {"const": "realtime.session"},
        "expires_at": {"type": "integer"},
        "model": {"type": "string"},
    },
    "TranscriptionSession": {
        "id": {"type": "string"},
        "object": {"const": "realtime.transcription_session"},
        "expires_at": {"type": "integer"},
        "input_audio_noise_reduction": {},
        "include": {},
        "client_secret": {},
    },
}
KEYWORD_TYPE = {
    "maxLength": "string",
    "minimum": ("integer", "number"),
    "maximum": ("integer", "number"),
    "maxProperties": "object",
    "propertyNames": "object",
    "additionalProperties": "object",
    "minItems": "array",
    "maxItems": "array",
}


def members(alias) -> list:
    """The event classes of a union that may be annotated."""
    if typing.get_origin(alias) is typing.Annotated:
        alias = typing.get_args(alias)[0]
    return list(typing.get_args(alias))


def short(name: str) -> str:
    """`openai__types__realtime__session_update_event_param__Session` as `SessionUpdateEventParam.Session`."""
    *_, module, leaf = ["", *name.split("__")]
    return f"{''.join(part.capitalize() for part in module.split('_'))}.{leaf}" if module else leaf


def is_words(schema) -> bool:
    return "enum" in schema and all(isinstance(word, str) for word in schema["enum"])


def tidy(node):
    """A schema without prose, defaults and alternatives that another one contains; closed to unknown keys."""
    if isinstance(node, list):
        return [tidy(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    out = {}
    for key, value in node.items():
        if key in ("properties", "$defs"):
            out[key] = {name: tidy(schema) for name, schema in value.items()}
        elif key == "$ref":
            out[key] = "#/$defs/" + short(value.removeprefix("#/$defs/"))
        elif key not in ("title", "description", "default", "discriminator", "format"):
            out[key] = tidy(value)
    if out.get("additionalProperties") is True:
        del out["additionalProperties"]
    if "properties" in out:
        out.setdefault("additionalProperties", False)
    if "const" in out or "enum" in out:
        out.pop("type", None)
    if {"type": "string"} in out.get("anyOf", ()):
        # A list of known words beside any word says nothing.
        out["anyOf"] = [each for each in out["anyOf"] if not is_words(each)]
        if len(out["anyOf"]) == 1:
            out |= out.pop("anyOf")[0]
    return out


def limit(schema, limits) -> None:
    """Puts limits on a property's schema, where its type is the one that they speak of."""
    for each in [schema, *schema.get("anyOf", ())]:
        for keyword, value in limits.items():
            types = KEYWORD_TYPE[keyword]
            if each.get("type") in (types if isinstance(types, tuple) else (types,)) and "properties" not in each:
                each[keyword] = value


def event_schema(source: str, events: list, limits=LIMITS, untyped=UNTYPED) -> dict:
    raw = pydantic.TypeAdapter(typing.Union[tuple(events)]).json_schema(ref_template="#/$defs/{model}")
    definitions = {short(name): tidy(schema) for name, schema in raw["$defs"].items()}
    if len(definitions) != len(raw["$defs"]):
        raise SystemExit(f"{source}: two definitions share a short name")

    for name, fields in untyped.items():
        if name in definitions:
            definitions[name]["properties"] |= fields
    for schema in definitions.values():
        for name, bounds in limits.items():
            if name in schema.get("properties", {}):
                limit(schema["properties"][name], bounds)

    types = {}
    for branch in raw["anyOf"]:
        reference = tidy(branch)["$ref"]
        schema = definitions[reference.removeprefix("#/$defs/")]
        name = schema["properties"]["type"]["const"]
        if name in types:
            raise SystemExit(f"{source}: two events are of type {name}")
        types[name] = reference
        schema["required"] = sorted({*schema.get("required", ()), "type"})

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "x-source": {"openai": openai.__version__, "pydantic": pydantic.VERSION, "type": source},
        "x-events": dict(sorted(types.items())),
        "$defs": dict(sorted(definitions.items())),
    }


# The request's two forms differ in `stream` alone. What the service tells of tokens and the types do not have.
CHAT = {
    "request": typing.Union[CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming],
    "response": ChatCompletion,
    "chunk": ChatCompletionChunk,
}
CHAT_UNTYPED = {
    "PromptTokensDetails": {"text_tokens": {"type": "integer"}, "image_tokens": {"type": "integer"}},
    "CompletionTokensDetails": {"text_tokens": {"type": "integer"}},
}


# What is asked for and answered over HTTP.
SECRETS = {"request": ClientSecretCreateParams, "response": RealtimeTranslationClientSecretCreateResponse}


def shapes_schema(source: str, kinds: dict, untyped_fields: dict) -> dict:
    """Each of these shapes as a definition of its own, by its name in `x-events`."""
    definitions, shapes = {}, {}
    for name, kind in kinds.items():
        raw = pydantic.TypeAdapter(kind).json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        for inner, schema in raw.pop("$defs", {}).items():
            definitions[f"{name}.{inner}"] = schema
        definitions[name] = raw
        shapes[name] = f"#/$defs/{name}"
    global short
    long, short = short, lambda inner: inner
    try:
        definitions = {name: tidy(schema) for name, schema in definitions.items()}
    finally:
        short = long
    for name, schema in definitions.items():
        for ending, fields in untyped_fields.items():
            if name.split(".")[-1].split("__")[-1] == ending and "properties" in schema:
                for field, untyped in fields.items():
                    schema["properties"].setdefault(field, untyped)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "x-source": {"openai": openai.__version__, "pydantic": pydantic.VERSION, "type": source},
        "x-events": shapes,
        "$defs": dict(sorted(definitions.items())),
    }


def layout(node, indent=0) -> str:
    """JSON with as much on a line as fits."""
    line = json.dumps(node, ensure_ascii=False)
    if not isinstance(node, (dict, list)) or (indent > 1 and len(line) + indent < WIDTH):
        return line
    pad = " " * (indent + 1)
    if isinstance(node, list):
        rows = [pad + layout(entry, indent + 1) for entry in node]
        return "[\n" + ",\n".join(rows) + "\n" + " " * indent + "]"
    rows = [f"{pad}{json.dumps(key)}: {layout(value, indent + 1)}" for key, value in node.items()]
    return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"


def main() -> None:
    if openai.__version__ != VERSION:
        raise SystemExit(f"the schemas are of openai {VERSION}, this Python has {openai.__version__}")
    # The one request shape of `response.create` that may also refer to items of the conversation.
    client = [each for each in members(RealtimeClientEventParam) if each is not ResponseCreateEventParam]
    files = {
        "ga-client.json": event_schema("RealtimeClientEventParam", [*client, ResponseCreateEventWithReferencesParam]),
        "ga-server.json": event_schema("RealtimeServerEvent", members(RealtimeServerEvent)),
        "beta-client.json": event_schema(
            "beta.RealtimeClientEventParam", members(BetaClientEventParam), BETA_LIMITS, {}
        ),
        "beta-server.json": event_schema(
            "beta.RealtimeServerEvent", members(BetaServerEvent), BETA_LIMITS, BETA_UNTYPED
        ),
        "chat.json": shapes_schema("chat", CHAT, CHAT_UNTYPED),
        "translation-client.json": event_schema(
            "RealtimeTranslationClientEventParam", members(RealtimeTranslationClientEventParam)
        ),
        "translation-server.json": event_schema(
            "RealtimeTranslationServerEvent", members(RealtimeTranslationServerEvent)
        ),
        "translation-secrets.json": shapes_schema("translation client secrets", SECRETS, {}),
    }
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        raise SystemExit(__doc__)
    for name, schema in files.items():
        path, text = HERE / name, layout(schema) + "\n"
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{name} is not what the types say: run tests/schemas/generate.py")
        print(f"{name}: {len(schema['x-events'])} events, {len(schema['$defs'])} definitions")


if __name__ == "__main__":
    main()
