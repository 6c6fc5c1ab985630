"""What it costs a stream to remember keys: time per micro-batch with many keys held.

python benchmarks/dedup_state.py                    the step by itself, state in this process
python benchmarks/dedup_state.py --prism FILE       the same on Prism, with its state and its calls

A micro-batch is 1,000 readings, half of them new and half repeats of any key held, cut by bucket.
Its time is that of all its buckets one after another: decoding, digests, judging, the state, and
the results; on Prism also until the last of its buckets is through. Keys are brought in by
elements of up to 20,000 readings before.

By itself, bytes a key are what this process grew by from its first micro-batch on, without the
state that an engine would keep, which is in files.
"""

import argparse
import ctypes
import gc
import json
import resource
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from apache_beam.utils.timestamp import Timestamp
from dedup_plan import CATALOG, ROWS, START, TICKS, Plan, report

from transforms.deduplicate_live import FirstProcessed
from transforms.held_state import HELD
from transforms.run import Run


class Bag:
    """State outside of this process's memory, as an engine keeps it."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - until the process ends
        self.sizes: list[int] = []

    def read(self) -> list[bytes]:
        """Everything."""
        self.file.seek(0)
        return [self.file.read(size) for size in self.sizes]

    def add(self, value: bytes) -> None:
        """One more."""
        self.file.write(value)
        self.sizes.append(len(value))

    def clear(self) -> None:
        """Nothing."""
        self.file.seek(0)
        self.file.truncate()
        self.sizes = []

    @property
    def stored(self) -> int:
        """Bytes that an engine would keep."""
        return sum(self.sizes)


class Counted(Bag):
    """State that only a worker without the memory of it would read: its size is kept."""

    size = 0

    def read(self) -> list[bytes]:
        """Nothing was kept, so nothing can be read."""
        if self.size:
            raise RuntimeError("the state was read back, though its memory was held")
        return []

    def add(self, value: bytes) -> None:
        """One more."""
        self.size += len(value)

    def clear(self) -> None:
        """Nothing."""
        self.size = 0

    @property
    def stored(self) -> int:
        """Bytes that an engine would keep."""
        return self.size


class Cell(Bag):
    """One value."""

    value: bytes | None = None

    def read(self) -> Any:
        """None where there is none."""
        return self.value

    def write(self, value: bytes) -> None:
        """Instead of the one before."""
        self.value = value

    def set(self, _: Any) -> None:
        """A timer is not kept."""


def resident() -> int:
    """Bytes of this process in memory, once what is free has been given back."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def alone(plan: Plan) -> dict[str, float]:
    """The step by itself: events/s with the most keys held, and bytes a key."""
    step = FirstProcessed(Run("bench", START), CATALOG)
    states: dict[int, list[Any]] = defaultdict(lambda: [Cell(), Bag(), Counted(), Cell()])
    took: dict[int, list[float]] = defaultdict(list)
    cpu: dict[int, list[float]] = defaultdict(list)
    before, filled, rows = 0, 0.0, 0
    for size, stamp, elements in plan.all():
        begin, cpu_begin = time.perf_counter(), time.process_time()
        for element in elements:
            for _ in step.process(element, Timestamp(micros=stamp), *states[element[0]]):
                pass
        took[size].append(time.perf_counter() - begin)
        cpu[size].append(time.process_time() - cpu_begin)
        # what the libraries take once is not the keys'
        before = before or resident()
        if not size:
            filled, rows = filled + took[size][-1], plan.held
        elif len(took[size]) == TICKS:
            report(f"alone, {plan.buckets} buckets", size, took[size], cpu[size])
    bags = [bag for state in states.values() for bag in state]
    stored = sum(bag.stored for bag in bags) / plan.held
    grown = (resident() - before) / plan.held
    print(
        f"filling: {rows / filled:,.0f} keys/s; {plan.held:,} keys: {grown:.1f} bytes a key in "
        f"memory (said to be {HELD.nbytes / plan.held:.1f}), {stored:.1f} in state"
    )
    last, events = plan.sizes[-1], ROWS * TICKS
    return {
        "events_per_s": events / sum(took[last]),
        "events_per_cpu_s": events / sum(cpu[last]),
        "bytes_a_key": grown,
        "stored_a_key": stored,
    }


def main() -> None:
    """Runs what the arguments say."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    arguments.add_argument("--held", default="100000,1000000,3000000,10000000")
    arguments.add_argument("--buckets", default=16, type=int)
    arguments.add_argument("--prism", help="the binary")
    arguments.add_argument("--json", action="store_true", help="end with the figures as JSON")
    given = arguments.parse_args()
    plan = Plan([int(size) for size in given.held.split(",")], given.buckets)
    print(
        f"{'ms per micro-batch':28} {'keys held':>11} {'p50':>8} {'p99':>8} {'max':>8} readings/s"
    )
    figures = {}
    if given.prism:
        from dedup_prism import on_prism  # noqa: PLC0415 - Beam takes a while, and most do without

        on_prism(plan, given.prism)
    else:
        figures = alone(plan)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10:,} MiB")
    if given.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
