"""The rows of live.py: what it prints, held against what has to be reached."""

import re
import subprocess
import sys
from pathlib import Path

from bars import Row
from rounds import Bench

SCRIPT = Path(__file__).with_name("live.py")
LATENCY_RATE = 1_000
_LATENCY = re.compile(r"p50 +([0-9]+) ms +p99 +([0-9]+) ms")
_BACKLOG = re.compile(r"([0-9,]+)/s from the first row")


def live(bench: Bench, backlog: int) -> None:
    """The rate of a backlog, and the latency at 1,000 events/s, on Prism (`make prism`)."""
    rates: list[float] = []
    half: list[float] = []
    most: list[float] = []
    for _ in range(bench.runs):
        rates += _said(bench, _BACKLOG, "backlog", "--events", str(backlog))[:1]
        found = _said(bench, _LATENCY, "latency", "--rates", str(LATENCY_RATE))
        half += found[:1]
        most += found[1:2]
    if rates:
        bench.rows.append(Row("backlog", rates, 120_000, 300_000, "events/s", at_least=True))
    if most:
        at = f"latency at {LATENCY_RATE:,} events/s"
        bench.rows.append(Row(f"{at}, p50", half, 60, 30, "ms"))
        bench.rows.append(Row(f"{at}, p99", most, 200, 100, "ms"))


def _said(bench: Bench, figures: re.Pattern[str], *arguments: str) -> list[float]:
    """The figures in what live.py prints."""
    command = [sys.executable, str(SCRIPT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    bench.console.print(done.stdout.rstrip(), markup=False, highlight=False)
    found = figures.search(done.stdout)
    if done.returncode or not found:
        bench.problems.append(f"live.py {' '.join(arguments)}: {done.stdout}{done.stderr[-2_000:]}")
        return []
    return [float(figure.replace(",", "")) for figure in found.groups()]
