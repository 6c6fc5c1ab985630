"""Where each microsecond of an event goes, by step: tables, and the charts of docs/speed.md.

    python benchmarks/step_times.py [batch] [backlog] [live] [--events N] [--runs 3] [--charts]

CPU time, user and system, of whole processes. Of several runs the one with the middle total is
shown, whole, so that the steps add up to it; what no step took is shown as the runner's. --docs
draws docs/step-times-*.svg and puts the tables into docs/speed.md. Live it is a micro-batch's time.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import events
import live_stream
from live import LINES, fed
from live_feed import Feed
from processes import warm
from programs import CATALOG, RATES
from report import surroundings
from rich.console import Console
from step_chart import Bar
from step_places import PLACES
from step_report import Chart, Whole, put_into_docs, table

HERE = Path(__file__).parent
CUSTOMERS, RATE, SECONDS, AN_HOUR_US = 200, 1_000, 20, 3_600_000_000
WARM = 500


def measured(figures: Path, mode: str) -> tuple[str, ...]:
    """The command `meterbeam`, measured."""
    return (sys.executable, str(HERE / "step_spans.py"), str(figures), mode)


def batch(folder: Path, count: int) -> Chart:
    """A run over files."""
    file = events.ensure(events.default_folder(), count)
    warm(file)
    options = ["--catalog", CATALOG, "--rates", RATES, "--input", file, "--output", folder / "out"]
    figures = folder / "figures.json"
    command = [*measured(figures, "batch"), "run", *map(str, options), "--quiet"]
    begun = time.perf_counter()
    subprocess.run(command, check=True)
    clock = time.perf_counter() - begun
    whole = Whole("batch", f"batch, {count:,} events", "event", count)
    return _chart(whole, json.loads(figures.read_text()), clock)


def _stream(folder: Path) -> live_stream.Stream:
    """A stream whose command is measured."""
    program = measured(folder / "figures.json", "stream")
    return live_stream.Stream(folder, ("--early", "0"), program=program)


def backlog(folder: Path, count: int) -> Chart:
    """A stream that finds all its events waiting."""
    stream = _stream(folder)
    start = datetime.now(UTC) - timedelta(hours=3)
    feed = Feed(CUSTOMERS, start, AN_HOUR_US // count)
    for first in range(0, count, LINES):
        stream.append(feed.lines(first, min(count, first + LINES)))
    begun = time.perf_counter()
    stream.start()
    stream.wait_until_reading()
    stream.end()
    clock = time.perf_counter() - begun
    _exact(stream, count)
    found = json.loads((folder / "figures.json").read_text())
    whole = Whole("backlog", f"a stream's backlog, {count:,} events", "event", count)
    return _chart(whole, found, clock)


def live(folder: Path, _: int) -> Chart:
    """A stream of a thousand events a second."""
    stream = _stream(folder)
    feed, count = Feed(CUSTOMERS), RATE * SECONDS
    begun = time.perf_counter()
    stream.start()
    stream.append(feed.lines(0, WARM))
    stream.wait_until_reading()
    fed(stream, feed, WARM, count, RATE)
    stream.end()
    clock = time.perf_counter() - begun
    _exact(stream, WARM + count)
    found = json.loads((folder / "figures.json").read_text())
    batches = found["steps"]["calls"]["Validate"]
    rows = (WARM + count) / batches
    title = f"live, {RATE:,} events/s, {batches:,} micro-batches of {rows:.0f} events"
    return _chart(Whole("live", title, "micro-batch", batches), found, clock)


def _exact(stream: live_stream.Stream, count: int) -> None:
    verdict = stream.check(count)
    if verdict != "exact":
        sys.exit(verdict)


def _chart(whole: Whole, found: dict[str, Any], clock: float) -> Chart:
    marks, cpu = found["marks"], found["steps"]["cpu"]
    before, after, end = (marks[each] for each in ("before graph", "after graph", "end"))
    graph = after["cpu"] - before["cpu"]
    wanted = list(dict.fromkeys(PLACES["batch" if whole.name == "batch" else "stream"].values()))
    order = {step: wanted.index(_pattern(step)) for step in cpu}
    bars = [Bar("start", before["cpu"], "other")]
    bars += [Bar(step, cpu[step] / 1e9, "step") for step in sorted(cpu, key=order.__getitem__)]
    rest = graph - sum(ns / 1e9 for ns in cpu.values())
    if whole.name == "batch":
        bars.append(Bar("the runner, and all else", rest, "runner"))
    else:
        bars.append(Bar("Beam's worker, and all else", rest, "runner"))
        bars.append(Bar("Prism, the engine", end["children"], "runner"))
    bars.append(Bar("end: ledger, views, summary", end["cpu"] - after["cpu"], "other"))
    phases = {
        "start": clock - (end["clock"] - before["clock"]),
        "graph": after["clock"] - before["clock"],
        "end": end["clock"] - after["clock"],
    }
    on_clock = {step: ns / 1e9 for step, ns in found["steps"]["clock"].items()}
    return Chart(whole, bars, phases, on_clock)


def _pattern(step: str) -> str:
    """How step_places.py has it."""
    return "write {table}" if step.startswith("write ") else step


def middle(take: Callable[[Path, int], Chart], count: int, runs: int) -> Chart:
    """The run with the middle total."""
    taken = []
    for _ in range(runs):
        folder = Path(tempfile.mkdtemp(prefix="steps-"))
        try:
            taken.append(take(folder, count))
        finally:
            shutil.rmtree(folder)
    return sorted(taken, key=lambda chart: chart.total)[runs // 2]


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="*", default=["batch", "backlog", "live"])
    parser.add_argument("--events", type=int, help="of batch [2000000] and backlog [500000]")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--docs", action="store_true", help="put it into docs/speed.md")
    asked = parser.parse_args()
    ways = {"batch": (batch, 2_000_000), "backlog": (backlog, 500_000), "live": (live, 0)}
    console = Console(width=100)
    for name in asked.what:
        take, usual = ways[name]
        chart = middle(take, asked.events or usual, asked.runs)
        console.print(table(chart))
        if asked.docs:
            put_into_docs(chart, asked.runs)
    console.print(surroundings())


if __name__ == "__main__":
    main()
