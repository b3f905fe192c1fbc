# SPDX-License-Identifier: MPL-2.0
"""The run on Ray: Ray Data gives recordings to actors, one in a block, and an actor named `limits` says when each may begin.

An actor only runs a program and turns everything into a row. A worker or a node that is lost costs the recordings that it
had in hand; they are given to another one.
"""

import contextlib
import dataclasses
import itertools
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from . import limits, listing, report, resume, rows, worker
from .progress import Progress
from .results import Results

LIMITS = "openairealtime-archive-limits"
# So many recordings are given to Ray at once. Only at the end of such a window do workers run dry.
WINDOW = 5000
# What Ray reserves for an actor: it waits for a server most of the time.
ACTOR_CPUS = 0.1
# What the summary needs of a row that is done.
SMALL = ("status", "duration_s", "cost_usd", "wall_s")


@dataclasses.dataclass
class Options:
    source: str
    output: str
    settings: str = "{}"
    address: str | None = None
    endpoint: str | None = None
    program: str | None = None
    workers: int = 4
    sessions: int = 0
    starts_per_minute: int = 0
    tokens_per_minute: int = 0
    max_cost: float = 0.0
    max_attempts: int = 3
    lease_ttl: float = 60.0


@ray.remote(num_cpus=0)
class LimitsActor:
    """The limits behind a clock. It lives on the driver's node, so that it is not lost with another one."""

    def __init__(self, *arguments):
        self._limits = limits.Limits(*arguments)

    def call(self, method: str, *arguments):
        return getattr(self._limits, method)(*arguments, now=time.monotonic())

    def release(self, lease: int, tokens: int, cost: float) -> None:
        self._limits.release(lease, time.monotonic(), tokens, cost)

    def stop(self, reason: str) -> None:
        self._limits.stop(reason)

    def told(self) -> tuple[int, float]:
        return self._limits.peak, self._limits.spent


class RecordingActor:
    """Works on one recording after the other."""

    def __init__(self, program: str, settings: str, endpoint: str | None, namespace: str):
        self._program, self._settings, self._endpoint = program, settings, endpoint
        self._hash = rows.settings_hash(settings)
        self._limits = ray.get_actor(LIMITS, namespace=namespace)

    def __call__(self, item: dict) -> dict:
        lease = self._acquire()
        if lease is None:
            return {"row": None, "item": item}
        ended = threading.Event()
        threading.Thread(target=self._renew, args=(lease, ended), daemon=True).start()
        try:
            row = worker.run(self._program, item["uri"], item["output"], self._settings, self._endpoint, item["attempts"], self._event)
        except Exception as error:  # Whatever it is, the recording gets its row.
            row = rows.died(item["uri"], 1, f"{type(error).__name__}: {error}", item["attempts"] + 1)
        finally:
            ended.set()
        cost, tokens = row["cost_usd"] or 0.0, row["input_tokens"] + row["output_tokens"]
        ray.get(self._limits.release.remote(lease.lease, tokens, cost))
        if rows.concerns_all(row):
            ray.get(self._limits.stop.remote(f"{row['error_kind']}: {row['error']}"))
        return {"row": {**row, "version": item["version"], "settings": self._hash, "node": socket.gethostname()}, "item": item}

    def _acquire(self) -> limits.Grant | None:
        while True:
            answer = ray.get(self._limits.call.remote("acquire"))
            if isinstance(answer, limits.Grant):
                return answer
            if isinstance(answer, limits.Stop):
                return None
            time.sleep(min(answer.seconds, 5.0))

    def _renew(self, lease: limits.Grant, ended: threading.Event) -> None:
        while not ended.wait(lease.ttl / 3):
            # A limits actor that is gone ends the run elsewhere.
            with contextlib.suppress(ray.exceptions.RayError):
                ray.get(self._limits.call.remote("renew", lease.lease))

    def _event(self, event: dict) -> None:
        if event["event"] == "retry":
            self._limits.call.remote("slow_down")


class Run:
    """One run over a source."""

    def __init__(self, options: Options):
        self.options = options
        now = time.monotonic()
        self.progress = Progress(now)
        self.results = Results(options.output, options.endpoint, time.strftime("%Y%m%dT%H%M%S"), now)
        self._hash = rows.settings_hash(options.settings)
        self._failed: dict[str, dict] = {}
        self._small: list[dict] = []
        self._told_at, self.peak = now, 0

    def run(self) -> int:
        """0: all is done; 1: some failed; 3: stopped by a limit or by what concerns all."""
        here = ray.get_runtime_context().get_node_id()
        options = self.options
        actor = LimitsActor.options(name=LIMITS, scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False)).remote(
            options.sessions, options.starts_per_minute, options.tokens_per_minute, options.max_cost, options.lease_ttl
        )
        try:
            left = self._pass(self._pending())
            self.progress.is_listed = True
            for _ in range(options.max_attempts):
                again = rows.to_retry(self._failed.values(), options.max_attempts)
                if left or not again:
                    break
                left = self._pass(iter([self._item(row["uri"], row["_output"], row["version"], row["attempts"]) for row in again]))
            self.peak, spent = ray.get(actor.told.remote())
            stopped = ray.get(actor.call.remote("acquire")) if left else None
        finally:
            ray.kill(actor)
        reason = stopped.reason if isinstance(stopped, limits.Stop) else None
        failed = [{name: value for name, value in row.items() if name != "_output"} for row in self._failed.values()]
        self.results.finish(failed, report.page(self._small + failed, reason), time.monotonic())
        print(self.progress.line(time.monotonic()), file=sys.stderr)
        print(f"{len(self._failed)} failed, {left} not begun; at most {self.peak} sessions at once, {spent:.4f} USD; {self.results.folder}", file=sys.stderr)
        if reason:
            print(f"stopped: {reason}", file=sys.stderr)
        return 3 if left else 1 if self._failed else 0

    def _pending(self) -> Iterator[dict]:
        """What is left to do, as it is listed."""
        done = resume.Done(self._hash, self.options.max_attempts)
        for row in self.results.earlier():
            done.add(row)
            if row["status"] == rows.OK:
                self._small.append({name: row[name] for name in SMALL})
                self._failed.pop(row["uri"], None)
            elif row["settings"] == self._hash:
                self._failed[row["uri"]] = {**row, "_output": ""}
        base = self.options.output.rstrip("/")
        for recording in listing.recordings(self.options.source, self.options.endpoint):
            attempts = done.attempts(recording.uri, recording.version)
            if attempts is None:
                self.progress.skipped += 1
                continue
            self._failed.pop(recording.uri, None)
            yield self._item(recording.uri, f"{base}/{recording.name}", recording.version, attempts)

    def _item(self, uri: str, output: str, version: str, attempts: int) -> dict:
        return {"uri": uri, "output": output, "version": version, "attempts": attempts}

    def _pass(self, items: Iterator[dict]) -> int:
        """Gives out items; returns how many were not begun."""
        left = 0
        options = self.options
        namespace = ray.get_runtime_context().namespace
        while window := list(itertools.islice(items, WINDOW)):
            self.progress.listed += sum(item["uri"] not in self._failed for item in window)
            # Plain small values: an argument in the object store would be lost with its node.
            arguments = (worker.find_program(options.program), options.settings, options.endpoint, namespace)
            data = ray.data.from_items(window, override_num_blocks=len(window)).map(
                RecordingActor,
                fn_constructor_args=arguments,
                # Actors that are lost are started again, and what they had in hand is given to another one.
                compute=ray.data.ActorPoolStrategy(size=min(options.workers, len(window))),
                num_cpus=ACTOR_CPUS,
            )
            for result in data.iter_rows():
                if result["row"] is None:
                    left += 1
                else:
                    self._take(result["row"], result["item"])
        return left

    def _take(self, row: dict, item: dict) -> None:
        now = time.monotonic()
        before = self._failed.pop(row["uri"], None)
        if before is None:
            self.progress.add(row)
        if row["status"] == rows.OK:
            self.results.add(row, now)
            if before is not None:
                self.progress.failed -= 1
            self._small.append({name: row[name] for name in SMALL})
        else:
            self._failed[row["uri"]] = {**row, "_output": item["output"]}
        if now - self._told_at >= 5:
            print(self.progress.line(now), file=sys.stderr)
            self._told_at = now


def first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def connect(address: str | None) -> None:
    """Connects to a cluster, or starts Ray on this machine."""
    if address not in (None, "auto"):
        # Ray tries for minutes where nobody listens.
        host, _, port = address.removeprefix("ray://").rpartition(":")
        if not (host and port.isdecimal()):
            raise ValueError("is neither auto nor HOST:PORT nor ray://HOST:PORT")
        socket.create_connection((host, int(port)), timeout=10).close()
    try:
        ray.init(address=address, namespace="archive", logging_level="warning", log_to_driver=False)
    except ConnectionError as error:
        if address in (None, "auto") or "RAY_AUTH_MODE" in os.environ:
            raise
        # An explicit address never makes Ray use its token by itself.
        hint = "a cluster that was started where ~/.ray/auth_token is wants RAY_AUTH_MODE=token"
        raise ConnectionError(f"{first_line(error)}; {hint}") from error
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = False


def run(options: Options) -> int:
    """Works through the source."""
    try:
        connect(options.address)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        if options.address is None:
            raise
        print(f"archive.sh: error: --address {options.address}: {first_line(error)}", file=sys.stderr)
        return 2
    return Run(options).run()
