"""Rows per second into the BigQuery emulator: ours against Beam's own `WriteToBigQuery`.

    python benchmarks/bigquery_writes.py [--rows 20000] [--rounds 3] [--without WRITER]

All write the rows of one file, which `meterbeam run` wrote, into tables made as by
`meterbeam tables`. Writers take turns. After each run the table is held against the file: its rows,
and of each column the sum, the length of the texts, or the last time. Ends with 1 if one differs.

README.md says what each figure is measured against, and why Beam's STORAGE_WRITE_API is not there.
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import events
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bigquery_emulated import Emulator, appended_to, emulated, sums, sums_of
from bigquery_writers import WRITERS, Target
from programs import meterbeam
from report import surroundings
from rich.console import Console
from rich.table import Table

from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.tables import make_tables
from transforms.tables import TABLES

_TABLES = ("events", "usage")
_START_ROWS = 100
_PAIRS = (
    ("ours, load jobs", "Beam FILE_LOADS"),
    ("ours, appends", "Beam STREAMING_INSERTS"),
    ("ours, appends of 500", "Beam STREAMING_INSERTS"),
)
# insertAll of the emulator refuses amounts of more than nine decimals, and so rows of usage
_CANNOT = {("usage", "Beam STREAMING_INSERTS")}


@dataclass
class Bench:
    """Seconds by the clock and of CPU for each (table, writer, rows), and what went wrong."""

    emulator: Emulator
    dataset: Dataset
    address: str
    taken: dict[tuple[str, str, int], list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    problems: list[str] = field(default_factory=list)
    broken: set[tuple[str, str]] = field(default_factory=_CANNOT.copy)
    console: Console = field(default_factory=lambda: Console(width=120, highlight=False))

    def run(self, table: str, writer: str, path: Path) -> None:
        """Write the rows of a file into the empty table. A writer that failed is not run again."""
        if (table, writer) in self.broken:
            return
        self.emulator.query(f"DELETE FROM {self.dataset.table(table)} WHERE TRUE")
        rows = pq.read_table(path)
        try:
            clock, cpu = time.perf_counter(), time.process_time()
            with appended_to(self.address):
                WRITERS[writer](Target(self.dataset, table, path))
            wall, cpu = time.perf_counter() - clock, time.process_time() - cpu
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            self._note(table, writer, f"failed: {str(error)[-500:]}")
            return
        found = sums(self.emulator, self.dataset.table(table), TABLES[table])
        wanted = sums_of(rows)
        if found != wanted:
            names = ["rows", *TABLES[table].names]
            pairs = zip(names, found, wanted, strict=True)
            differs = [f"{name} {a}, not {b}" for name, a, b in pairs if a != b]
            self._note(table, writer, "; ".join(differs))
            return
        self.taken[table, writer, rows.num_rows].append((wall, cpu))
        text = f"{writer:>22} {table:6} {rows.num_rows:7,} {wall:7.2f} s wall {cpu:7.2f} s CPU"
        self.console.print(text)

    def _note(self, table: str, writer: str, what: str) -> None:
        self.broken.add((table, writer))
        self.problems.append(f"{writer}, {table}: {what}")
        self.console.print(self.problems[-1], markup=False)

    def rates(self, table: str, writer: str, rows: int) -> list[float]:
        """Rows per second of each run."""
        return [rows / wall for wall, _ in self.taken.get((table, writer, rows), [])]


def _spread(numbers: list[float], digits: int) -> list[str]:
    found = (min(numbers), statistics.median(numbers), max(numbers))
    return [f"{number:,.{digits}f}" for number in found]


def _rates_table(bench: Bench, rows: int) -> Table:
    shown = Table(title=f"Rows per second, {rows:,} rows")
    for name in (
        "table",
        "writer",
        "runs",
        "min",
        "median",
        "max",
        "CPU s",
        f"{_START_ROWS} rows, s",
    ):
        shown.add_column(name, justify="left" if name in ("table", "writer") else "right")
    for table in _TABLES:
        for writer in WRITERS:
            if rates := bench.rates(table, writer, rows):
                cpu = statistics.median(cpu for _, cpu in bench.taken[table, writer, rows])
                started = [wall for wall, _ in bench.taken[table, writer, _START_ROWS]]
                start = f"{statistics.median(started):.2f}"
                runs = str(len(rates))
                shown.add_row(table, writer, runs, *_spread(rates, 0), f"{cpu:.2f}", start)
    return shown


def _ratios_table(bench: Bench, rows: int) -> Table:
    shown = Table(title="Rows per second, pair by pair (of the same round)")
    for name in ("row", "min", "median", "max"):
        shown.add_column(name, justify="left" if name == "row" else "right")
    for table in _TABLES:
        for own, peer in _PAIRS:
            both = zip(bench.rates(table, own, rows), bench.rates(table, peer, rows), strict=False)
            if found := [a / b for a, b in both]:
                shown.add_row(f"{table}: {own} / {peer}", *_spread(found, 1))
    return shown


def _files(folder: Path, rows: int) -> dict[tuple[str, int], Path]:
    """Files of so many rows of each table, from all over a run's output."""
    source = events.ensure(events.default_folder(), max(1_000, 2 * rows))
    meterbeam().run(source, folder / "out")
    found = {}
    for table in _TABLES:
        parts = sorted((folder / "out" / table).glob("*/*.parquet"))
        whole = pa.concat_tables([pq.read_table(path, schema=TABLES[table]) for path in parts])
        for count in (_START_ROWS, rows):
            if whole.num_rows < count:
                raise SystemExit(f"the run wrote {whole.num_rows:,} rows of {table} only")
            path = found[table, count] = folder / f"{table}-{count}.parquet"
            places = np.linspace(0, whole.num_rows - 1, count).astype(int)
            pq.write_table(whole.take(places), path)
    return found


def main() -> int:
    """Make the rows, run the rounds, print the tables."""
    parser = argparse.ArgumentParser(description="Rows per second into the BigQuery emulator.")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without", action="append", default=[], choices=list(WRITERS))
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, emulated() as (emulator, address):
        files = _files(Path(folder), asked.rows)
        dataset = Dataset(emulator.client.project, emulator.dataset())
        make_tables(emulator.client, dataset)
        bench = Bench(emulator, dataset, address)
        bench.console.print(surroundings())
        for number in range(asked.rounds + 1):
            for (table, rows), path in files.items():
                for writer in WRITERS:
                    if writer not in asked.without and (number or rows == _START_ROWS):
                        bench.run(table, writer, path)
            if not number:  # it filled caches
                bench.taken.clear()
        bench.console.print(_rates_table(bench, asked.rows), _ratios_table(bench, asked.rows))
        for line in [surroundings(), *bench.problems]:
            bench.console.print(line, markup=False)
    return 1 if bench.problems else 0


if __name__ == "__main__":
    sys.exit(main())
