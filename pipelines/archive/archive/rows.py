# SPDX-License-Identifier: MPL-2.0
"""Rows as `recording-worker` writes them, and those of recordings whose worker did not live to write one."""

import hashlib
import json
import signal
from collections.abc import Iterable

OK = "ok"
# Fields that this program adds: which recording in the list it is, and where it was worked on.
ADDED = {"version": "", "settings": "", "node": "", "exit_code": None}

EMPTY = {
    "uri": "", "key": "", "etag": None, "task": "", "status": "failed", "error_kind": None, "error": None, "error_code": None,
    "retryable": False, "duration_s": None, "done_s": 0.0, "turns": 0, "user_text": "", "answer_text": "", "result": None,
    "segments": [], "input_tokens": 0, "output_tokens": 0, "cost_usd": None, "model": None, "session_ids": [], "retries": 0,
    "attempts": 1, "wall_s": 0.0, "versions": {"worker": "", "gstreamer": ""}, "outputs": [], **ADDED,
}  # fmt: skip


def died(uri: str, exit_code: int, words: str, attempts: int) -> dict:
    """The row of a recording whose worker ended without one."""
    how = f"with exit status {exit_code}"
    if exit_code < 0:
        try:
            how = f"by {signal.Signals(-exit_code).name}"
        except ValueError:
            how = f"by signal {-exit_code}"
    # A mistake of the settings, or results that cannot be written, are the same for all.
    kind = {2: "settings", 6: "output"}.get(exit_code, "worker-died")
    error = f"the worker ended {how}" + (f": {words}" if words else "")
    return {**EMPTY, "uri": uri, "error_kind": kind, "error": error, "retryable": kind != "settings", "attempts": attempts, "exit_code": exit_code}


def last_row(lines: list[str]) -> dict | None:
    """The row that a worker has printed as its last line."""
    for line in reversed(lines):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and "status" in row and "key" in row:
            return row
    return None


def concerns_all(row: dict) -> bool:
    """Whether every other recording will fail in the same way."""
    return row["status"] != OK and row["error_kind"] in ("not-authorized", "quota", "model-not-found", "settings")


def may_retry(row: dict, max_attempts: int) -> bool:
    return row["status"] != OK and row["retryable"] and row["attempts"] < max_attempts


def to_retry(failed: Iterable[dict], max_attempts: int) -> list[dict]:
    """Those of the failed that this run has begun, and may begin again. Recordings of earlier runs that are not in the source
    any more have no place for results."""
    return [row for row in failed if row["_output"] and may_retry(row, max_attempts)]


def settings_hash(text: str) -> str:
    """Settings by what they say, not by how they are written."""
    return hashlib.sha256(json.dumps(json.loads(text), sort_keys=True).encode()).hexdigest()[:16]
