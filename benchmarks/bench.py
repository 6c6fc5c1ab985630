"""Compare `meterbeam run` with its peers, in pairs of whole processes.

    python benchmarks/bench.py [--events 2000000] [--runs 5] [--quick] [--large 10000000]

README.md says what each row means. Ends with 1 if a program failed, or if two of them, or one and
the generator, disagree about a total.
"""

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import events
from processes import programs, warm
from report import memory_lines, ratios_table, surroundings, times_table
from rounds import CLEAN, DIRTY, LARGE, SMALL, START, Bench

BAD = 0.001
START_EVENTS = 1_000


def full_size(bench: Bench, runs: int) -> None:
    """Meterbeam and SQL in turn, over the clean file and the bad one."""
    meterbeam, sql, _ = programs()
    for number in range(runs):
        for file in (CLEAN, DIRTY):
            bench.run(meterbeam, file)
            bench.run(sql, file)
            if number == 0:
                bench.compare(file, meterbeam, sql)
            bench.clean_up(meterbeam, file)
            bench.clean_up(sql, file)


def small_size(bench: Bench, runs: int) -> None:
    """Meterbeam and the per-event peer in turn, over almost nothing and over the small file."""
    meterbeam, sql, per_event = programs()
    bench.run(sql, SMALL, measured=False)  # for its totals
    for number in range(runs):
        for file in (START, SMALL):
            bench.run(meterbeam, file)
            bench.run(per_event, file)
        if number == 0:
            bench.compare(SMALL, per_event, sql, ledgers=False)
            bench.compare(SMALL, meterbeam, sql)


def large_size(bench: Bench) -> None:
    """Meterbeam and SQL once over the large file, for their memory."""
    meterbeam, sql, _ = programs()
    for program in (meterbeam, sql):
        bench.run(program, LARGE)
    bench.compare(LARGE, meterbeam, sql)
    for program in (meterbeam, sql):
        bench.clean_up(program, LARGE)


def measure(bench: Bench, runs: int) -> None:
    """All the runs, in rounds, so that noise meets each program alike."""
    for program in programs():  # compiles modules, fills caches
        bench.run(program, START, measured=False)
    full_size(bench, runs)
    small_size(bench, runs)
    if LARGE in bench.files:
        large_size(bench)


def main() -> int:
    """Make the files, run the rounds, print the tables."""
    parser = argparse.ArgumentParser(description="Compare `meterbeam run` with its peers.")
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--small", type=int, default=50_000, help="events for the per-event peer")
    parser.add_argument("--large", type=int, default=0, help="events for memory: 10000000 is slow")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="200,000 events, 10,000 small, 2 runs")
    parser.add_argument("--folder", type=Path, default=events.default_folder())
    parser.add_argument("--json", type=Path, help="write every run's figures here")
    asked = parser.parse_args()
    if asked.quick:
        asked.events, asked.small, asked.runs = 200_000, 10_000, 2
    counts = {
        CLEAN: asked.events,
        DIRTY: asked.events,
        SMALL: asked.small,
        START: START_EVENTS,
    }
    if asked.large:
        counts[LARGE] = asked.large
    folder = asked.folder.resolve()
    files = {
        name: events.ensure(folder, count, BAD if name == DIRTY else 0)
        for name, count in counts.items()
    }
    for file in files.values():
        warm(file)
    # a folder of its own, so that two benchmarks at once do not take each other's outputs
    outputs = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    bench = Bench(outputs, files)
    bench.console.print(surroundings())
    measure(bench, asked.runs)
    bench.console.print(times_table(bench, counts), ratios_table(bench, counts))
    for line in [*memory_lines(bench, counts), surroundings(), *bench.problems]:
        bench.console.print(line, markup=False, highlight=False)
    if bench.problems:
        bench.console.print(f"logs and outputs are in {outputs}", highlight=False)
    else:
        bench.console.print("all totals agree")
        shutil.rmtree(outputs)
    if asked.json:
        runs = {
            f"{name}, {file}": [asdict(one) for one in taken]
            for (name, file), taken in bench.taken.items()
        }
        asked.json.write_text(json.dumps({"at": surroundings(), "runs": runs}, indent=1) + "\n")
    return 1 if bench.problems else 0


if __name__ == "__main__":
    sys.exit(main())
