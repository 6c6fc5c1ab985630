"""The runs of a benchmark: what was measured, by program and file, and what went wrong."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import agreement
import events
from processes import ProcessFailedError, Program, Taken
from rich.console import Console

CLEAN, DIRTY, SMALL, START, LARGE = "clean", "bad", "small", "start", "large"
WIDTH = 120


@dataclass
class Bench:
    """The files, the runs measured so far by (program, file), and what went wrong."""

    outputs: Path
    files: dict[str, Path]
    taken: dict[tuple[str, str], list[Taken]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    console: Console = field(default_factory=lambda: Console(width=WIDTH))

    def output(self, program: Program, file: str) -> Path:
        """Where the program's output over the file goes, and its log beside it."""
        return self.outputs / f"{program.name.replace(' ', '-')}-{file}"

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
                f"{program.name:>15} {file:6} {taken.wall:7.2f} s wall {taken.cpu:7.2f} s CPU "
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

    def walls(self, program: Program, file: str) -> list[float]:
        """The seconds of the runs, in their order."""
        return [taken.wall for taken in self.taken.get((program.name, file), [])]

    def cpus(self, program: Program, file: str) -> list[float]:
        """The CPU seconds of the runs, in their order."""
        return [taken.cpu for taken in self.taken.get((program.name, file), [])]

    def peak(self, program: Program, file: str) -> int:
        """The greatest peak memory of the runs, in bytes."""
        return max(taken.peak for taken in self.taken[program.name, file])
