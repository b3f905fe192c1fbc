# SPDX-License-Identifier: MPL-2.0
"""The folder of results as a file system of pyarrow, or of fsspec where that knows more stores."""

import pathlib

from pyarrow import fs


def open_folder(uri: str, endpoint: str | None = None) -> tuple[fs.FileSystem, str]:
    """The file system and the path of the folder in it."""
    if "://" not in uri:
        return fs.LocalFileSystem(), str(pathlib.Path(uri).absolute())
    scheme, _, rest = uri.partition("://")
    if scheme in ("s3", "s3a"):
        options = {}
        if endpoint:
            protocol, _, host = endpoint.partition("://")
            options = {"endpoint_override": host.rstrip("/"), "scheme": protocol}
        return fs.S3FileSystem(**options), rest.rstrip("/")
    if scheme in ("file", "gs"):
        filesystem, path = fs.FileSystem.from_uri(uri)
        return filesystem, path.rstrip("/")
    import fsspec

    return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem(scheme))), rest.rstrip("/")


def write(filesystem: fs.FileSystem, path: str, content: bytes) -> None:
    """Writes a file whole: renamed where that can be done, by one upload elsewhere."""
    if isinstance(filesystem, fs.LocalFileSystem):
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        part = str(pathlib.Path(path).with_name(f".part-{pathlib.Path(path).name}"))
        with filesystem.open_output_stream(part) as stream:
            stream.write(content)
        filesystem.move(part, path)
        return
    with filesystem.open_output_stream(path) as stream:
        stream.write(content)
