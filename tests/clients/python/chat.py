#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Asks a server for chat completions with the official Python client, unchanged, and checks what comes back.

    chat.py BASE_URL RECORDING.wav PICTURE.jpg --said WORD --seen WORD

Written, spoken and streamed answers, a recording and a picture, a function call with its output, a spoken answer that is
referred to, and errors. Prints one line of JSON that sums up what happened; anything that is wrong ends the script with
status 1.
"""

import argparse
import base64
import json
import sys
import wave
from io import BytesIO

import openai


def check(condition, message):
    if not condition:
        sys.exit(f"chat.py: {message}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("recording")
    parser.add_argument("picture")
    parser.add_argument("--said", required=True)
    parser.add_argument("--seen", required=True)
    args = parser.parse_args()
    client = openai.OpenAI(base_url=args.base, api_key="none", max_retries=0)

    def read(path):
        with open(path, "rb") as file:
            return base64.b64encode(file.read()).decode()

    sound = {"type": "input_audio", "input_audio": {"data": read(args.recording), "format": "wav"}}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{read(args.picture)}"}}
    user = lambda *parts: {"role": "user", "content": list(parts)}
    ask = lambda messages, **more: client.chat.completions.create(model="gpt-audio-1.5", messages=messages, **more)

    # A recording, answered in writing.
    heard = ask([{"role": "system", "content": "Be brief."}, user(sound)])
    choice = heard.choices[0]
    check(args.said in choice.message.content.lower(), f"'{args.said}' was not heard: {choice.message.content}")
    check(choice.finish_reason == "stop" and heard.usage.prompt_tokens_details.audio_tokens > 0, heard)

    # The same spoken, whole.
    spoken = ask([user(sound)], modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"})
    audio = spoken.choices[0].message.audio
    check(args.said in audio.transcript.lower() and audio.expires_at > spoken.created, audio.transcript)
    with wave.open(BytesIO(base64.b64decode(audio.data))) as wav:
        frames = wav.getnframes()
        check(wav.getframerate() == 24_000 and wav.getnchannels() == 1, "the answer is 24 kHz mono")
    check(frames > 12_000 and spoken.usage.completion_tokens_details.audio_tokens > 0, "the answer is spoken")

    # Streamed, as raw samples.
    stream = ask([user(sound)], modalities=["text", "audio"], audio={"voice": "alloy", "format": "pcm16"}, stream=True,
        stream_options={"include_usage": True})
    transcript, samples, reason, usage, expires = "", b"", None, None, None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            piece = choice.delta.audio
            transcript += (piece and piece.transcript) or ""
            samples += base64.b64decode((piece and piece.data) or "")
            expires = (piece and piece.expires_at) or expires
            reason = choice.finish_reason or reason
    check(transcript == audio.transcript and reason == "stop" and usage and expires, (transcript, reason, usage, expires))
    check(len(samples) == frames * 2, f"{len(samples)} bytes streamed, {frames} samples whole")

    # The spoken answer is referred to, not sent again.
    later = ask([user(sound), {"role": "assistant", "audio": {"id": audio.id}}, user({"type": "text", "text": "Hi"})])
    check(later.choices[0].message.content, "an answer")

    # A picture.
    seen = ask([user({"type": "text", "text": "What do you see?"}, picture)]).choices[0].message.content
    check(args.seen in seen.lower(), f"'{args.seen}' was not seen: {seen}")

    # A function: called, streamed as well, and its output told.
    tools = [{"type": "function", "function": {"name": "get_weather", "description": "Get the weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
    question = {"role": "user", "content": "What is the weather in Paris?"}
    called = ask([question], tools=tools).choices[0]
    check(called.finish_reason == "tool_calls", called)
    call = called.message.tool_calls[0]
    check((call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"}), call)
    arguments = "".join(piece.function.arguments or "" for chunk in ask([question], tools=tools, stream=True)
        for choice in chunk.choices for piece in choice.delta.tool_calls or [])
    check(json.loads(arguments) == {"city": "Paris"}, arguments)
    output = {"role": "tool", "tool_call_id": call.id, "content": '{"temperature": 21}'}
    told = ask([question, called.message, output], tools=tools).choices[0].message.content
    check("21" in told, told)

    # Cut at a limit.
    short = ask([user(sound)], max_completion_tokens=3).choices[0]
    check(short.finish_reason == "length", short)

    # Errors.
    errors = {}
    for name, request in {
        "model": {"model": "no-such-model", "messages": [question]},
        "format": {"model": "m", "messages": [question], "modalities": ["text", "audio"], "stream": True,
            "audio": {"voice": "alloy", "format": "wav"}},
        "url": {"model": "m", "messages": [user({"type": "image_url", "image_url": {"url": "https://x.test/a.jpg"}})]},
    }.items():
        try:
            client.chat.completions.create(**request)
            check(False, f"{name}: it was taken")
        except openai.APIStatusError as error:
            errors[name] = [error.status_code, error.code, error.param]
    print(json.dumps({"client": f"openai {openai.__version__} for Python", "said": transcript, "seen": seen,
        "told": told, "errors": errors}))


if __name__ == "__main__":
    main()
