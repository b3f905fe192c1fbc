# SPDX-License-Identifier: MPL-2.0
"""Which recordings a source has."""

import contextlib
import io
import itertools
import pathlib
import tempfile
import unittest

from archive import listing
from archive.listing import Source


class SourceTest(unittest.TestCase):
    def test_a_source_is_taken_apart_at_the_first_wildcard(self):
        self.assertEqual(Source.parse("s3://calls/2026/**/*.wav"), Source("s3", "calls/2026", "**/*.wav"))
        self.assertEqual(Source.parse("/a/b/"), Source("file", "/a/b", None))
        self.assertEqual(Source.parse("/a/x*.wav"), Source("file", "/a", "x*.wav"))
        self.assertEqual(Source.parse("file:///a%20b"), Source("file", "/a b", None))
        for text in ("", "s3://"):
            with self.assertRaises(ValueError):
                Source.parse(text)

    def test_globs(self):
        for pattern, names, others in (
            ("*.wav", ["a.wav"], ["b/a.wav", "a.mp3"]),
            ("**/*.wav", ["a.wav", "b/c/a.wav"], ["a.wave"]),
            ("b?/[xy].*", ["b1/x.wav", "b2/y.mp3"], ["b1/z.wav", "b/x.wav"]),
        ):
            source = Source("s3", "bucket", pattern)
            for name in names:
                self.assertTrue(source.takes(name), (pattern, name))
            for name in others:
                self.assertFalse(source.takes(name), (pattern, name))

    def test_a_folder_gives_recordings_and_nothing_else(self):
        source = Source("file", "/a", None)
        self.assertTrue(source.takes("x/y.MP3"))
        for name in ("notes.txt", ".hidden.wav", ".git/a.wav", "wav"):
            self.assertFalse(source.takes(name), name)

    def test_results_within_the_source_are_seen(self):
        self.assertTrue(listing.is_below("/a/out", "/a"))
        self.assertTrue(listing.is_below("s3://b/x/out", "s3://b/x/"))
        self.assertFalse(listing.is_below("/ab", "/a"))
        self.assertFalse(listing.is_below("s3://b/out", "s3://b/in"))
        for text, folder in (("s3://b/x/[ab]/*.wav", "s3://b/x"), ("/a/b?/c.wav", "/a"), ("file:///a%20b", "/a b")):
            self.assertEqual(Source.parse(text).folder(), folder)


class FolderTest(unittest.TestCase):
    def test_a_folder_is_walked_as_it_is_read(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("a b.wav", "sub/c#1.mp3", "sub/notes.txt"):
                path = pathlib.Path(folder, name)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(b"x")
            walked = listing.recordings(folder)
            first = next(walked)
            self.assertEqual((first.name, first.uri), ("a b.wav", pathlib.Path(folder, "a b.wav").as_uri()))
            self.assertEqual([recording.name for recording in walked], ["sub/c#1.mp3"])
            before = first.version
            pathlib.Path(folder, "a b.wav").write_bytes(b"xy")
            self.assertNotEqual(next(listing.recordings(folder)).version, before)

    def test_links_in_a_circle_give_each_recording_once(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "sub").mkdir()
            pathlib.Path(folder, "sub/a.wav").write_bytes(b"x")
            pathlib.Path(folder, "sub/up").symlink_to(folder)
            pathlib.Path(folder, "twin").symlink_to(pathlib.Path(folder, "sub"))
            self.assertEqual([recording.name for recording in listing.recordings(folder)], ["sub/a.wav"])

    def test_what_cannot_be_looked_at_is_told(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()) as told:
            for name in ("a.wav", "notes.txt"):
                pathlib.Path(folder, name).symlink_to("/nowhere/at/all")
            pathlib.Path(folder, "b.wav").write_bytes(b"x")
            self.assertEqual([recording.name for recording in listing.recordings(folder)], ["b.wav"])
        self.assertEqual(told.getvalue(), f"left out: {folder}/a.wav: No such file or directory\n")

    def test_a_folder_that_is_not_there_is_named(self):
        with self.assertRaisesRegex(ValueError, "no folder /nowhere"):
            list(itertools.islice(listing.recordings("/nowhere/at/all"), 1))


if __name__ == "__main__":
    unittest.main()
