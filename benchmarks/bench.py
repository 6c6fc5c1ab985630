"""Measure `meterbeam run` against its peers and against what it has to reach, in whole processes.

    python benchmarks/bench.py [--events 2000000] [--runs 5] [--quick] [--only sql,polars,...]

README.md says what each row means. Ends with 1 if a program failed, or if two of them, or one and
the generator, disagree about a total; a bar that is not met is only said.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import events
import inputs
import peers
import shapes
from bars import bars_table
from dedup_bar import dedup
from live_bar import live
from report import surroundings, times_table
from rounds import Bench

QUICK = {
    "events": 200_000,
    "small": 10_000,
    "large": 400_000,
    "grouped": 120_000,
    "keys": 200_000,
    "backlog": 100_000,
    "runs": 2,
}


def parts(bench: Bench, asked: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """What is measured, in this order; each part adds its rows."""
    folder, count = asked.folder, asked.events
    return {
        "sql": partial(peers.against_sql, bench, folder, count),
        "polars": partial(peers.against_polars, bench, folder, count),
        "beam": partial(peers.against_per_event, bench, folder, count, asked.small),
        "first": partial(peers.first_output, bench, folder),
        "large": partial(peers.at_large, bench, folder, count, asked.large),
        "meters": partial(shapes.more_meters, bench, folder, count),
        "groups": partial(shapes.more_groups, bench, folder, asked.grouped),
        "inputs": partial(inputs.kinds_of_files, bench, folder, count),
        "dedup": partial(dedup, bench, asked.keys),
        "live": partial(live, bench, asked.backlog),
    }


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description="Measure `meterbeam run`.")
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--small", type=int, default=50_000, help="events for the per-event peer")
    parser.add_argument("--large", type=int, default=10_000_000, help="events of the long file")
    parser.add_argument("--grouped", type=int, default=6_000_000, help="events for many groups")
    parser.add_argument("--keys", type=int, default=10_000_000, help="keys held for dedup")
    parser.add_argument("--backlog", type=int, default=2_000_000, help="events that wait, live")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", help="parts, as in sql,polars (all: see `parts` in bench.py)")
    parser.add_argument("--quick", action="store_true", help="small files, 2 runs: does it work")
    parser.add_argument("--folder", type=Path, default=events.default_folder())
    parser.add_argument("--json", type=Path, help="write every run's figures here")
    asked = parser.parse_args()
    if asked.quick:
        vars(asked).update(QUICK)
    asked.folder = asked.folder.resolve()
    asked.folder.mkdir(parents=True, exist_ok=True)
    return asked


def measure(bench: Bench, asked: argparse.Namespace) -> None:
    """All parts, or those asked for."""
    every = parts(bench, asked)
    names = asked.only.split(",") if asked.only else list(every)
    if unknown := set(names) - set(every):
        sys.exit(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(every)}")
    for name in names:
        bench.console.rule(name)
        every[name]()


def written(bench: Bench) -> str:
    """All figures as JSON."""
    runs = {
        f"{name}, {file}": [asdict(one) for one in taken]
        for (name, file), taken in bench.taken.items()
    }
    rows = [asdict(row) | {"verdict": row.verdict} for row in bench.rows]
    return json.dumps({"at": surroundings(), "rows": rows, "runs": runs}, indent=1) + "\n"


def main() -> int:
    """Run the parts, print the tables."""
    asked = arguments()
    # a folder of its own, so that two benchmarks at once do not take each other's outputs
    bench = Bench(Path(tempfile.mkdtemp(prefix="run-", dir=asked.folder)), asked.runs)
    bench.console.print(surroundings())
    measure(bench, asked)
    bench.console.print(times_table(bench), bars_table(bench.rows))
    for line in [surroundings(), *bench.problems]:
        bench.console.print(line, markup=False, highlight=False)
    if bench.problems:
        bench.console.print(f"logs and outputs are in {bench.outputs}", highlight=False)
    else:
        bench.console.print("all totals agree")
        shutil.rmtree(bench.outputs)
    if asked.json:
        asked.json.write_text(written(bench))
    return 1 if bench.problems else 0


if __name__ == "__main__":
    sys.exit(main())
