# SPDX-License-Identifier: MPL-2.0
"""Which recordings there are, one after the other: a million keys are never in memory at once.

S3 is listed page by page, folders of this machine entry by entry, and every other store (Google Cloud Storage, Azure,
`memory://`) folder by folder with fsspec.
"""

import dataclasses
import fnmatch
import os
import pathlib
import re
import sys
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

# Endings of what people have in archives; a source with a glob takes what the glob says.
MEDIA = frozenset("aac aif aiff amr au avi flac m4a m4v mkv mov mp3 mp4 mpeg mpg oga ogg opus ts wav webm wma wmv".split())
WILD = re.compile(r"[*?\[]")


@dataclasses.dataclass(frozen=True)
class Recording:
    uri: str
    # Below the source; the results go below the output at the same place.
    name: str
    # Changes with the recording.
    version: str


@dataclasses.dataclass(frozen=True)
class Source:
    """A source as people write it, taken apart at the first wildcard: `s3://bucket/calls/**/*.wav`."""

    scheme: str
    base: str
    pattern: str | None

    @classmethod
    def parse(cls, text: str) -> "Source":
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = "file", os.path.abspath(text) if text else ""
        elif scheme == "file":
            rest = unquote(rest)
        if not rest:
            raise ValueError(f"'{text}' names no folder")
        wild = WILD.search(rest)
        if not wild:
            return cls(scheme, rest.rstrip("/") or "/", None)
        base, _, _ = rest[: wild.start()].rpartition("/")
        return cls(scheme, base or "/", rest[len(base) + 1 :])

    def folder(self) -> str:
        """The folder with all that is meant, as people write it."""
        return self.base if self.scheme == "file" else f"{self.scheme}://{self.base}"

    def takes(self, name: str) -> bool:
        """Whether a name below the base is a recording that is meant."""
        if any(part.startswith(".") for part in name.split("/")):
            return False
        if self.pattern is None:
            return pathlib.PurePosixPath(name).suffix[1:].lower() in MEDIA
        return bool(translate(self.pattern).fullmatch(name))


def translate(pattern: str) -> re.Pattern:
    """A glob: `*` stays within a folder, `**` does not."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]*\])", pattern)
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(wild.get(part) or (fnmatch.translate(part)[4:-3] if part[:1] == "[" else re.escape(part)) for part in parts))


def recordings(text: str, endpoint: str | None = None) -> Iterator[Recording]:
    """All recordings of a source."""
    source = Source.parse(text)
    walk = {"file": walk_folder, "s3": walk_s3, "s3a": walk_s3}.get(source.scheme, walk_fsspec)
    for name, uri, version in walk(source, endpoint):
        if source.takes(name):
            yield Recording(uri, name, version)


def walk_folder(source: Source, endpoint: str | None) -> Iterator[tuple[str, str, str]]:
    base = pathlib.Path(source.base)
    if not base.is_dir():
        raise ValueError(f"there is no folder {base}")
    walked = set()
    for folder, folders, files in os.walk(base, followlinks=True, onerror=left_out):
        # A folder that links lead to again has its recordings once.
        identity = folder_identity(folder)
        if identity in walked:
            folders.clear()
            continue
        walked.add(identity)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(files):
            path = pathlib.Path(folder, file)
            name = path.relative_to(base).as_posix()
            if not source.takes(name):
                continue
            try:
                stat = path.stat()
            except OSError as error:
                left_out(error)
                continue
            yield name, path.as_uri(), f"{stat.st_size:x}-{stat.st_mtime_ns:x}"


def folder_identity(folder: str) -> tuple[int, int]:
    """What two paths to one folder have in common."""
    stat = os.stat(folder)
    return stat.st_dev, stat.st_ino


def left_out(error: OSError) -> None:
    """Tells of what cannot be looked at; the others are listed all the same."""
    print(f"left out: {error.filename}: {error.strerror}", file=sys.stderr)


def walk_s3(source: Source, endpoint: str | None) -> Iterator[tuple[str, str, str]]:
    import boto3

    bucket, _, prefix = source.base.partition("/")
    prefix = f"{prefix}/" if prefix else ""
    pages = boto3.client("s3", endpoint_url=endpoint).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for entry in page.get("Contents", []):
            # A key that ends so is a folder as some programs make it.
            if not entry["Key"].endswith("/"):
                yield entry["Key"][len(prefix) :], f"{source.scheme}://{bucket}/{entry['Key']}", entry["ETag"]


def walk_fsspec(source: Source, endpoint: str | None) -> Iterator[tuple[str, str, str]]:
    import fsspec

    filesystem = fsspec.filesystem(source.scheme)
    base = source.base.strip("/")
    for folder, _, files in filesystem.walk(source.base, detail=True):
        for file, info in sorted(files.items()):
            path = f"{folder.strip('/')}/{file}"
            version = info.get("etag") or info.get("ETag") or f"{info.get('size')}-{info.get('created') or info.get('mtime')}"
            yield path[len(base) + 1 :], f"{source.scheme}://{path}", str(version)


def is_below(inner: str, outer: str) -> bool:
    """Whether results would be taken for recordings."""
    normal = [(urlsplit(text) if "://" in text else urlsplit(pathlib.Path(text).absolute().as_uri())) for text in (inner, outer)]
    inside, outside = ((part.scheme, part.netloc, part.path.rstrip("/") + "/") for part in normal)
    return inside[:2] == outside[:2] and inside[2].startswith(outside[2])
