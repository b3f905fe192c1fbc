#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Counts the instructions of the hot path in valgrind, and compares them with those of counts.json.

    python3 benches/instructions/check.py             exit status 1 if one differs by more than 10 %
    python3 benches/instructions/check.py --accept    writes counts.json anew, to be committed with what changed them
    python3 benches/instructions/check.py CASE...     only these

The counts are those of one run of a case and of the release build. They depend on the compiler, on the C library and on whether
the processor has AVX2, and on nothing else of the machine: valgrind shows the program a processor of its own. Where nothing was
accepted for these, there is nothing to compare, and the counts are told.
"""

import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

LIMIT = 0.10
HERE = pathlib.Path(__file__).parent
COUNTS = HERE / "counts.json"
FUNCTION = "*counted_instructions*"


def build() -> str:
    """The program, built as for a release."""
    command = ["cargo", "build", "--quiet", "--locked", "--release", "-p", "instructions", "--message-format=json"]
    messages = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1]).stdout
    built = [json.loads(line) for line in messages.splitlines() if line.startswith("{")]
    programs = [message["executable"] for message in built
                if message.get("executable") and message["target"]["name"] == "instructions"]
    if len(programs) != 1:
        sys.exit(f"error: cargo has built {len(programs)} programs named instructions, not one")
    return programs[0]


def count(program: str, case: str, runs: int, folder: str) -> int:
    """Instructions of one run of a case."""
    # No plugin is needed, so none is looked for.
    environment = os.environ | {"GST_REGISTRY_1_0": f"{folder}/registry", "GST_REGISTRY_FORK": "no",
                                "GST_PLUGIN_SYSTEM_PATH_1_0": "", "GST_PLUGIN_PATH_1_0": ""}
    command = ["valgrind", "--tool=callgrind", f"--toggle-collect={FUNCTION}", "--callgrind-out-file=/dev/null",
               program, case]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or collected is None:
        sys.exit(f"error: {case} has failed in valgrind (status {done.returncode}):\n{done.stdout}{done.stderr}")
    if int(collected[1]) == 0:
        sys.exit(f"error: {case}: valgrind has not found the function {FUNCTION}")
    return int(collected[1]) // runs


def surroundings() -> str:
    """What the counts depend on."""
    rustc = subprocess.run(["rustc", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[1]
    info = pathlib.Path("/proc/cpuinfo")
    vectors = "avx2" if info.exists() and re.search(r"^flags\s*:.*\bavx2\b", info.read_text(), re.M) else "no avx2"
    release = ".".join(rustc.split(".")[:2])
    return f"{platform.machine()}, {vectors}, rustc {release}, {' '.join(platform.libc_ver())}"


def compare(case: str, counted: int | None, accepted: int | None) -> tuple[str, bool]:
    """A line about a case, and whether it is as accepted."""
    if accepted is None:
        return f"{case:24} {counted:>10,}  not in {COUNTS.name}", False
    if counted is None:
        return f"{case:24} {'':>10}  in {COUNTS.name}, but there is no such case", False
    change = counted / accepted - 1
    return f"{case:24} {counted:>10,}  {change:+7.1%} of {accepted:,}", abs(change) <= LIMIT


def main() -> int:
    arguments = sys.argv[1:]
    accept = "--accept" in arguments
    chosen = [argument for argument in arguments if argument != "--accept"]
    machine = surroundings()
    table = json.loads(COUNTS.read_text()) if COUNTS.exists() else {}
    accepted = table.get(machine, {})
    program = build()
    listed = subprocess.run([program, "--list"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    cases = dict(zip(listed[::2], map(int, listed[1::2])))
    unknown = [case for case in chosen if case not in cases]
    if unknown or (accept and chosen):
        sys.exit(f"error: there is no case {unknown[0]}" if unknown else "error: --accept takes all cases")
    with tempfile.TemporaryDirectory() as folder:
        counts = {case: count(program, case, runs, folder) for case, runs in cases.items()
                  if not chosen or case in chosen}
    if not accepted and not accept:
        print("\n".join(f"{case:24} {counted:>10,}" for case, counted in counts.items()))
        print(f"not compared: {COUNTS} has no counts for {machine}")
        return 0
    names = chosen or list(counts) + [case for case in accepted if case not in counts]
    results = [compare(case, counts.get(case), accepted.get(case)) for case in names]
    print("\n".join(line for line, _ in results))
    if accept:
        COUNTS.write_text(json.dumps(table | {machine: counts}, indent=4) + "\n")
        return 0
    if all(is_good for _, is_good in results):
        return 0
    print(f"error: not within {LIMIT:.0%} of {COUNTS} for {machine}. If that is meant, or the compiler is another one,\n"
          f"run python3 {pathlib.Path(__file__)} --accept and commit {COUNTS.name}", file=sys.stderr)
    return 1


sys.exit(main())
