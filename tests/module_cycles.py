#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Checks that modules import in one direction only.

For each folder of a crate, every file and every folder in it is a node, and each `use` of another node's items is an
edge (tests are left out, and so is a folder's own `mod.rs`, which wires its children together). A cycle is an error.

    tests/module_cycles.py [--edges]      exit status 1 and the cycles, if there are any
"""

import pathlib
import re
import sys

CRATES = ["src", *sorted(str(path) for path in pathlib.Path("crates").glob("*/src"))]


def module_of(file: pathlib.Path, root: pathlib.Path) -> list[str]:
    parts = list(file.relative_to(root).with_suffix("").parts)
    return parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts


def without_tests(file: pathlib.Path) -> str:
    """A file up to its tests, which stand at its end or in a file of their own that is declared there."""
    text = file.read_text(encoding="utf-8")
    return re.split(r"(?m)^#\[cfg\(test\)\]\n(?:pub\(crate\) )?mod \w+(?: \{|;\s*\Z)", text)[0]


def code_of(file: pathlib.Path) -> str:
    return re.sub(r"//[^\n]*", "", without_tests(file))


def paths_in(code: str, module: list[str], is_folder: bool):
    """Absolute module paths that the code names, with groups of a `use` taken apart."""

    def expand(prefix: list[str], text: str):
        text = text.strip()
        head = re.match(r"((?:\w+::)*)\{(.*)\}$", text, re.S)
        if head:
            depth, item = 0, ""
            for char in head.group(2) + ",":
                depth += (char == "{") - (char == "}")
                if char == "," and depth == 0:
                    if item.strip():
                        yield from expand(prefix + [part for part in head.group(1).split("::") if part], item)
                    item = ""
                else:
                    item += char
        else:
            yield prefix + [part for part in re.sub(r"\s+as\s+\w+", "", text).split("::") if part]

    for text in re.findall(r"(?ms)^\s*(?:pub(?:\([^)]*\))?\s+)?use\s+([^;]*);", code):
        yield from expand([], text)
    for text in re.findall(r"(?<![\w:])((?:crate|super)(?:::\w+)+)", code):
        yield text.split("::")


def absolute(path: list[str], module: list[str]) -> list[str] | None:
    if path[:1] == ["crate"]:
        return path[1:]
    if path[:1] == ["super"]:
        up = 0
        while path[up : up + 1] == ["super"]:
            up += 1
        return module[: len(module) - up] + path[up:] if up <= len(module) else None
    if path[:1] == ["self"]:
        return module + path[1:]
    return None


def edges_of(root: pathlib.Path) -> dict[tuple[str, ...], dict[str, set[str]]]:
    """Folder -> node -> nodes that it imports from."""
    files = [file for file in root.rglob("*.rs") if "tests" not in file.relative_to(root).parts and file.stem != "tests"]
    modules = {tuple(module_of(file, root)) for file in files}
    edges: dict[tuple[str, ...], dict[str, set[str]]] = {}
    for file in files:
        module = module_of(file, root)
        for path in paths_in(code_of(file), module, file.stem == "mod"):
            target = absolute(path, module)
            if not target:
                continue
            # The longest part of the path that is a module; the rest names its items.
            while target and tuple(target) not in modules:
                target = target[:-1]
            common = 0
            while common < min(len(module), len(target)) and module[common] == target[common]:
                common += 1
            # One inside the other: a folder's `mod.rs` and its children.
            if common in (len(module), len(target)):
                continue
            edges.setdefault(tuple(module[:common]), {}).setdefault(module[common], set()).add(target[common])
    return edges


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one node (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = []
            while True:
                component.append(stack.pop())
                if component[-1] == node:
                    break
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def main() -> int:
    failed = False
    for root in map(pathlib.Path, CRATES):
        for folder, graph in sorted(edges_of(root).items()):
            name = "/".join((str(root), *folder))
            if "--edges" in sys.argv:
                for node, others in sorted(graph.items()):
                    print(f"{name}: {node} -> {', '.join(sorted(others))}")
            for cycle in cycles(graph):
                failed = True
                print(f"cycle in {name}: " + ", ".join(f"{a} -> {' '.join(sorted(graph[a] & set(cycle)))}" for a in cycle))
    if not failed:
        print("no cycle between modules")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
