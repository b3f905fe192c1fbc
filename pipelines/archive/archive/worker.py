# SPDX-License-Identifier: MPL-2.0
"""Runs `recording-worker` for one recording. Whatever becomes of it, there is a row."""

import collections
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable

from . import rows

# A worker that ends without a row has said why on standard error, in its last words.
WORDS = 300


def run(program: str, uri: str, output: str, settings: str, endpoint: str | None, attempts: int, on_event: Callable[[dict], None]) -> dict:
    """Works on a recording. `on_event` gets what the worker tells meanwhile. `attempts`: how often it was tried before."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        file.write(settings)
        file.flush()
        command = [program, "--progress", *(["--endpoint-url", endpoint] if endpoint else []), "--", uri, output, file.name]
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace")
        except OSError as error:
            return {**rows.died(uri, 2, f"{program} cannot be started: {error.strerror}", attempts + 1), "exit_code": None}
        words: collections.deque[str] = collections.deque(maxlen=5)
        # Read beside, so that a worker that complains at length does not stand still.
        complaints = threading.Thread(target=read_all, args=(child.stderr, words), daemon=True)
        complaints.start()
        lines: collections.deque[str] = collections.deque(maxlen=2)
        try:
            for line in child.stdout:
                lines.append(line)
                if line.startswith('{"') and '"event"' in line[:40]:
                    on_event(json.loads(line))
            exit_code = child.wait()
        finally:
            child.kill()
            child.wait()
            complaints.join(timeout=5)
            child.stdout.close()
    said = " ".join("".join(words).split())[-WORDS:]
    row = rows.last_row(list(lines)) if exit_code in (0, 1, 3, 4, 5) else None
    row = {**rows.EMPTY, **row} if row else rows.died(uri, exit_code, said, attempts + 1)
    return {**row, "attempts": max(row["attempts"], attempts + 1), "exit_code": exit_code}


def read_all(stream, words: collections.deque[str]) -> None:
    with stream:
        words.extend(stream)


def find_program(named: str | None) -> str:
    """The program that was named, else the one in the search path."""
    return named or os.environ.get("RECORDING_WORKER") or "recording-worker"
