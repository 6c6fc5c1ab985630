"""The tables of a benchmark."""

import os
import platform
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version

from processes import Program, programs
from rich.table import Table
from rounds import CLEAN, DIRTY, LARGE, SMALL, START, Bench


def _spread(numbers: list[float], digits: int = 2) -> list[str]:
    found = (min(numbers), statistics.median(numbers), max(numbers))
    return [f"{number:,.{digits}f}" for number in found]


def times_table(bench: Bench, counts: dict[str, int]) -> Table:
    """What each program took over each file."""
    table = Table(title="Whole processes: seconds, and events per second at the median")
    for name in ("program", "file", "events", "runs", "min", "median", "max", "CPU median"):
        table.add_column(name, justify="left" if name in ("program", "file") else "right")
    table.add_column("peak MB", justify="right")
    table.add_column("events/s", justify="right")
    for (name, file), taken in bench.taken.items():
        walls = [one.wall for one in taken]
        table.add_row(
            name,
            file,
            f"{counts[file]:,}",
            str(len(taken)),
            *_spread(walls),
            f"{statistics.median(one.cpu for one in taken):.2f}",
            f"{max(one.peak for one in taken) / 1e6:,.0f}",
            f"{counts[file] / statistics.median(walls):,.0f}",
        )
    return table


def ratios_table(bench: Bench, counts: dict[str, int]) -> Table:
    """Meterbeam against the peers, pair by pair."""
    meterbeam, sql, per_event = programs()
    table = Table(title="Ratios, pair by pair (of the same round)")
    for name in ("row", "min", "median", "max", "CPU median"):
        table.add_column(name, justify="left" if name == "row" else "right")

    def add(row: str, of: tuple[Program, str], to: tuple[Program, str], scale: float = 1) -> None:
        def ratios(values: Callable[[Program, str], list[float]]) -> list[float]:
            return [scale * a / b for a, b in zip(values(*of), values(*to), strict=False)]

        if walls := ratios(bench.walls):
            table.add_row(row, *_spread(walls), _spread(ratios(bench.cpus))[1])

    add("clean: meterbeam time / SQL time", (meterbeam, CLEAN), (sql, CLEAN))
    add("bad: meterbeam time / SQL time on clean", (meterbeam, DIRTY), (sql, CLEAN))
    add("bad: meterbeam time / SQL time on bad", (meterbeam, DIRTY), (sql, DIRTY))
    add("bad: meterbeam time / its time on clean", (meterbeam, DIRTY), (meterbeam, CLEAN))
    add("bad: SQL time / its time on clean", (sql, DIRTY), (sql, CLEAN))
    add("small: per-event time / meterbeam time", (per_event, SMALL), (meterbeam, SMALL))
    per = counts[CLEAN] / counts[SMALL]
    add(
        "rate: meterbeam's at full size / per-event's on small",
        (per_event, SMALL),
        (meterbeam, CLEAN),
        per,
    )
    if found := _without_start(bench, counts):
        table.add_row("rate: the same, without the start of either", "", found[0], "", found[1])
    add("large: meterbeam time / SQL time", (meterbeam, LARGE), (sql, LARGE))
    return table


def _without_start(bench: Bench, counts: dict[str, int]) -> list[str]:
    """How many times more an event more costs the per-event peer: by the clock, and in CPU.

    From medians, as a difference of two runs has the noise of both; nothing where the files are so
    small that starting is most of it.
    """
    meterbeam, _, per_event = programs()

    def an_event_more(times: list[float], starts: list[float], file: str) -> float:
        more = statistics.median(times) - statistics.median(starts)
        return more / (counts[file] - counts[START])

    ratios = []
    for values in (bench.walls, bench.cpus):
        slow, slow_start = values(per_event, SMALL), values(per_event, START)
        fast, fast_start = values(meterbeam, CLEAN), values(meterbeam, START)
        if (
            not (slow and fast)
            or min(slow) < 2 * max(slow_start)
            or min(fast) < 2 * max(fast_start)
        ):
            return []
        fast_rate = an_event_more(fast, fast_start, CLEAN)
        ratios.append(f"{an_event_more(slow, slow_start, SMALL) / fast_rate:.2f}")
    return ratios


def memory_lines(bench: Bench, counts: dict[str, int]) -> list[str]:
    """Peak memory at both sizes and what an event more adds to it."""
    lines = []
    for program in programs()[:2]:
        have = [file for file in (CLEAN, LARGE) if (program.name, file) in bench.taken]
        sizes = [f"{bench.peak(program, f) / 1e6:,.0f} MB at {counts[f]:,}" for f in have]
        if len(have) == 2:
            grown = bench.peak(program, LARGE) - bench.peak(program, CLEAN)
            sizes.append(f"{grown / (counts[LARGE] - counts[CLEAN]):,.0f} bytes an event between")
        if sizes:
            lines.append(f"peak memory, {program.name}: {', '.join(sizes)}")
    return lines


def surroundings() -> str:
    """What the figures were taken on."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("apache-beam", "duckdb", "pyarrow"))
    load = " ".join(f"{number:.1f}" for number in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load {load}, "
        f"Python {platform.python_version()}, {versions}"
    )
