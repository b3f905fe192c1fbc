# SPDX-License-Identifier: MPL-2.0
"""What `cargo bench --bench sessions -- peers` measures of a bare client in Python: SESSIONS sessions with sound in real time.

    python bare_aiohttp.py BASE_URL SESSIONS

Prints `connected` when all sessions are, and goes on until its standard input ends.
"""

import asyncio
import base64
import json
import math
import os
import struct
import sys
import threading

import aiohttp

CHUNK = 0.02
SPEECH = b"".join(struct.pack("<h", round(math.sin(n / 24_000 * 440 * math.tau) * 8_000)) for n in range(480))
SILENCE = bytes(960)


async def listen(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for message in socket:
        event = json.loads(message.data)
        if event["type"] == "response.output_audio.delta":
            base64.b64decode(event["delta"])


async def main(base: str, sessions: int) -> None:
    async with aiohttp.ClientSession() as client:
        url = f"{base}/realtime?model=gpt-realtime"
        sockets = [await client.ws_connect(url, headers={"Authorization": "Bearer none"}) for _ in range(sessions)]
        print("connected", flush=True)
        listeners = [asyncio.create_task(listen(socket)) for socket in sockets]
        clock = asyncio.get_running_loop().time
        start, index = clock(), 0
        while all(not listener.done() for listener in listeners):
            sound = SPEECH if 50 <= index % 500 < 200 else SILENCE
            for number, socket in enumerate(sockets):
                due = start + CHUNK * (index + number / sessions)
                await asyncio.sleep(max(0, due - clock()))
                await socket.send_json({"type": "input_audio_buffer.append", "audio": base64.b64encode(sound).decode()})
            index += 1
        raise ConnectionError("a session has ended")


def end_with_standard_input() -> None:
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_standard_input, daemon=True).start()
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
