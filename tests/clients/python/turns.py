#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Talks to a server with the official Python client, unchanged, and checks what comes back.

    turns.py BASE_URL RECORDING.wav [--heard WORDS] [--said WORDS] [--thinks] [--limit SECONDS]

A spoken turn (the server finds its end), a written one, with a server that thinks function calls and an answer that the
user speaks over, then a truncation, a deletion and an error. Every event is held
against the client's own models. Prints one line of JSON that sums up what happened; anything that is wrong ends the
script with status 1 and one line that says what.
"""

import argparse
import array
import asyncio
import base64
import json
import sys
import time
import typing
import wave

import openai
from openai.types.realtime import RealtimeServerEvent
from pydantic import BaseModel, ValidationError

MODEL = "gpt-realtime"
RATE = 24_000
CHUNK = RATE // 10 * 2
SILENCE_MS = 2_000
# The client's model of each event.
UNION, *_ = typing.get_args(RealtimeServerEvent)
MODELS = {typing.get_args(model.model_fields["type"].annotation)[0]: model for model in typing.get_args(UNION)}
# What the API tells of a session and the client's models of these events leave out.
UNTYPED = {
    f"session.{event}.session.{name}" for event in ("created", "updated") for name in ("id", "object", "expires_at")
}


class Wrong(Exception):
    """What the server did that it must not do."""


def check(condition, message):
    if not condition:
        raise Wrong(message)


def recording(path):
    """A mono recording as 16-bit samples at the rate of the API, interpolated between neighbours."""
    with wave.open(path) as wav:
        check(wav.getnchannels() == 1 and wav.getsampwidth() == 2, f"{path} is not mono with 16 bits")
        rate, samples = wav.getframerate(), array.array("h", wav.readframes(wav.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    out = array.array("h")
    for index in range(len(samples) * RATE // rate):
        place, rest = divmod(index * rate, RATE)
        left, right = samples[place], samples[min(place + 1, len(samples) - 1)]
        out.append(left + (right - left) * rest // RATE)
    if sys.byteorder == "big":
        out.byteswap()
    return out.tobytes()


def unknown_fields(value, place):
    """The places of fields that a model has kept without knowing them."""
    if isinstance(value, BaseModel):
        yield from (f"{place}.{name}" for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from unknown_fields(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, (list, tuple)):
        for index, entry in enumerate(value):
            yield from unknown_fields(entry, f"{place}[{index}]")


class Conversation:
    """A connection of the official client, with all events so far."""

    def __init__(self, connection):
        self.connection = connection
        self.events = []

    async def next(self):
        """The next event, once as the client gives it to applications and once checked."""
        data = await self.connection.recv_bytes()
        raw = json.loads(data)
        name = raw["type"]
        check(name in MODELS, f"no such event: {raw}")
        try:
            checked = MODELS[name].model_validate(raw, strict=True)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            place = ".".join(map(str, fault["loc"]))
            raise Wrong(f"{name} at {place}: {fault['msg']}, in {raw}") from None
        event = self.connection.parse_event(data)
        check(type(event) is type(checked), f"{name} is read as {type(event).__name__}")
        unknown = sorted(set(unknown_fields(checked, name)) - UNTYPED)
        check(not unknown, f"unknown fields: {', '.join(unknown)}")
        self.events.append(checked)
        return checked

    async def until(self, *types, error=False):
        """The events up to the first of the last missing type. An error that nobody expects ends everything."""
        since, missing = len(self.events), set(types)
        while missing:
            event = await self.next()
            check(error or event.type != "error", f"an error while waiting for {sorted(missing)}: {event}")
            missing.discard(event.type)
        return self.events[since:]


def of(events, name):
    """The events of a type."""
    return [event for event in events if event.type == name]


def one(events, name):
    """The one event of a type."""
    found = of(events, name)
    check(len(found) == 1, f"{len(found)} events {name} instead of one")
    return found[0]


def check_order(events, *names):
    """The first event of each of these types comes after that of the one before."""
    order = [event.type for event in events]
    for name in names:
        check(name in order, f"no {name} after {[event.type for event in events]}")
        del order[: order.index(name) + 1]


async def configure(talk):
    created = await talk.next()
    check(created.type == "session.created", f"the first event is {created.type}")
    await talk.connection.session.update(
        event_id="configure",
        session={
            "type": "realtime",
            "instructions": "Answer in one short sentence.",
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": RATE},
                    "transcription": {"model": "gpt-4o-mini-transcribe", "language": "en"},
                    "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 1000},
                },
                "output": {"format": {"type": "audio/pcm", "rate": RATE}, "voice": "marin"},
            },
        },
    )
    (updated,) = await talk.until("session.updated")
    session = updated.session
    check(session.instructions == "Answer in one short sentence.", f"instructions: {session.instructions}")
    check(session.audio.output.voice == "marin", f"voice: {session.audio.output.voice}")
    check(session.audio.input.transcription.model == "gpt-4o-mini-transcribe", "the transcription is not on")
    check(session.audio.input.turn_detection.silence_duration_ms == 1000, "the turn detection is another one")


async def speak(talk, sound):
    for start in range(0, len(sound), CHUNK):
        await talk.connection.input_audio_buffer.append(audio=base64.b64encode(sound[start : start + CHUNK]).decode())


async def spoken_turn(talk, path, heard, said):
    sound = recording(path) + bytes(SILENCE_MS * RATE // 1000 * 2)
    # Listening and speaking at once, as an application does.
    speaking = asyncio.create_task(speak(talk, sound))
    events = await talk.until("conversation.item.input_audio_transcription.completed", "response.done")
    await speaking

    check_order(
        events,
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    )
    started = one(events, "input_audio_buffer.speech_started")
    stopped = one(events, "input_audio_buffer.speech_stopped")
    length_ms = len(sound) * 1000 // (RATE * 2)
    check(0 <= started.audio_start_ms < stopped.audio_end_ms <= length_ms, f"{started} {stopped}")
    transcription = one(events, "conversation.item.input_audio_transcription.completed")
    added = of(events, "conversation.item.added")
    items = {
        started.item_id,
        stopped.item_id,
        one(events, "input_audio_buffer.committed").item_id,
        added[0].item.id,
        transcription.item_id,
    }
    check(len(items) == 1, f"one turn, but several items: {items}")
    pieces = "".join(delta.delta or "" for delta in of(events, "conversation.item.input_audio_transcription.delta"))
    check(pieces == transcription.transcript, f"{pieces!r} is not {transcription.transcript!r}")
    check(heard.lower() in transcription.transcript.lower(), f"'{heard}' was heard as '{transcription.transcript}'")

    response = one(events, "response.done").response
    check(response.status == "completed", f"the answer is {response.status}: {response.status_details}")
    (message,) = response.output
    deltas = of(events, "response.output_audio.delta")
    audio = b"".join(base64.b64decode(delta.delta, validate=True) for delta in deltas)
    check(audio and len(audio) % 2 == 0, f"{len(audio)} bytes of sound")
    check(any(audio), "the answer is silence")
    transcript = one(events, "response.output_audio_transcript.done").transcript
    pieces = "".join(delta.delta for delta in of(events, "response.output_audio_transcript.delta"))
    check(pieces == transcript == message.content[0].transcript, f"{pieces!r}, {transcript!r} and {message} differ")
    check(said.lower() in transcript.lower(), f"'{said}' is not in '{transcript}'")
    check_usage(response.usage)
    check(response.usage.input_token_details.audio_tokens > 0, "listening cost nothing")
    check(response.usage.output_token_details.audio_tokens > 0, "speaking cost nothing")
    return {
        "item_id": message.id,
        "heard": transcription.transcript,
        "said": transcript,
        "audio_ms": len(audio) * 1000 // (RATE * 2),
    }


def check_usage(usage):
    check(usage is not None, "no usage")
    check(usage.total_tokens == usage.input_tokens + usage.output_tokens > 0, f"the sum is off: {usage}")


async def written_turn(talk):
    await talk.connection.conversation.item.create(
        event_id="ask",
        item={
            "type": "message",
            "id": "question",
            "role": "user",
            "content": [{"type": "input_text", "text": "How much is three plus four?"}],
        },
    )
    events = await talk.until("conversation.item.added", "conversation.item.done")
    check(one(events, "conversation.item.done").item.id == "question", "the item has another name")
    await talk.connection.response.create(
        event_id="answer", response={"output_modalities": ["text"], "metadata": {"topic": "sums"}}
    )
    events = await talk.until("response.done")
    check_order(
        events,
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    )
    check(not of(events, "response.output_audio.delta"), "sound in a written answer")
    response = one(events, "response.done").response
    text = one(events, "response.output_text.done").text
    pieces = "".join(delta.delta for delta in of(events, "response.output_text.delta"))
    check(text and pieces == text == response.output[0].content[0].text, f"{pieces!r}, {text!r}, {response}")
    check(response.metadata == {"topic": "sums"}, f"metadata: {response.metadata}")
    check(response.output_modalities == ["text"], f"modalities: {response.output_modalities}")
    check_usage(response.usage)
    return text


WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


async def ask(talk, text, **response):
    """Something typed, and the events of the answer."""
    content = [{"type": "input_text", "text": text}]
    await talk.connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
    await talk.connection.response.create(response=response)


async def function_calls(talk):
    """Two calls in one answer, their results, the answer to these; and a result that nobody asked for."""
    await talk.connection.session.update(session={"type": "realtime", "tools": [WEATHER]})
    updated = one(await talk.until("session.updated"), "session.updated")
    check(updated.session.tools[0].name == "get_weather", f"tools: {updated.session.tools}")
    await ask(talk, "What's the weather in Paris and London?", output_modalities=["text"])
    events = await talk.until("response.done")
    check_order(
        events,
        "response.created",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.done",
    )
    calls = one(events, "response.done").response.output
    done = {event.call_id: event.arguments for event in of(events, "response.function_call_arguments.done")}
    check(done == {call.call_id: call.arguments for call in calls}, f"{done} is not {calls}")
    cities = [json.loads(call.arguments) for call in calls]
    check(cities == [{"city": "Paris"}, {"city": "London"}], f"arguments: {cities}")
    items = talk.connection.conversation.item
    for call, temperature in zip(calls, (21, 12)):
        output = json.dumps({"temperature": temperature})
        await items.create(item={"type": "function_call_output", "call_id": call.call_id, "output": output})
    await talk.connection.response.create(response={"output_modalities": ["text"]})
    text = one(await talk.until("response.done"), "response.output_text.done").text
    check("21" in text and "12" in text, f"the results are told as '{text}'")
    stray = {"type": "function_call_output", "call_id": "call_of_nobody", "output": "1"}
    await items.create(event_id="stray", item=stray)
    error = one(await talk.until("error", error=True), "error").error
    check((error.code, error.event_id) == ("invalid_tool_call_id", "stray"), f"{error}")
    return text


async def barge_in(talk, path):
    """A long answer, spoken over: it is cancelled, and what was not heard is taken back."""
    sentences = " ".join("This is a rather long sentence that is only there to be interrupted." for _ in range(20))
    await ask(talk, f"Repeat after me: {sentences}")
    await talk.until("response.output_audio.delta")
    sound = recording(path) + bytes(SILENCE_MS * RATE // 1000 * 2)
    speaking = asyncio.create_task(speak(talk, sound))
    events = await talk.until("response.done")
    check_order(events, "input_audio_buffer.speech_started", "response.output_item.done", "response.done")
    response = one(events, "response.done").response
    check(response.status == "cancelled", f"the answer is {response.status}")
    check(response.status_details.reason == "turn_detected", f"{response.status_details}")
    (message,) = response.output
    check(message.status == "incomplete", f"the message is {message.status}")
    items = talk.connection.conversation.item
    await items.truncate(item_id=message.id, content_index=0, audio_end_ms=300)
    await items.retrieve(item_id=message.id)
    events = await talk.until("conversation.item.truncated", "conversation.item.retrieved")
    (part,) = one(events, "conversation.item.retrieved").item.content
    heard = len(base64.b64decode(part.audio, validate=True)) * 1000 // (RATE * 2)
    check(heard == 300 and part.transcript is None, f"{heard} ms are left, with the words {part.transcript}")
    await speaking
    done = {event.type for event in events}
    await talk.until(*{"conversation.item.input_audio_transcription.completed", "response.done"} - done)
    answer = of(talk.events, "response.done")[-1]
    check(answer.response.status == "completed", f"the next answer is {answer.response.status}")
    return response.status_details.reason


async def afterwards(talk, item_id):
    """Takes back a part of the spoken answer, then all of it, then what is not there any more."""
    items = talk.connection.conversation.item
    await items.truncate(item_id=item_id, content_index=0, audio_end_ms=100)
    truncated = one(await talk.until("conversation.item.truncated"), "conversation.item.truncated")
    check((truncated.item_id, truncated.audio_end_ms) == (item_id, 100), f"{truncated}")
    await items.retrieve(item_id=item_id)
    retrieved = one(await talk.until("conversation.item.retrieved"), "conversation.item.retrieved")
    kept = len(base64.b64decode(retrieved.item.content[0].audio, validate=True)) * 1000 // (RATE * 2)
    check(kept == 100, f"{kept} ms are left of the item")
    await items.delete(item_id=item_id)
    deleted = one(await talk.until("conversation.item.deleted"), "conversation.item.deleted")
    check(deleted.item_id == item_id, f"{deleted}")
    await items.truncate(item_id=item_id, content_index=0, audio_end_ms=100, event_id="too-late")
    error = one(await talk.until("error", error=True), "error").error
    check(error.event_id == "too-late", f"the error is of {error.event_id}")
    check(error.message and error.type == "invalid_request_error", f"{error}")
    return error.code


async def talk_to(arguments):
    client = openai.AsyncOpenAI(base_url=arguments.base_url, api_key="sk-of-the-tests")
    began = time.monotonic()
    async with client.realtime.connect(model=MODEL) as connection:
        talk = Conversation(connection)
        await configure(talk)
        spoken = await spoken_turn(talk, arguments.recording, arguments.heard, arguments.said)
        text = await written_turn(talk)
        thoughts = {}
        if arguments.thinks:
            thoughts["told"] = await function_calls(talk)
            thoughts["interrupted"] = await barge_in(talk, arguments.recording)
        code = await afterwards(talk, spoken.pop("item_id"))
    return {
        "client": f"openai {openai.__version__} for Python",
        **spoken,
        "text": text,
        **thoughts,
        "error": code,
        "events": len(talk.events),
        "types": len({event.type for event in talk.events}),
        "seconds": round(time.monotonic() - began, 1),
    }


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base_url")
    parser.add_argument("recording")
    parser.add_argument("--heard", default="", help="words that the server must hear")
    parser.add_argument("--said", default="", help="words that the server must say")
    parser.add_argument("--thinks", action="store_true", help="the server calls functions and takes its time to speak")
    parser.add_argument("--limit", type=float, default=60, help="seconds that all of it may take")
    arguments = parser.parse_args()
    try:
        async with asyncio.timeout(arguments.limit):
            print(json.dumps(await talk_to(arguments)))
    except TimeoutError:
        raise Wrong(f"not done after {arguments.limit:g} seconds") from None


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (Wrong, openai.OpenAIError, OSError) as error:
        sys.exit(f"turns.py: {type(error).__name__}: {error}")
