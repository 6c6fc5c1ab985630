"""The real graph on a real Prism, fed by hand: what is read when, and what the watermark says.

Steps and sinks run in this process, so a test sees rows in the order in which they are written.
"""

import json
import secrets
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp

from pipelines.engine import run_graph
from pipelines.inputs import Block
from pipelines.metering import Job, build
from pipelines.prism import find_prism
from pipelines.read import BlockCoder
from rates import RateBook, load_rates
from transforms.catalog_file import load_catalog
from transforms.live import Live
from transforms.run import Run
from transforms.scope import Scope
from transforms.spill import IN_MEMORY
from transforms.timestamps import parse_time

Row = dict[str, Any]
_WRITTEN: dict[str, list[tuple[str, pa.RecordBatch]]] = defaultdict(list)


def us(time: str) -> int:
    """A moment (µs): `10:30` is that of 15 January 2026."""
    day, _, clock = time.rpartition("T")
    hours, minutes, seconds = [*clock.split(":"), "00"][:3]
    at = parse_time(f"{day or '2026-01-15'}T{hours}:{minutes}:{seconds}Z")
    assert at is not None, time
    return at


def stamp(time: str) -> Timestamp:
    """The same for Beam."""
    return Timestamp(micros=us(time))


def text_of(time: str) -> str:
    """The same in an event."""
    return Timestamp(micros=us(time)).to_rfc3339()


TOKENS = """
version: 1
meters:
  - {name: tokens, event_type: use, aggregation: sum, value: n, allowed_lateness: 1h}
"""


@dataclass(frozen=True)
class Batch:
    """A micro-batch: events read at a moment, which the stream then passes, and their rates."""

    read_at: str
    lines: tuple[str, ...]
    rates: str | None = None


@dataclass(frozen=True)
class Watermark:
    """The stream has got this far."""

    reaches: str


@dataclass(frozen=True)
class Wait:
    """Seconds pass on the clock."""

    seconds: float


def use(n: Any = 1, at: str = "10:30", arrives: str | None = None, **fields: Any) -> str:
    """An event as a line: n of customer c, arrived at once unless told otherwise."""
    whole = {
        "event_type": "use",
        "customer_id": "c",
        "timestamp": text_of(at),
        "received_at": text_of(arrives or at),
        "id": secrets.token_hex(8),
        "properties": {"n": n},
    }
    return json.dumps(whole | fields)


@dataclass(frozen=True)
class Versions:
    """Rates by the name of their version; None is none."""

    books: Mapping[str | None, RateBook]

    def version(self, digest: str | None) -> RateBook:
        """The book of a version."""
        return self.books[digest]

    def of_windows(self, start_us: np.ndarray) -> list[RateBook]:
        """The last version for windows from 11:00 on, and the first one before."""
        named = [book for digest, book in self.books.items() if digest] or [self.books[None]]
        return [named[-1 if at >= us("11:00") else 0] for at in start_us.tolist()]


@dataclass(frozen=True)
class Tables:
    """What was written, in this order."""

    written: Sequence[tuple[str, pa.RecordBatch]]

    def batches(self, table: str) -> list[list[Row]]:
        """The rows of a table as they were written together."""
        return [batch.to_pylist() for name, batch in self.written if name == table]

    def rows(self, table: str) -> list[Row]:
        """All rows of a table."""
        return [row for rows in self.batches(table) for row in rows]

    def usage(self, *names: str) -> list[tuple[Any, ...]]:
        """Some columns of all usage rows."""
        return [tuple(row[name] for name in names) for row in self.rows("usage")]

    def current(self, *names: str) -> list[tuple[Any, ...]]:
        """Some columns of the latest revision of each usage row, sorted."""
        latest: dict[tuple[Any, ...], Row] = {}
        for row in self.rows("usage"):
            group = tuple(row[name] for name in _IDENTITY)
            latest[group] = max(row, latest.get(group, row), key=lambda each: each["event_count"])
        return sorted((tuple(row[name] for name in names) for row in latest.values()), key=str)

    def order(self, *tables: str) -> list[str]:
        """The names of some tables in the order in which rows were written to them."""
        return [name for name, _ in self.written if name in tables]

    def ledger(self) -> dict[tuple[str | None, str, str | None], int]:
        """Counts over all hours, by meter, outcome and reason."""
        greatest: dict[tuple[Any, ...], int] = defaultdict(int)
        for row in self.rows("ledger"):
            entry = row["period_start"], row["meter"], row["outcome"], row["reason"]
            greatest[entry] = max(greatest[entry], row["events"])
        total: dict[tuple[str | None, str, str | None], int] = defaultdict(int)
        for (_, *entry), events in greatest.items():
            meter, outcome, reason = entry
            total[meter, outcome, reason] += events
        return dict(total)


def assert_balanced(tables: Tables, meter: str = "tokens") -> None:
    """Nothing leaves the graph unaccounted for."""
    total: Counter[tuple[str | None, str]] = Counter()
    for (of, outcome, _), events in tables.ledger().items():
        total[of, outcome] += events
    accounted = ("accepted", "duplicate", "rejected")
    assert total[None, "received"] == sum(total[None, outcome] for outcome in accounted)
    assert total[meter, "matched"] == total[meter, "metered"] + total[meter, "rejected"]
    counts = tables.current("meter", "event_count")
    assert total[meter, "metered"] == sum(count for name, count in counts if name == meter)


_IDENTITY = "meter customer_id dimensions window_start rate_label rate_effective_from".split()


def stream(
    catalog_yaml: str,
    *steps: Batch | Watermark | Wait,
    rates: Mapping[str | None, str] | None = None,
    early_s: float = 0,
    source: str = "recorded",
    series_buckets: int = 1,
    read: beam.PTransform | None = None,
) -> Tables:
    """Runs steps one after the other, each when the one before has had all its effects.

    Or what another source gives in their place.
    """
    catalog = load_catalog("catalog.yaml", catalog_yaml.encode())
    dimensions = {
        meter.name: tuple(name for name, _ in meter.dimensions) for meter in catalog.meters
    }
    books: dict[str | None, RateBook] = {None: RateBook.empty()}
    for version, text in (rates or {}).items():
        books[version] = load_rates([("rates.csv", text.encode())], dimensions)
    name = secrets.token_hex(4)
    job = Job(
        run=Run(name, us("2026-01-20T00:00")),
        catalog=catalog,
        book=books[None],
        books=Versions(books),
        scope=Scope(as_streamed=True),
        source=source,
        read=read or _events(steps),
        write=lambda table: beam.ParDo(_Write(name, table)),
        spill=IN_MEMORY,
        key_buckets=2,
        series_buckets=series_buckets,
        live=Live(early_us=round(early_s * 1e6)),
    )
    options = PipelineOptions([])
    prism = find_prism(options)
    assert prism, "make prism builds it"
    try:
        run_graph(lambda pipeline: build(pipeline, job), options, lambda: None, prism)
        return Tables(list(_WRITTEN[name]))
    finally:
        _WRITTEN.pop(name, None)


def _events(steps: Sequence[Batch | Watermark | Wait]) -> TestStream:
    events = TestStream(coder=BlockCoder())
    at = 0
    for step in steps:
        match step:
            case Batch():
                data = "".join(f"{line}\n" for line in step.lines).encode()
                block = Block("f", data, at, clock_us=us(step.read_at), rates=step.rates)
                events.add_elements([TimestampedValue(block, stamp(step.read_at))])
                events.advance_watermark_to(stamp(step.read_at) + Duration(micros=1000))
                at += len(data)
            case Watermark():
                events.advance_watermark_to(stamp(step.reaches))
            case Wait():
                events.advance_processing_time(step.seconds)
    return events.advance_watermark_to_infinity()


@dataclass
class _Write(beam.DoFn):
    """A sink that keeps what it is given, in this process."""

    job: str
    table: str

    def process(self, batch: pa.RecordBatch) -> None:
        _WRITTEN[self.job].append((self.table, batch))
