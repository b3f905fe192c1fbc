#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Has a server speak and transcribe with the official Python client, unchanged, and sums up what comes back.

    audio.py BASE_URL RECORDING.wav

Prints one line of JSON: speech that is heard back, transcripts in several formats and as a stream, and errors.
"""

import json
import pathlib
import sys

import openai


def main():
    base, recording = sys.argv[1:]
    client = openai.OpenAI(base_url=base, api_key="none", max_retries=0)
    recording = pathlib.Path(recording)

    def speak(**more):
        wish = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "The weather is nice. See you soon."}
        return client.audio.speech.with_streaming_response.create(**{**wish, **more})

    def transcribe(file=recording, **more):
        return client.audio.transcriptions.create(file=file, model="gpt-4o-mini-transcribe", **more)

    def refused(call):
        try:
            call()
        except openai.APIStatusError as error:
            return [error.status_code, error.code, error.param]
        return None

    with speak(response_format="wav") as response:
        speech = b"".join(response.iter_bytes())
    streamed = [event for event in transcribe(stream=True) if event.type == "transcript.text.delta"]
    verbose = transcribe(response_format="verbose_json", timestamp_granularities=["segment"])

    def speak_mp3():
        with speak(response_format="mp3"):
            pass

    summary = {
        "bytes": len(speech),
        "heard_back": transcribe(file=("speech.wav", speech)).text,
        "text": transcribe(language="en").text,
        "streamed": "".join(event.delta for event in streamed),
        "srt": transcribe(response_format="srt"),
        "segments": len(verbose.segments),
        "errors": {"format": refused(speak_mp3), "language": refused(lambda: transcribe(language="fr"))},
    }
    print(json.dumps(summary))


main()
