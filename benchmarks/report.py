"""What a benchmark prints of its runs."""

import os
import platform
import statistics
from datetime import UTC, datetime
from importlib.metadata import version

from rich.table import Table
from rounds import Bench


def times_table(bench: Bench) -> Table:
    """What each program took over each file."""
    table = Table(title="Whole processes: seconds, and events per second at the median")
    for name in ("program", "file", "events", "runs", "min", "median", "max", "CPU median"):
        table.add_column(name, justify="left" if name in ("program", "file") else "right")
    table.add_column("peak MB", justify="right")
    table.add_column("events/s", justify="right")
    for (name, file), taken in bench.taken.items():
        walls = [one.wall for one in taken]
        half = statistics.median(walls)
        table.add_row(
            name,
            file,
            f"{bench.events[file]:,}",
            str(len(taken)),
            *(f"{seconds:.2f}" for seconds in (min(walls), half, max(walls))),
            f"{statistics.median(one.cpu for one in taken):.2f}",
            f"{max(one.peak for one in taken) / 1e6:,.0f}",
            f"{bench.events[file] / half:,.0f}",
        )
    return table


def surroundings() -> str:
    """What the figures were taken on."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("apache-beam", "duckdb", "pyarrow"))
    load = " ".join(f"{number:.1f}" for number in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load {load}, "
        f"Python {platform.python_version()}, {versions}"
    )
