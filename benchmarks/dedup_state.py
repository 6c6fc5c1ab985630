"""What it costs a stream to remember keys: time per micro-batch with many keys held.

python benchmarks/dedup_state.py                    the step by itself, state in this process
python benchmarks/dedup_state.py --prism FILE       the same on Prism, with its state and its calls

A micro-batch is 1,000 readings, half of them new and half repeats of any key held, cut by bucket.
Its time is that of all its buckets one after another: decoding, digests, judging, the state, and
the results; on Prism also until the last of its buckets is through. Keys are brought in by
elements of up to 20,000 readings before.
"""

import argparse
import json
import resource
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.window import TimestampedValue
from apache_beam.typehints import KV
from apache_beam.utils.timestamp import Duration, Timestamp

from transforms.arrow_coder import to_bytes
from transforms.catalog_file import load_catalog
from transforms.deduplicate_live import FirstProcessed
from transforms.held_state import HELD
from transforms.readings import buckets_of, encode_readings, times
from transforms.run import Run
from transforms.slots import Slots
from transforms.tables import AMOUNT

CATALOG = load_catalog(
    "bench.yaml",
    b"""
version: 1
meters:
  - {name: calls, event_type: use, aggregation: count, dimensions: [region]}
  - {name: tokens, event_type: use, aggregation: sum, value: tokens, dimensions: [model]}
""",
)
START = 1_800_000_000_000_000
ROWS = 1_000
FILL = 20_000
TICKS = 200
END = 1 << 62


def readings_of(index: np.ndarray, arrival: int) -> pa.RecordBatch:
    """Readings whose key follows from their number."""
    rows = len(index)
    fields: dict[str, Any] = {
        "event_type": pa.repeat("use", rows),
        "customer_id": pa.array([f"customer-{i % 1_000}" for i in index.tolist()]),
        "odd": pa.nulls(rows, pa.string()),
    }
    for slot in Slots.of(CATALOG).slots:
        if slot.kind == "number":
            fields[slot.name] = (
                pa.array(index.astype(np.int64)).cast(pa.decimal128(20)).cast(AMOUNT)
            )
        else:
            fields[slot.name] = pa.repeat("eu-west-1", rows)
    columns = {
        "key_high": pa.array(mixed(index)),
        "key_low": pa.array(mixed(index + np.uint64(1 << 40))),
        "path": pa.repeat("/data/a.ndjson", rows).dictionary_encode(),
        "offset": pa.array(index.astype(np.int64)),
        "event_time": times(START + index.astype(np.int64)),
        "received_at": times(np.full(rows, arrival)),
    }
    return encode_readings(columns, pa.table(fields), Slots.of(CATALOG))


def mixed(index: np.ndarray) -> np.ndarray:
    """Different numbers that look random (the finalizer of SplitMix64)."""
    z = (index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    done: np.ndarray = z ^ (z >> np.uint64(31))
    return done


@dataclass
class Plan:
    """Micro-batches: up to each size the keys that fill it, then those that are measured."""

    sizes: list[int]
    buckets: int
    held: int = 0
    batches: int = 0

    def batch(self, index: np.ndarray) -> tuple[int, list[tuple[int, bytes]]]:
        """Stamp (µs) and elements of the next micro-batch."""
        self.batches += 1
        stamp = START + self.batches * 1_000
        whole = readings_of(index, stamp)
        low = whole.column("key_low").to_numpy()
        bucket = (low % np.uint64(self.buckets)).astype(np.int64)
        return stamp, [(number, to_bytes(each)) for number, each in buckets_of(whole, bucket)]

    def all(self) -> Iterator[tuple[int, int, list[tuple[int, bytes]]]]:
        """Keys held at the time for measured batches, else 0; and what `batch` gives."""
        chance = np.random.default_rng(1)
        for size in self.sizes:
            while self.held < size:
                more = min(FILL, size - self.held)
                index = np.arange(self.held, self.held + more, dtype=np.uint64)
                self.held += more
                yield 0, *self.batch(index)
            for _ in range(TICKS):
                new = np.arange(self.held, self.held + ROWS // 2, dtype=np.uint64)
                again = chance.integers(0, self.held, ROWS // 2, np.uint64)
                self.held += ROWS // 2
                yield size, *self.batch(np.concatenate([new, again]))


@dataclass
class Bag:
    """State in this process."""

    values: list[bytes] = field(default_factory=list)

    def read(self) -> list[bytes]:
        """Everything."""
        return self.values

    def add(self, value: bytes) -> None:
        """One more."""
        self.values.append(value)

    def clear(self) -> None:
        """Nothing."""
        self.values = []


class Cell(Bag):
    """One value."""

    def read(self) -> Any:
        """None where there is none."""
        return self.values[0] if self.values else None

    def write(self, value: bytes) -> None:
        """Instead of the one before."""
        self.values = [value]

    def set(self, _: Any) -> None:
        """A timer is not kept."""


def report(name: str, size: int, seconds: list[float], cpu: list[float] | None = None) -> None:
    """One line of the table."""
    ms = np.array(seconds) * 1_000
    cpu_ms = f"{np.mean(cpu) * 1_000:8.2f}" if cpu else ""
    print(
        f"{name:28} {size:>11,} {np.median(ms):8.2f} {np.quantile(ms, 0.99):8.2f} "
        f"{ms.max():8.2f} {cpu_ms:>8} {ROWS * 1_000 / ms.mean():>11,.0f}"
    )


def alone(plan: Plan) -> None:
    """The step by itself."""
    step = FirstProcessed(Run("bench", START), CATALOG)
    states: dict[int, list[Any]] = defaultdict(lambda: [Cell(), Bag(), Bag(), Cell()])
    took: dict[int, list[float]] = defaultdict(list)
    cpu: dict[int, list[float]] = defaultdict(list)
    filled, rows = 0.0, 0
    for size, stamp, elements in plan.all():
        begin, cpu_begin = time.perf_counter(), time.process_time()
        for element in elements:
            for _ in step.process(element, Timestamp(micros=stamp), *states[element[0]]):
                pass
        took[size].append(time.perf_counter() - begin)
        cpu[size].append(time.process_time() - cpu_begin)
        if not size:
            filled, rows = filled + took[size][-1], plan.held
        elif len(took[size]) == TICKS:
            report(f"alone, {plan.buckets} buckets", size, took[size], cpu[size])
    stored = sum(len(value) for bags in states.values() for bag in bags for value in bag.values)
    keys = HELD.nbytes // 32
    print(
        f"filling: {rows / filled:,.0f} keys/s; {keys:,} keys: "
        f"state {stored / keys:.2f} bytes a key, memory {HELD.nbytes / keys:.2f}"
    )


class _Tracker(OffsetRestrictionTracker):
    def try_split(self, fraction: float) -> Any:
        return None if fraction else super().try_split(0)

    def is_bounded(self) -> bool:
        return False


class _Whole(RestrictionProvider):
    def initial_restriction(self, _: Any) -> OffsetRange:
        return OffsetRange(0, END)

    def create_tracker(self, restriction: OffsetRange) -> _Tracker:
        return _Tracker(restriction)

    def restriction_size(self, _: Any, __: OffsetRange) -> int:
        return 1

    def truncate(self, _: Any, __: OffsetRange) -> None:
        return None


RANGE = beam.DoFn.RestrictionParam(_Whole())
WATERMARK = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider())
PLANS: dict[int, Iterator[Any]] = {}
SENT: dict[int, tuple[int, float, int]] = {}  # stamp: keys held, when, elements
DONE: dict[int, list[float]] = defaultdict(list)
IN_STEP: dict[int, float] = defaultdict(float)


class Source(beam.DoFn):
    """One micro-batch at a time, each when the one before is through."""

    @beam.DoFn.unbounded_per_element()
    def process(
        self,
        settings: str,
        tracker: Any = RANGE,
        watermark: Any = WATERMARK,
    ) -> Iterator[Any]:
        """Elements of `Plan`."""
        at = tracker.current_restriction().start
        waiting = [stamp for stamp, (_, _, all_of) in SENT.items() if len(DONE[stamp]) < all_of]
        if not waiting:
            plan = PLANS.setdefault(0, Plan(**json.loads(settings)).all())
            batch = next(plan, None)
            if batch is None:
                watermark.set_watermark(Timestamp(micros=START + 10**10))
                tracker.try_claim(END)
                return
            if not tracker.try_claim(at):
                return
            size, stamp, elements = batch
            SENT[stamp] = size, time.perf_counter(), len(elements)
            for element in elements:
                yield TimestampedValue(element, Timestamp(micros=stamp))
            watermark.set_watermark(Timestamp(micros=stamp))
        tracker.defer_remainder(Duration(micros=2_000))


class Timed(FirstProcessed):
    """Also says how long it took."""

    def process(  # noqa: PLR0917 - the states are a DoFn's
        self,
        element: tuple[int, bytes],
        stamp: Any = beam.DoFn.TimestampParam,
        mark: Any = beam.DoFn.StateParam(FirstProcessed.MARK),
        recent: Any = beam.DoFn.StateParam(FirstProcessed.RECENT),
        older: Any = beam.DoFn.StateParam(FirstProcessed.OLDER),
        timer: Any = beam.DoFn.TimerParam(FirstProcessed.EXPIRY),
    ) -> Iterator[Any]:
        """The same results."""
        begin = time.perf_counter()
        results = list(super().process(element, stamp, mark, recent, older, timer))
        IN_STEP[stamp.micros] += time.perf_counter() - begin
        DONE[stamp.micros].append(time.perf_counter())
        yield from results


def on_prism(plan: Plan, prism: str) -> None:
    """The step on Prism: every micro-batch waits for the one before."""
    options = PipelineOptions(
        [
            "--runner=PrismRunner",
            f"--prism_location={prism}",
            "--prism_log_level=error",
            "--environment_type=LOOPBACK",
            "--streaming",
            "--experiments=prism_disable_sdf_split",
        ]
    )
    settings = json.dumps({"sizes": plan.sizes, "buckets": plan.buckets})
    with beam.Pipeline(options=options) as pipeline:
        source = beam.ParDo(Source()).with_output_types(KV[int, bytes])
        read = pipeline | beam.Create([settings]) | "Source" >> source
        done = read | "First wins" >> beam.ParDo(Timed(Run("bench", START), CATALOG)).with_outputs()
        done.accepted.element_type = pa.RecordBatch
        done.accepted | beam.Map(lambda _: None)
    through: dict[int, list[float]] = defaultdict(list)
    inside: dict[int, list[float]] = defaultdict(list)
    for stamp, (size, sent, _) in SENT.items():
        through[size].append(max(DONE[stamp]) - sent)
        inside[size].append(IN_STEP[stamp])
    for size in plan.sizes:
        report(f"Prism, {plan.buckets} buckets, inside", size, inside[size])
        report(f"Prism, {plan.buckets} buckets, through", size, through[size])
    print(f"state read again: {HELD.reloaded}")


def main() -> None:
    """Runs what the arguments say."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--held", default="100000,1000000,3000000,10000000")
    arguments.add_argument("--buckets", default=16, type=int)
    arguments.add_argument("--prism", help="the binary")
    given = arguments.parse_args()
    plan = Plan([int(size) for size in given.held.split(",")], given.buckets)
    print(
        f"{'ms per micro-batch':28} {'keys held':>11} {'p50':>8} {'p99':>8} {'max':>8} readings/s"
    )
    if given.prism:
        on_prism(plan, given.prism)
    else:
        alone(plan)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10:,} MiB")


if __name__ == "__main__":
    import dedup_state  # under its own name, as the worker finds it

    dedup_state.main()
