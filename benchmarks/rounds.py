"""The runs of a benchmark: what was measured, by program and file, and what went wrong."""

import shutil
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import agreement
import events
from bars import Row
from processes import ProcessFailedError, Program, Taken, warm
from rich.console import Console

WIDTH = 140

Pair = tuple[Program, str]
"""A program and the name of the file it runs over."""


@dataclass
class Bench:
    """The files, the runs measured so far by (program, file), the rows, and what went wrong.

    Files and their events are by a name of the benchmark's. `runs` is how often each is measured.
    """

    outputs: Path
    runs: int
    files: dict[str, Path] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    taken: dict[tuple[str, str], list[Taken]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    console: Console = field(default_factory=lambda: Console(width=WIDTH))

    def read(self, name: str, file: Path, count: int) -> None:
        """Name a file that programs will run over, and bring it into the page cache."""
        self.files[name], self.events[name] = file, count
        warm(file)

    def output(self, program: Program, file: str) -> Path:
        """Where the program's output over the file goes, and its log beside it."""
        return self.outputs / f"{program.name}-{file}".replace(" ", "-")

    def run(self, program: Program, file: str, *, measured: bool = True) -> bool:
        """Run once; whether it worked. A program that failed is not run again."""
        if program.name in self.broken:
            return False
        try:
            taken = program.run(self.files[file], self.output(program, file))
        except (ProcessFailedError, FileNotFoundError) as error:
            self.broken.add(program.name)
            self.problems.append(f"{program.name} failed: {error}")
            return False
        if measured:
            self.taken.setdefault((program.name, file), []).append(taken)
            self.console.print(
                f"{program.name:>22} {file:10} {taken.wall:7.2f} s wall {taken.cpu:7.2f} s CPU "
                f"{taken.peak / 1e6:7.0f} MB"
            )
        return True

    def compare(self, file: str, left: Program, right: Program, *, ledgers: bool = True) -> None:
        """Hold two outputs over one file against each other and against the generator."""
        if {left.name, right.name} & self.broken:
            return
        outputs = [self.output(program, file) for program in (left, right)]
        names = (f"{left.name} {file}", f"{right.name} {file}")
        written = events.manifest(self.files[file])
        found = [agreement.totals(output) for output in outputs]
        self.problems += agreement.differences(names, *found)
        for name, rows in zip(names, found, strict=True):
            self.problems += [f"{name}: {text}" for text in agreement.against_truth(written, rows)]
        if ledgers:
            counts = [agreement.outcomes(output) for output in outputs]
            self.problems += agreement.differences(names, *counts)
            kept = [[("archived events", agreement.archived(output))] for output in outputs]
            self.problems += agreement.differences(names, *kept)

    def clean_up(self, program: Program, file: str) -> None:
        """Remove an output; the log stays."""
        shutil.rmtree(self.output(program, file), ignore_errors=True)

    def walls(self, pair: Pair) -> list[float]:
        """The seconds of the runs, in their order."""
        return [taken.wall for taken in self.taken.get((pair[0].name, pair[1]), [])]

    def cpus(self, pair: Pair) -> list[float]:
        """The CPU seconds of the runs, in their order."""
        return [taken.cpu for taken in self.taken.get((pair[0].name, pair[1]), [])]

    def peaks(self, pair: Pair) -> list[float]:
        """The peak memory of the runs in bytes, in their order."""
        return [taken.peak for taken in self.taken.get((pair[0].name, pair[1]), [])]

    def compared(
        self,
        name: str,
        of: Pair,
        to: Pair,
        *,
        scale: float = 1,
        skip: int = 0,
        start: Pair | None = None,
        bar: float | None = None,
        goal: float | None = None,
        at_least: bool = False,
    ) -> None:
        """Add a row: the time of some runs by that of others, pair by pair, times `scale`.

        `skip`: how many runs of the others were there before. Of `start` the median is taken off
        both times first.
        """

        def ratios(values: Callable[[Pair], list[float]]) -> list[float]:
            off = statistics.median(values(start)) if start and values(start) else 0
            pairs = zip(values(of), values(to)[skip:], strict=False)
            return [scale * (a - off) / (b - off) for a, b in pairs if b > off]

        if figures := ratios(self.walls):
            cpus = ratios(self.cpus)
            cpu = statistics.median(cpus) if cpus else None
            self.rows.append(Row(name, figures, bar, goal, at_least=at_least, cpu=cpu))
