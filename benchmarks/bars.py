"""The rows of a benchmark: figures, and the bars they are held against."""

import statistics
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One figure of the benchmark, taken several times.

    `bar` must be reached and `goal` is hoped for, both by the median: not exceeded, or where
    `at_least` holds not fallen short of. `unit` is empty for a ratio, and `cpu` is the median of
    the same ratio in CPU time.
    """

    name: str
    figures: list[float]
    bar: float | None = None
    goal: float | None = None
    unit: str = ""
    at_least: bool = False
    cpu: float | None = None

    @property
    def median(self) -> float:
        """What is held against the bar."""
        return statistics.median(self.figures)

    def reaches(self, limit: float | None) -> bool:
        """Whether the median is on the right side of a limit."""
        if limit is None:
            return False
        return self.median >= limit if self.at_least else self.median <= limit

    @property
    def verdict(self) -> str:
        """Whether the bar is met, in a word."""
        if self.reaches(self.goal):
            return "goal"
        return "" if self.bar is None else "met" if self.reaches(self.bar) else "NOT met"


def bars_table(rows: list[Row]) -> Table:
    """All rows, each with its bar."""
    table = Table(title="What is to be reached: the median against the bar")
    for name in ("row", "min", "median", "max", "CPU", "bar", "goal", ""):
        table.add_column(name, justify="left" if name in ("row", "") else "right")
    for row in rows:
        sign = "≥" if row.at_least else "≤"
        limits = ("" if limit is None else f"{sign} {limit:,g}" for limit in (row.bar, row.goal))
        name = f"{row.name}, {row.unit}" if row.unit else row.name
        cpu = "" if row.cpu is None else spelled(row.cpu)
        found = (min(row.figures), row.median, max(row.figures))
        table.add_row(name, *map(spelled, found), cpu, *limits, row.verdict)
    return table


def spelled(number: float) -> str:
    """A figure with as many digits as say something."""
    return f"{number:,.0f}" if abs(number) >= 1_000 else f"{number:,.2f}"
