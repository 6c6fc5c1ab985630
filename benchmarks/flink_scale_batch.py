"""Batch runs of the command on a Flink cluster, over files of two sizes, by slots."""

import argparse
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import agreement
import events
from flink_cluster import OPTIONS, Cluster
from flink_run import restarts

from pipelines import warehouse

HERE = Path(__file__).parent
LIMIT_S = 300


@dataclass(frozen=True)
class Measured:
    """Seconds of a whole command and of its job in Flink, its Python workers, failures in it."""

    command: float
    job: float
    workers: int
    failures: int


def batch(flink: Cluster, folder: Path, args: argparse.Namespace) -> bool:
    """Measures each number of slots at both sizes, by turns; prints the rate between them."""
    sizes = [int(size) for size in args.events.split(",")]
    slots = [int(each) for each in args.slots.split(",")]
    inputs = {size: _cut(args.folder, folder / f"in-{size}", size, args.files) for size in sizes}
    taken: dict[tuple[int, int], list[Measured]] = {}
    good = True
    _run(flink, inputs[min(sizes)], folder / "warm", max(slots))  # a cold cluster takes longer
    for _ in range(args.rounds):
        for size in sizes:
            for each in slots:
                out = folder / "out"
                measured = _run(flink, inputs[size], out, each)
                verdict = _verdict(args.folder, size, out)
                good &= verdict == "exact"
                if not measured.failures:
                    taken.setdefault((each, size), []).append(measured)
                print(
                    f"{each} slots {size:>9,} events: command {measured.command:6.1f} s, job "
                    f"{measured.job:6.1f} s, {measured.workers} Python workers, {verdict}"
                    f"{', a step was done again: left out' if measured.failures else ''}",
                    flush=True,
                )
                shutil.rmtree(out)
    for each in slots:
        few, many = [taken.get((each, size), []) for size in (min(sizes), max(sizes))]
        if not few or not many:
            continue
        for name in ("command", "job"):
            more = median(getattr(m, name) for m in many) - median(getattr(m, name) for m in few)
            rate = (max(sizes) - min(sizes)) / more
            print(f"{each} slots: {rate:>9,.0f} events/s between the sizes, by the {name}'s time")
    return good


def _cut(cache: Path, folder: Path, size: int, files: int) -> str:
    """The lines of such a file in several files; their glob."""
    lines = events.ensure(cache, size).read_bytes().splitlines(keepends=True)
    folder.mkdir()
    for number in range(files):
        part = lines[number * size // files : (number + 1) * size // files]
        (folder / f"{number}.ndjson").write_bytes(b"".join(part))
    return f"{folder}/*.ndjson"


def _run(flink: Cluster, source: str, out: Path, slots: int) -> Measured:
    """One run of the command; ends this process where it fails."""
    command = [str(Path(sys.executable).with_name("meterbeam")), "run", "--quiet"]
    command += ["--catalog", str(HERE / "catalog.yaml"), "--rates", str(HERE / "rates.csv")]
    command += ["--input", source, "--output", str(out), *OPTIONS, f"--parallelism={slots}"]
    begun = time.monotonic()
    process = subprocess.Popen(command)
    workers = _Workers(flink)
    workers.start()
    code = process.wait(LIMIT_S)
    seconds = time.monotonic() - begun
    workers.done.set()
    workers.join()
    if code:
        sys.exit(f"the run ended with {code}")
    job = flink.jobs()[-1]
    return Measured(seconds, job["duration"] / 1000, workers.most, restarts(flink))


class _Workers(threading.Thread):
    """Looks how many Python workers there are at once."""

    def __init__(self, flink: Cluster) -> None:
        super().__init__(daemon=True)
        self.flink, self.most, self.done = flink, 0, threading.Event()

    def run(self) -> None:
        """Looks now and then, until `done`."""
        while not self.done.wait(2):
            self.most = max(self.most, len(self.flink.workers()))


def _verdict(cache: Path, size: int, out: Path) -> str:
    written = events.manifest(events.ensure(cache, size))
    problems = agreement.against_truth(written, agreement.totals(out))
    with warehouse.connect(out) as connection:
        found = connection.execute("SELECT count(*) FROM events").fetchone()
    if found != (size,):
        problems.append(f"{found} events in the archive")
    return f"WRONG: {problems}" if problems else "exact"
