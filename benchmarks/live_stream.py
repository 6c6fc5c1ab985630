"""A streaming run to measure, and who watches its usage appear."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from live_feed import REPEATED, accepted, tokens

HERE = Path(__file__).parent
KIB = 1024
TOTALS = """
SELECT
  SUM(event_count) FILTER (WHERE meter = 'calls'),
  SUM(quantity) FILTER (WHERE meter = 'tokens')
FROM usage_current
"""
LEDGER = "SELECT outcome, SUM(events) FROM ledger_current WHERE meter IS NULL GROUP BY ALL"
BALANCED = "SELECT BOOL_AND(balanced) FROM ledger_balance"


@dataclass
class Stream:
    """A streaming run of the command, in a folder of its own, that holds keys for `horizon`."""

    folder: Path
    options: tuple[str, ...] = ()
    horizon: str = "7d"
    program: tuple[str, ...] = (str(Path(sys.executable).with_name("meterbeam")),)
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.input, self.out = self.folder / "in", self.folder / "out"
        self.input.mkdir(parents=True)
        self.catalog = self.folder / "catalog.yaml"
        meters = (HERE / "live_catalog.yaml").read_text()
        self.catalog.write_text(f"{meters}defaults: {{dedup_horizon: {self.horizon}}}\n")

    def start(self) -> None:
        """Starts the command."""
        command = [*self.program, "run", "--streaming"]
        given = {
            "--catalog": self.catalog,
            "--rates": HERE / "live_rates.csv",
            "--input": f"tail:{self.input}",
            "--output": self.out,
            "--run-id": "live",
        }
        options = [str(each) for pair in given.items() for each in pair]
        self.process = subprocess.Popen([*command, *options, "--quiet", *self.options])

    def wait_until_reading(self) -> None:
        """Until the first row is visible."""
        while not files(self.out):
            if self.process.poll() is not None:
                sys.exit("the run ended")
            time.sleep(0.01)

    def append(self, content: bytes, name: str = "a.ndjson") -> None:
        """Appends records to a followed file."""
        with (self.input / name).open("ab") as file:
            file.write(content)

    def end(self) -> float:
        """Says that nothing more comes; gives the seconds until the command was done."""
        start = time.monotonic()
        (self.input / "_END").touch()
        if self.process.wait():
            sys.exit(f"the run ended with {self.process.returncode}")
        return time.monotonic() - start

    def memory_mb(self) -> float:
        """What the command and its engine hold."""
        pids = [self.process.pid, *children(self.process.pid)]
        return sum(resident(pid) for pid in pids) / KIB

    def check(self, count: int) -> str:
        """Whether the totals are those of the first `count` events, in words."""
        with duckdb.connect(str(self.out / "warehouse.duckdb"), read_only=True) as connection:
            found = connection.execute(TOTALS).fetchone()
            ledger = connection.execute(LEDGER).fetchall()
            balanced = connection.execute(BALANCED).fetchone()
        wanted = (accepted(count), tokens(count))
        ledgers = {"received": count, "accepted": wanted[0], "duplicate": count - wanted[0]}
        if found and (int(found[0]), int(found[1])) == wanted and dict(ledger) == ledgers:
            return "exact" if balanced == (True,) else "the ledger does not balance"
        return f"WRONG: {found} of {wanted}, {dict(ledger)} of {ledgers}"


def files(out: Path) -> set[str]:
    """What readers find of usage: files in the folder of the run, and in folders of it."""
    found = set()
    for folder, _, names in os.walk(out / "usage" / "live"):
        found |= {f"{folder}/{name}" for name in names if not name.startswith(".")}
    return found


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(each) for each in task.read_text().split()]
    return found


def resident(pid: int) -> int:
    """KiB of memory that a process holds."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))


class Watch(threading.Thread):
    """Reads each new file of usage, and notes when each event could be seen in it."""

    def __init__(self, stream: Stream, count: int, customers: int) -> None:
        super().__init__(daemon=True)
        self.out = stream.out
        self.seen_at = np.full(count, np.nan)
        self.customers = customers
        self.known: set[str] = set()
        self.shown: dict[int, int] = {}
        numbers = np.arange(count)
        kept = numbers[numbers % REPEATED != REPEATED - 1]
        order = np.argsort(kept % customers, kind="stable")
        starts = np.searchsorted((kept % customers)[order], np.arange(customers + 1))
        self.events = [kept[order[a:b]] for a, b in pairwise(starts)]
        self.done = threading.Event()

    def run(self) -> None:
        """Looks for new files, until `done`."""
        while not self.done.is_set():
            for name in files(self.out) - self.known:
                self.known.add(name)
                self.read(Path(name))
            time.sleep(0.003)

    def read(self, path: Path) -> None:
        """Notes what a file shows; one that was merged meanwhile showed nothing new."""
        columns = ["meter", "customer_id", "event_count"]
        try:
            now = path.stat().st_mtime  # whoever looks at another moment finds the same
            table = pq.read_table(path, columns=columns, partitioning=None, use_threads=False)
        except FileNotFoundError:
            return
        calls = table.filter(pa.compute.equal(table["meter"], "calls"))
        customers, counts = calls["customer_id"].to_pylist(), calls["event_count"].to_pylist()
        for customer, events in zip(customers, counts, strict=True):
            number = int(customer[1:])
            before = self.shown.get(number, 0)
            if events > before:
                self.seen_at[self.events[number][before:events]] = now
                self.shown[number] = events
