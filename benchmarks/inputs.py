"""The same events as plain NDJSON, gzip, zstd, Parquet and CSV: whole runs, and reading alone.

Reading alone is what input_reading.py times: the steps before deduplication, up to the fields of
events in Arrow tables, against the read of the same file into an Arrow table by pyarrow, which is
what those steps use.
"""

import json
import subprocess
import sys
from pathlib import Path

import agreement
from bars import Row
from input_files import KINDS, ensure_kind
from peers import CLEAN, START, START_EVENTS, ready
from programs import CATALOG, meterbeam
from rounds import Bench

READING = Path(__file__).with_name("input_reading.py")
NDJSON = "ndjson"


def kinds_of_files(bench: Bench, folder: Path, count: int) -> None:
    """Runs and reads of each kind of file in turn."""
    ready(bench, folder, CLEAN, count)
    ready(bench, folder, START, START_EVENTS)
    for kind in KINDS:
        bench.read(kind, ensure_kind(bench.files[CLEAN], kind), count)
    bench.read(NDJSON, bench.files[CLEAN], count)
    ours = meterbeam()
    bench.run(ours, START, measured=False)
    reads: dict[tuple[str, str], list[float]] = {}
    for number in range(bench.runs):
        for kind in (NDJSON, *KINDS):
            bench.run(ours, kind)
            for who in ("ours", "library"):
                _read(bench, who, kind, reads)
            if number == 0 and kind != NDJSON:
                _compare(bench, kind)
        for kind in (NDJSON, *KINDS):
            bench.clean_up(ours, kind)
    for kind in KINDS:
        bench.compared(f"{kind}: time / that of ndjson", (ours, kind), (ours, NDJSON))
    for kind in (NDJSON, *KINDS):
        own, library = (reads.get((who, kind), []) for who in ("ours", "library"))
        ratios = [a / b for a, b in zip(own, library, strict=False)]
        bar = None if kind == NDJSON else 1.5
        bench.rows += [Row(f"{kind}: reading / pyarrow's own", ratios, bar)] if ratios else []


def _read(bench: Bench, who: str, kind: str, reads: dict[tuple[str, str], list[float]]) -> None:
    """Time one read in a process of its own; the interpreter's start and imports do not count."""
    command = [sys.executable, str(READING), who, str(bench.files[kind]), str(CATALOG)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        bench.problems.append(f"reading {kind}, {who}: {done.stderr[-2_000:]}")
        return
    said = json.loads(done.stdout)
    reads.setdefault((who, kind), []).append(said["seconds"])
    bench.console.print(f"{'reading, ' + who:>22} {kind:10} {said['seconds']:7.2f} s")
    if said["rows"] != bench.events[kind]:
        bench.problems.append(f"reading {kind}, {who}: {said['rows']:,} rows")


def _compare(bench: Bench, kind: str) -> None:
    """Hold the answers over one kind of file against those over plain NDJSON."""
    if bench.broken:
        return
    outputs = [bench.output(meterbeam(), name) for name in (kind, NDJSON)]
    for answers in (agreement.totals, agreement.outcomes):
        left, right = (answers(output) for output in outputs)
        bench.problems += agreement.differences((kind, NDJSON), left, right)
