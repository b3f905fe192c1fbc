#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Checks that what the documents name is there: files and folders of the repository, test and bench programs, and what their
links lead to, headings included. Every page of docs/ has its place in the table of contents, and blocks of Python and shell can
be read.

    tests/docs_check.py              exit status 1 and the places, if something is missing
    tests/docs_check.py SITE         the same of a folder of HTML: what its links lead to
"""

import html.parser
import pathlib
import re
import subprocess
import sys
import urllib.parse

DOCUMENTS = [
    *pathlib.Path(".").glob("*.md"),
    *pathlib.Path("docs").rglob("*.md"),
    *pathlib.Path("crates").glob("*/*.md"),
    *pathlib.Path("tests").rglob("*.md"),
    *pathlib.Path("pipelines").rglob("*.md"),
]
# A path that begins with a folder of the repository.
PATH = re.compile(r"(?<![\w./-])((?:src|tests|pipelines|docs|benches|crates|\.ci)/[\w./-]*\w)")
PROGRAM = re.compile(r"--(test|bench)[ =]([a-z][\w-]*)")
LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)")
HEADING = re.compile(r"#{1,6} +(.*?) *#*$")
BLOCK = re.compile(r"^```(python|sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def program_exists(kind: str, name: str) -> bool:
    folder = {"test": "tests", "bench": "benches"}[kind]
    places = [pathlib.Path(folder), *pathlib.Path("crates").glob(f"*/{folder}")]
    return any((place / f"{name}.rs").exists() or (place / name / "main.rs").exists() for place in places)


def named_in(document: pathlib.Path, line: str):
    """What the line names and is not there."""
    for path in PATH.findall(line):
        # A link of a document in docs/ may be relative to it.
        if not pathlib.Path(path).exists() and not (document.parent / path).exists():
            yield path
    for kind, name in PROGRAM.findall(line):
        if not program_exists(kind, name):
            yield f"--{kind} {name}"


def without_blocks(text: str) -> str:
    """The text with its blocks of code as empty lines."""
    lines, is_fenced = [], False
    for line in text.splitlines():
        is_fence = line.startswith("```")
        lines.append("" if is_fence or is_fenced or line.startswith("    ") else line)
        is_fenced ^= is_fence
    return "\n".join(lines)


def anchors(document: pathlib.Path) -> set[str]:
    """The anchors of a document's headings, as GitHub and mdBook make them."""
    found: set[str] = set()
    for line in without_blocks(document.read_text(encoding="utf-8")).splitlines():
        heading = HEADING.match(line)
        if heading:
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
            name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            number = 0
            while (anchor := f"{name}-{number}" if number else name) in found:
                number += 1
            found.add(anchor)
    return found


def dead_links(document: pathlib.Path):
    """Places and targets of links that lead nowhere."""
    for number, line in enumerate(without_blocks(document.read_text(encoding="utf-8")).splitlines(), 1):
        for link in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = document.parent / urllib.parse.unquote(path) if path else document
            if not target.exists() or anchor and target.suffix == ".md" and anchor not in anchors(target):
                yield number, link


def unreadable_blocks(document: pathlib.Path):
    """Places of blocks that are not of their language."""
    text = document.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        number = text.count("\n", 0, block.start()) + 1
        language, code = block.groups()
        if language == "python":
            try:
                compile(code, str(document), "exec")
            except SyntaxError as error:
                yield number, f"Python: {error}"
        else:
            shell = subprocess.run(["bash", "-n"], input=code, capture_output=True, text=True, check=False)
            if shell.returncode:
                yield number, f"shell: {shell.stderr.strip()}"


def check_documents():
    for document in DOCUMENTS:
        yield from ((document, number, f"link to {link}") for number, link in dead_links(document))
        yield from ((document, number, wrong) for number, wrong in unreadable_blocks(document))
        # The names of a version that is gone are right there.
        if document.name != "CHANGELOG.md":
            for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
                yield from ((document, number, name) for name in named_in(document, line))
    contents = pathlib.Path("docs/SUMMARY.md")
    pages = {page for page in LINK.findall(contents.read_text(encoding="utf-8"))}
    for page in pathlib.Path("docs").glob("*.md"):
        if page != contents and page.name not in pages:
            yield contents, 1, f"{page.name} in the table of contents"


class Page(html.parser.HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, path: pathlib.Path):
        super().__init__()
        self.links: list[tuple[int, str]] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.links.append((self.getpos()[0], value))


def check_site(site: pathlib.Path):
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    if not pages:
        yield site, 0, "pages"
    for path, page in pages.items():
        # The page of an unknown address has a base of its own, and the one for printing has all of the others in it.
        if path.name in ("404.html", "print.html", "toc.html"):
            continue
        for number, link in page.links:
            if re.match(r"[a-z]+:|//", link):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / urllib.parse.unquote(name)).resolve() if name else path
            if not target.exists() or anchor and target in pages and anchor not in pages[target].anchors:
                yield path, number, f"link to {link}"


def main() -> int:
    found = check_site(pathlib.Path(sys.argv[1])) if len(sys.argv) > 1 else check_documents()
    missing = [f"{place}:{number}: {what}" for place, number, what in found]
    for place in missing:
        print(f"missing: {place}")
    return 1 if missing else 0


sys.exit(main())
