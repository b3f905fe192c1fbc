#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Checks that files and functions stay short enough to be read at one go.

A file of code has at most 350 lines, a function at most 60 (tests are left out: files named so, and what stands behind
`#[cfg(test)]`). Those that are longer today are listed with their length, which may only shrink.

    tests/code_length.py       exit status 1 and what is too long, if something is
"""

import pathlib
import re
import sys

from module_cycles import CRATES, without_tests

MAX_FILE, MAX_FUNCTION = 350, 60

# What is longer still, to be taken apart; no other may join.
LONG_FILES = {
    "crates/voice-chat/src/media/peer.rs": 423,
}
LONG_FUNCTIONS = {
    "crates/model-convert/src/pytorch/pickle.rs: step": 65,
    "crates/voice-chat/src/visitor/webrtc.rs: talk": 65,
}

HEAD = re.compile(r'^( *)(?:pub(?:\([^)]*\))? )?(?:const )?(?:async )?(?:unsafe )?(?:extern "C" )?fn (\w+)')


def functions(lines: list[str]):
    """Name and number of lines of each function, which ends at a brace as far to the right as it begins."""
    for index, line in enumerate(lines):
        head = HEAD.match(line)
        if head is None or line.rstrip().endswith((";", "}")):
            continue
        end = f"{head[1]}}}"
        length = next((at for at, other in enumerate(lines[index:]) if other.startswith(end)), None)
        if length is not None:
            yield head[2], length + 1


def check(kind: str, found: dict[str, int], known: dict[str, int], limit: int) -> bool:
    failed = False
    for name, length in sorted(found.items()):
        if length > known.get(name, limit):
            failed = True
            print(f"{name}: {length} lines, more than the {known.get(name, limit)} that a {kind} may have")
    for name, length in sorted(known.items()):
        if found.get(name, 0) < length:
            failed = True
            print(f"{name}: {found.get(name, 0)} lines now: correct its number in the list, or take it from there")
    return failed


def main() -> int:
    files: dict[str, int] = {}
    longest: dict[str, int] = {}
    for root in CRATES:
        for file in pathlib.Path(root).rglob("*.rs"):
            if file.stem.endswith("tests") or "tests" in file.parts:
                continue
            lines = without_tests(file).splitlines()
            if len(lines) > MAX_FILE:
                files[str(file)] = len(lines)
            for name, length in functions(lines):
                if length > MAX_FUNCTION:
                    key = f"{file}: {name}"
                    longest[key] = max(length, longest.get(key, 0))
    failed = check("file", files, LONG_FILES, MAX_FILE)
    failed |= check("function", longest, LONG_FUNCTIONS, MAX_FUNCTION)
    if not failed:
        print(f"{len(files)} files and {len(longest)} functions are longer than they should be, no new one")
    return 1 if failed else 0


sys.exit(main())
