# SPDX-License-Identifier: MPL-2.0
"""The command line."""

import argparse
import json
import pathlib
import sys

from . import listing


def parser() -> argparse.ArgumentParser:
    said = "Works through an archive of recordings: on this machine, or on a Ray cluster with --address."
    read = argparse.ArgumentParser("archive.sh", description=said)
    read.add_argument("source", help="a folder or a glob: calls, 'calls/**/*.wav', s3://bucket/calls, gs://bucket/calls/*.mp3")
    read.add_argument("output", help="where results go: a folder, s3://bucket/results, ...; not within SOURCE")
    read.add_argument("settings", nargs="?", help="what is to be done, a JSON file; without it recordings are transcribed")
    read.add_argument("--address", help="a Ray cluster: auto, HOST:6379 or ray://HOST:10001; otherwise Ray is started here")
    read.add_argument("--endpoint-url", help="the address of an S3 that is not Amazon's")
    read.add_argument("--worker", help="the program recording-worker on the nodes; otherwise the one in their PATH")
    read.add_argument("--workers", type=number, default=4, help="recordings at a time (4)")
    read.add_argument("--sessions", type=number, default=0, help="sessions at once that the account allows, over all nodes")
    read.add_argument("--starts-per-minute", type=number, default=0, help="sessions that may begin in a minute")
    read.add_argument("--tokens-per-minute", type=number, default=0, help="tokens that recordings may have used in a minute before others begin")
    read.add_argument("--max-cost", type=money, default=0.0, help="the budget in US dollars: when it is used up, nothing more is begun")
    read.add_argument("--max-attempts", type=number, default=3, help="how often a recording is tried, over all runs (3)")
    return read


def number(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def money(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is no amount above 0")
    return value


def main(arguments: list[str]) -> int:
    read = parser()
    named = read.parse_args(arguments)
    try:
        settings = pathlib.Path(named.settings).read_text(encoding="utf-8") if named.settings else "{}"
        if not isinstance(json.loads(settings), dict):
            raise ValueError("is no JSON object")
        source = listing.Source.parse(named.source)
    except (OSError, ValueError) as error:
        read.error(f"{named.settings or named.source}: {error}")
    if listing.is_below(named.output, source.folder()):
        read.error(f"{named.output} is within {source.folder()}: results would be taken for recordings")
    # Ray takes a second to import: what is wrong with the command line is said before.
    from . import driver

    return driver.run(
        driver.Options(
            named.source, named.output, settings, named.address, named.endpoint_url, named.worker, named.workers, named.sessions,
            named.starts_per_minute, named.tokens_per_minute, named.max_cost, named.max_attempts,
        )  # fmt: skip
    )


sys.exit(main(sys.argv[1:]))
