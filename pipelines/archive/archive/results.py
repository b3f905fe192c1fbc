# SPDX-License-Identifier: MPL-2.0
"""The table of results below OUTPUT/results, as JSON lines and as Parquet.

`ok-RUN-N` are the rows that are done, written once; `failed` are those that are not, written anew at the end of each run: it
is the list of dead letters. So the folder has each recording once.
"""

import io
import json
from collections.abc import Iterator

import pyarrow
from pyarrow import fs, parquet

from . import rows
from .store import open_folder, write

# A part is written after so many rows, or so many seconds.
PART_ROWS, PART_S = 1000, 30.0

SEGMENT = pyarrow.struct([("start", pyarrow.float64()), ("end", pyarrow.float64()), ("role", pyarrow.string()), ("text", pyarrow.string())])
TYPES = {
    "retryable": pyarrow.bool_(), "duration_s": pyarrow.float64(), "done_s": pyarrow.float64(), "turns": pyarrow.int64(),
    "segments": pyarrow.list_(SEGMENT), "input_tokens": pyarrow.int64(), "output_tokens": pyarrow.int64(),
    "cost_usd": pyarrow.float64(), "session_ids": pyarrow.list_(pyarrow.string()), "retries": pyarrow.int64(),
    "attempts": pyarrow.int64(), "wall_s": pyarrow.float64(), "outputs": pyarrow.list_(pyarrow.string()),
    "versions": pyarrow.struct([("worker", pyarrow.string()), ("gstreamer", pyarrow.string())]), "exit_code": pyarrow.int64(),
}  # fmt: skip
# A filled schema may be anything: JSON in a column of text.
SCHEMA = pyarrow.schema([(name, TYPES.get(name, pyarrow.string())) for name in rows.EMPTY])


class Results:
    def __init__(self, output: str, endpoint: str | None, run: str, now: float):
        self._filesystem, folder = open_folder(output, endpoint)
        self.folder = f"{folder}/results"
        self._run, self._part, self._rows, self._written = run, 0, [], now

    def earlier(self) -> Iterator[dict]:
        """The rows of earlier runs, `failed` first: what is done has been done since."""
        selector = fs.FileSelector(self.folder, allow_not_found=True)
        for info in sorted(self._filesystem.get_file_info(selector), key=lambda info: info.path):
            if info.path.endswith(".jsonl"):
                with self._filesystem.open_input_stream(info.path) as stream:
                    yield from (json.loads(line) for line in io.TextIOWrapper(stream, "utf-8"))

    def add(self, row: dict, now: float) -> None:
        self._rows.append(row)
        if len(self._rows) >= PART_ROWS or now - self._written >= PART_S:
            self.flush(now)

    def flush(self, now: float) -> None:
        if self._rows:
            self._part += 1
            self._write(f"ok-{self._run}-{self._part:05}", self._rows)
        self._rows, self._written = [], now

    def finish(self, failed: list[dict], summary: str, now: float) -> None:
        self.flush(now)
        self._write("failed", failed)
        write(self._filesystem, f"{self.folder}/summary.html", summary.encode())

    def _write(self, name: str, table: list[dict]) -> None:
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table)
        write(self._filesystem, f"{self.folder}/{name}.jsonl", lines.encode())
        columns = [{**row, "result": None if row["result"] is None else json.dumps(row["result"], ensure_ascii=False)} for row in table]
        buffer = io.BytesIO()
        parquet.write_table(pyarrow.Table.from_pylist(columns, schema=SCHEMA), buffer)
        write(self._filesystem, f"{self.folder}/{name}.parquet", buffer.getvalue())
