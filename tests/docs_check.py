#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Checks that what the documents name is there: files and folders of the repository, and test and bench programs.

    tests/docs_check.py      exit status 1 and the places, if something is missing
"""

import pathlib
import re
import sys

DOCUMENTS = [*pathlib.Path(".").glob("*.md"), *pathlib.Path("docs").rglob("*.md"), *pathlib.Path("crates").glob("*/*.md")]
# A path that begins with a folder of the repository.
PATH = re.compile(r"(?<![\w./-])((?:src|tests|pipelines|docs|benches|crates|\.ci)/[\w./-]*\w)")
PROGRAM = re.compile(r"--(test|bench)[ =]([a-z][\w-]*)")


def program_exists(kind: str, name: str) -> bool:
    folder = {"test": "tests", "bench": "benches"}[kind]
    places = [pathlib.Path(folder), *pathlib.Path("crates").glob(f"*/{folder}")]
    return any((place / f"{name}.rs").exists() or (place / name / "main.rs").exists() for place in places)


def main() -> int:
    missing = []
    for document in DOCUMENTS:
        if document.name == "CHANGELOG.md":
            continue
        for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
            for path in PATH.findall(line):
                # A link of a document in docs/ may be relative to it.
                if not pathlib.Path(path).exists() and not (document.parent / path).exists():
                    missing.append(f"{document}:{number}: {path}")
            for kind, name in PROGRAM.findall(line):
                if not program_exists(kind, name):
                    missing.append(f"{document}:{number}: --{kind} {name}")
    for place in missing:
        print(f"missing: {place}")
    return 1 if missing else 0


sys.exit(main())
