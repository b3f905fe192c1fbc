#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Checks that files and functions stay short enough to be read at one go.

A file of code has at most 350 lines, a function at most 60 (tests are left out: files named so, and what stands behind
`#[cfg(test)]`).

    tests/code_length.py       exit status 1 and what is too long, if something is
"""

import pathlib
import re
import sys

from module_cycles import CRATES, without_tests

MAX_FILE, MAX_FUNCTION = 350, 60

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


def main() -> int:
    too_long = []
    for root in CRATES:
        for file in pathlib.Path(root).rglob("*.rs"):
            if file.stem.endswith("tests") or "tests" in file.parts:
                continue
            lines = without_tests(file).splitlines()
            if len(lines) > MAX_FILE:
                too_long.append(f"{file}: {len(lines)} lines, more than the {MAX_FILE} that a file may have")
            for name, length in functions(lines):
                if length > MAX_FUNCTION:
                    too_long.append(f"{file}: {name}: {length} lines, more than the {MAX_FUNCTION} that a function may have")
    print("\n".join(sorted(too_long)) or "no file or function is too long")
    return 1 if too_long else 0


sys.exit(main())
