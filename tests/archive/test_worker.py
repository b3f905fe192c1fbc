# SPDX-License-Identifier: MPL-2.0
"""Programs that take the place of `recording-worker` and end in every way that a program can."""

import pathlib
import tempfile
import unittest

from archive import rows, worker


class WorkerTest(unittest.TestCase):
    def run_program(self, script: str, attempts: int = 0) -> tuple[dict, list[dict]]:
        events = []
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "worker")
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
            return worker.run(str(program), "file:///a.wav", "/out", '{"task": "answer"}', None, attempts, events.append), events

    def test_a_row_and_events_are_read(self):
        row, events = self.run_program(
            """echo '{"event": "retry"}'; grep -q answer "$5" || exit 2; echo '{"key": "k", "status": "ok", "attempts": 1, "uri": "'"$3"'"}'"""
        )
        self.assertEqual(events, [{"event": "retry"}])
        self.assertEqual((row["status"], row["uri"], row["exit_code"], row["cost_usd"]), ("ok", "file:///a.wav", 0, None))
        self.assertEqual(row.keys(), rows.EMPTY.keys())

    def test_a_crash_is_a_row(self):
        row, _ = self.run_program("echo half of it; kill -SEGV $$", attempts=1)
        self.assertEqual((row["status"], row["error_kind"], row["exit_code"], row["attempts"]), ("failed", "worker-died", -11, 2))

    def test_what_it_complains_of_is_in_the_row(self):
        row, _ = self.run_program("echo 'recording-worker: unknown field' >&2; exit 2")
        self.assertIn("unknown field", row["error"])
        self.assertTrue(rows.concerns_all(row))

    def test_complaints_without_an_end_do_not_stop_it(self):
        row, _ = self.run_program("""yes complaint | head -n 100000 >&2; echo '{"key": "k", "status": "ok", "attempts": 1}'""")
        self.assertEqual(row["status"], "ok")

    def test_a_program_that_is_not_there_is_named(self):
        row = worker.run("/no/worker", "file:///a.wav", "/out", "{}", None, 0, print)
        self.assertIn("/no/worker cannot be started", row["error"])
        self.assertTrue(rows.concerns_all(row))


if __name__ == "__main__":
    unittest.main()
