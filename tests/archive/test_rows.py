# SPDX-License-Identifier: MPL-2.0
"""Rows, what is done already, progress and the summary page."""

import json
import unittest

from archive import report, rows
from archive.progress import Progress, duration
from archive.resume import Done


def row(**fields) -> dict:
    return {**rows.EMPTY, "uri": "file:///a.wav", "version": "1", "settings": "s", "status": "ok", **fields}


class RowsTest(unittest.TestCase):
    def test_the_last_line_with_a_row_counts(self):
        line = json.dumps(row(key="k"))
        self.assertEqual(rows.last_row(['{"event": "progress"}', line, "noise\n", '{"cut'])["key"], "k")
        self.assertIsNone(rows.last_row(['{"event": "progress"}', "[1]"]))

    def test_a_worker_that_died_has_a_row(self):
        died = rows.died("file:///a.wav", -11, "", 2)
        self.assertEqual((died["status"], died["error_kind"], died["retryable"], died["attempts"]), ("failed", "worker-died", True, 2))
        self.assertIn("SIGSEGV", died["error"])
        self.assertEqual(died.keys(), rows.EMPTY.keys())
        mistake = rows.died("file:///a.wav", 2, "unknown field", 1)
        self.assertTrue(rows.concerns_all(mistake))
        self.assertIn("unknown field", mistake["error"])

    def test_attempts_are_bounded(self):
        failed = row(status="failed", retryable=True, attempts=2)
        self.assertTrue(rows.may_retry(failed, 3))
        self.assertFalse(rows.may_retry({**failed, "attempts": 3}, 3))
        self.assertFalse(rows.may_retry({**failed, "retryable": False}, 3))

    def test_only_what_this_run_has_begun_is_begun_again(self):
        failed = row(status="failed", retryable=True, attempts=1)
        begun, gone = {**failed, "_output": "/out/a"}, {**failed, "_output": ""}
        self.assertEqual(rows.to_retry([begun, gone, {**begun, "attempts": 3}], 3), [begun])

    def test_settings_are_what_they_say(self):
        self.assertEqual(rows.settings_hash('{"a": 1, "b": 2}'), rows.settings_hash('{ "b":2,"a":1 }'))
        self.assertNotEqual(rows.settings_hash('{"a": 1}'), rows.settings_hash('{"a": 2}'))


class DoneTest(unittest.TestCase):
    def test_only_what_is_left_is_done(self):
        done = Done("s", 3)
        done.add(row())
        done.add(row(uri="file:///empty.wav", status="failed", error_kind="empty"))
        done.add(row(uri="file:///late.wav", status="failed", retryable=True, attempts=2))
        done.add(row(uri="file:///worn.wav", status="failed", retryable=True, attempts=3))
        done.add(row(uri="file:///key.wav", status="failed", error_kind="not-authorized", attempts=1))
        self.assertIsNone(done.attempts("file:///a.wav", "1"))
        self.assertIsNone(done.attempts("file:///empty.wav", "1"))
        self.assertEqual(done.attempts("file:///late.wav", "1"), 2)
        self.assertIsNone(done.attempts("file:///worn.wav", "1"))
        self.assertEqual(done.attempts("file:///key.wav", "1"), 1, "another key may do")
        self.assertEqual(done.attempts("file:///new.wav", "1"), 0)

    def test_what_is_done_is_done_whatever_failed_before(self):
        failed = row(status="failed", retryable=True, attempts=1)
        for earlier in ([row(), failed], [failed, row()]):
            done = Done("s", 3)
            for found in earlier:
                done.add(found)
            self.assertIsNone(done.attempts("file:///a.wav", "1"))

    def test_a_changed_recording_and_other_settings_are_new(self):
        done = Done("s", 3)
        done.add(row())
        done.add(row(uri="file:///b.wav", settings="other"))
        self.assertEqual(done.attempts("file:///a.wav", "2"), 0)
        self.assertEqual(done.attempts("file:///b.wav", "1"), 0)


class ToldTest(unittest.TestCase):
    def test_progress_tells_the_time_left_when_all_are_listed(self):
        progress = Progress(0.0)
        progress.listed = 4
        progress.add(row(duration_s=1800.0, cost_usd=0.5))
        progress.add(row(status="failed", duration_s=None))
        self.assertEqual(progress.line(60.0), "2 of 4+ recordings, 0.50 h, 0.50 USD, 1 failed")
        progress.is_listed = True
        self.assertEqual(progress.line(60.0), "2 of 4 recordings, 0.50 h, 0.50 USD, 1 failed, 1 min 0 s left")
        self.assertEqual([duration(5), duration(7260)], ["5 s", "2 h 1 min"])

    def test_the_page_has_numbers_and_escapes_what_it_quotes(self):
        failed = row(status="failed", uri="s3://b/<x>.wav", error_kind="corrupt", error="<script>")
        page = report.page([row(duration_s=3600.0, cost_usd=2.0, wall_s=5.0), failed], "the budget")
        for part in ("<td>1.00", "2.00 USD", "&lt;script&gt;", "s3://b/&lt;x&gt;.wav", "<td>corrupt<td>1", "the budget"):
            self.assertIn(part, page)
        self.assertNotIn("<script>", page)

    def test_a_histogram_takes_any_values(self):
        self.assertIn("No values", report.histogram([None], "s"))
        self.assertIn("<rect", report.histogram([0.0, 0.0], "s"))
        self.assertIn("logarithmic", report.histogram([0.001, 1.0, 10.0], "s"))


if __name__ == "__main__":
    unittest.main()
