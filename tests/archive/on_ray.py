# SPDX-License-Identifier: MPL-2.0
"""What `tests/archive.sh` runs: the archive on a cluster of two nodes, against the local server."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time

import ray
from archive import driver
from ray.cluster_utils import Cluster

ROOT = pathlib.Path(__file__).parents[2]
SPEECH = ROOT / "tests/media/goforward.wav"
# A recording of this name kills its worker as a fault of a decoder would.
POISON = """#!/bin/sh
echo "$$ $(date +%s.%N)" >>"{log}"
case "$*" in *poison*) kill -SEGV $$ ;; esac
exec "{worker}" "$@"
"""


@contextlib.contextmanager
def server():
    process = subprocess.Popen(["realtime-server", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[-1].removesuffix("/realtime")
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def cluster():
    """A head on which the driver is, and two nodes with the workers."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 80_000_000})
    nodes = [made.add_node(num_cpus=1, object_store_memory=80_000_000) for _ in range(2)]
    made.wait_for_nodes()
    driver.connect(made.address)
    try:
        yield made, nodes
    finally:
        ray.shutdown()
        made.shutdown()


class Bench:
    """A folder with recordings, and a worker that keeps a list of its starts."""

    def __init__(self, folder: str, uri: str, good: int, bad: bool, **settings):
        self.folder = pathlib.Path(folder)
        self.input, self.output, self.log = self.folder / "in", self.folder / "out", self.folder / "starts"
        self.input.mkdir()
        for number in range(good):
            shutil.copy(SPEECH, self.input / f"{number:03}.wav")
        if bad:
            (self.input / "empty.wav").touch()
            (self.input / "corrupt.wav").write_bytes(os.urandom(5000))
            shutil.copy(SPEECH, self.input / "poison.wav")
        self.program = self.folder / "worker"
        self.program.write_text(POISON.format(log=self.log, worker=shutil.which("recording-worker")))
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        self.settings = json.dumps({"task": "transcribe", "uri": uri, "price_per_minute": 0.6, **settings})

    def options(self, **more) -> driver.Options:
        return driver.Options(**{"source": str(self.input), "output": str(self.output), "settings": self.settings, "program": str(self.program), **more})

    def starts(self) -> list[tuple[int, float]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(int(line.split()[0]), float(line.split()[1])) for line in lines]

    def rows(self) -> list[dict]:
        files = sorted((self.output / "results").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def check(what: str, holds: bool, seen=None) -> None:
    print(f"  {'ok    ' if holds else 'FAILED'} {what}{'' if seen is None else f': {seen}'}", flush=True)
    if not holds:
        sys.exit(1)


def wait_for(condition) -> None:
    """Waits for something outside of this process, of which nothing tells."""
    end = time.monotonic() + 240
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not come in 240 s")
        time.sleep(0.05)


def kill_in_the_middle(bench: Bench, made: Cluster, nodes: list) -> None:
    """A worker of Ray when some are done, and a node with all that is on it a little later."""
    done = lambda: len(list(bench.output.glob("*.wav/row.json")))
    wait_for(lambda: done() >= 8)
    for line in subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout.splitlines():
        pid, _, name = line.strip().partition(" ")
        if "ray::" in name and ("Map(" in name or "RecordingActor" in name):
            print(f"  killed a worker: {name.strip()[:60]}", flush=True)
            os.kill(int(pid), signal.SIGKILL)
            break
    wait_for(lambda: done() >= 20)
    made.remove_node(nodes[0], allow_graceful=False)
    print("  killed a node", flush=True)


def test_cluster(uri: str, folder: str) -> None:
    bench = Bench(folder, uri, 57, True)
    with cluster() as (made, nodes):
        killer = threading.Thread(target=kill_in_the_middle, args=(bench, made, nodes))
        killer.start()
        code = driver.Run(bench.options(workers=2)).run()
        killer.join()
        rows = bench.rows()
        check("60 rows", len(rows) == 60, len(rows))
        check("none twice", len({row["uri"] for row in rows}) == 60)
        failed = {pathlib.Path(row["uri"]).name: row["error_kind"] for row in rows if row["status"] != "ok"}
        check("errors are named", failed == {"empty.wav": "empty", "corrupt.wav": "corrupt", "poison.wav": "worker-died"}, failed)
        check("the exit status tells of failures", code == 1)
        check("every recording has its words", sum("forward" in row["user_text"] for row in rows) == 57)
        before = len(bench.starts())
        # What was in hand when a worker and a node died is begun again, and the poison three times.
        check("little is done twice", before <= 60 + 2 + 4, f"{before} starts")
        driver.Run(bench.options(workers=2)).run()
        check("resume does nothing", len(bench.starts()) == before)
        check("and the rows stay", len(bench.rows()) == 60)
        check("there is a summary", "<svg" in (bench.output / "results/summary.html").read_text())


def test_limits(uri: str, folder: str) -> None:
    bench = Bench(folder, uri, 9, False)
    with cluster():
        run = driver.Run(bench.options(workers=4, sessions=2, starts_per_minute=6))
        code = run.run()
        times = sorted(at for _, at in bench.starts())
        most = max(sum(at <= other < at + 59 for other in times) for at in times)
        check("all are done", code == 0 and len(times) == 9)
        check("at most 6 starts a minute over both nodes", most <= 6, most)
        check("at most 2 sessions at once over both nodes", run.peak <= 2, run.peak)
        nodes = ray.nodes()
        check("two nodes with processors", sum(node["Alive"] and node["Resources"].get("CPU", 0) > 0 for node in nodes) == 2)


def test_budget(uri: str, folder: str) -> None:
    # A recording of 2.8 s costs 0.028 USD.
    bench = Bench(folder, uri, 12, False)
    with cluster():
        code = driver.Run(bench.options(workers=2, max_cost=0.1)).run()
        spent = sum(row["cost_usd"] for row in bench.rows())
        check("a budget stops it", code == 3 and 0.08 <= spent <= 0.15, f"{spent:.3f} USD, {len(bench.rows())} recordings")
        code = driver.Run(bench.options(workers=2)).run()
        check("the next run does the rest", code == 0 and len(bench.rows()) == 12)


def test_s3(uri: str, folder: str) -> None:
    import boto3
    from moto.server import ThreadedMotoServer

    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1")
    store = ThreadedMotoServer(port=0)
    store.start()
    endpoint = "http://{}:{}".format(*store.get_host_and_port())
    s3 = boto3.client("s3", endpoint_url=endpoint)
    for bucket in ("calls", "results"):
        s3.create_bucket(Bucket=bucket)
    names = ["2026/a b.wav", "2026/x/c+d.wav", "2026/e.wav"]
    for name in names:
        s3.upload_file(str(SPEECH), "calls", name)
    s3.put_object(Bucket="calls", Key="2026/empty.wav", Body=b"")
    bench = Bench(folder, uri, 0, False)
    options = bench.options(source="s3://calls/2026/**/*.wav", output="s3://results/2026", endpoint=endpoint, workers=2)
    with cluster():
        code = driver.Run(options).run()
        keys = {entry["Key"] for entry in s3.list_objects_v2(Bucket="results")["Contents"]}
        wanted = {f"{name}/{file}" for name in names for file in ("row.json", "transcript.srt", "transcript.vtt")}
        check("every recording has its files in S3", code == 1 and wanted <= keys, sorted(keys - wanted))
        driver.Run(options).run()
        check("resume does nothing", len(bench.starts()) == 4, f"{len(bench.starts())} starts")
    store.stop()


def test_throughput(uri: str, folder: str) -> None:
    """As fast as the server takes it, which computes on the same processors; and in real time, as with a server elsewhere."""
    for max_speed, name in ((0, "as fast as this machine"), (1, "in real time")):
        for workers in (1, 2):
            place = pathlib.Path(folder, f"{max_speed}-{workers}")
            place.mkdir()
            bench = Bench(str(place), uri, 20, False, max_speed=max_speed)
            with cluster():
                begun = time.monotonic()
                driver.Run(bench.options(workers=workers)).run()
                seconds = time.monotonic() - begun
            check(f"20 recordings {name}, {workers} at a time", len(bench.rows()) == 20, f"{seconds:.1f} s")


def test_address(uri: str, folder: str) -> None:
    """A cluster that `ray start` has made, by both ways to name it, and one that is not there."""
    bench = Bench(folder, uri, 3, False)
    settings = pathlib.Path(folder, "settings.json")
    settings.write_text(bench.settings)
    programs = pathlib.Path(sys.executable).parent

    def archive(address: str, **environment: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "archive", bench.input, bench.output, settings, "--worker", bench.program, "--address", address]
        return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)

    nobody = archive("127.0.0.1:1")
    last = nobody.stderr.strip().splitlines()[-1]
    check("a cluster that is not there is named in one line", nobody.returncode == 2 and "--address 127.0.0.1:1: " in last, last)
    start = [programs / "ray", "start", "--head", "--port", "6398", "--num-cpus", "2", "--disable-usage-stats"]
    subprocess.run(start, check=True, capture_output=True)
    try:
        here = archive("auto")
        check("--address auto", here.returncode == 0 and len(bench.rows()) == 3, here.stderr.strip().splitlines()[-1:])
        has_token = pathlib.Path.home().joinpath(".ray/auth_token").exists()
        again = archive("127.0.0.1:6398", **({"RAY_AUTH_MODE": "token"} if has_token else {}))
        check("--address HOST:PORT does nothing again", again.returncode == 0 and len(bench.starts()) == 3, len(bench.starts()))
    finally:
        subprocess.run([programs / "ray", "stop", "--force"], check=True, capture_output=True)


TESTS = {
    "cluster": test_cluster,
    "limits": test_limits,
    "budget": test_budget,
    "s3": test_s3,
    "throughput": test_throughput,
    "address": test_address,
}


def main(names: list[str]) -> None:
    for name in names or TESTS:
        print(name, flush=True)
        with server() as uri, tempfile.TemporaryDirectory() as folder:
            TESTS[name](uri, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
