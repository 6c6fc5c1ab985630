"""A stream ends equal to batch, to the last digit, whatever it read first, and showed when."""

import json
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels import Outputs, Steps, blocks_of
from live_steps import Line, LiveSteps, block_of, counts_of, latest, lines_of
from pipelines.inputs import Block, find_inputs
from rates import RateBook, load_rates
from strategies import Case, cases
from test_against_oracle import EVENTS, REJECTS, USAGE, book_of, counted
from transforms.arrays import micros
from transforms.arrow_coder import from_bytes
from transforms.block_reader import BlockReader
from transforms.catalog import Catalog
from transforms.catalog_file import load_catalog
from transforms.live import Live
from transforms.run import Run
from transforms.scope import Scope
from transforms.timestamps import DAY, SECOND, format_time, parse_time

IDENTITY = (
    "meter customer_id dimensions window_start rate_label rate_effective_from unit_price per"
    " currency"
).split()
ROW = [name for name in USAGE if name != "pane"]

CATALOG = """
version: 1
defaults: {allowed_lateness: 1h}
meters:
  - {name: m_count, event_type: use, aggregation: count, window: 1m, dimensions: [model]}
  - {name: m_sum, event_type: use, aggregation: sum, value: n, dimensions: [model]}
  - {name: m_unique, event_type: use, aggregation: unique_count, value: model, window: 1d}
  - {name: m_min, event_type: use, aggregation: min, value: n}
  - {name: m_max, event_type: use, aggregation: max, value: n, allowed_lateness: 1m}
  - {name: m_avg, event_type: use, aggregation: avg, value: n, dimensions: [model]}
  - {name: m_latest, event_type: use, aggregation: latest, value: n, dimensions: [model]}
"""
RATES = """meter,label,effective_from,unit_price,customer_id,model
m_sum,a,2026-01-15T00:00:00Z,2,,
m_sum,b,2026-01-15T10:30:00Z,3,,
m_sum,c,2026-01-15T10:40:00Z,0.5,c,
m_sum,d,2026-01-15T10:50:00Z,7,,x
m_max,e,2026-01-15T10:30:00Z,3,,
m_avg,f,2026-01-15T10:00:00Z,1e-18,,x
"""
TEN = parse_time("2026-01-15T10:00:00Z") or 0
MOMENTS = [0, 1, 1799, 1800, 2400, 3000, 3599, 3600, 7200]  # seconds after ten
DELAYS = [0, 0, 1, 60, 1799, 3600, 3601, 7200]
NUMBERS = ["1", "0.1", "-3", "99999999999999999999", "0.000000000000000001", "1e0", "x"]


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """An event, mostly right, with an id that others have too."""
    at = draw(st.sampled_from(MOMENTS))
    event = {
        "event_type": "use",
        "customer_id": draw(st.sampled_from("cd")),
        "id": draw(st.sampled_from([*"abcdefghijkl", None])),
        "timestamp": format_time(TEN + at * SECOND),
        "received_at": format_time(TEN + (at + draw(st.sampled_from(DELAYS))) * SECOND),
        "properties": {
            "n": draw(st.sampled_from(NUMBERS)),
            "model": draw(st.sampled_from(["x", "y", None, 7])),
        },
    }
    return json.dumps(event).encode() + b"\n"


@dataclass(frozen=True)
class Timing:
    """What an engine and a source make of it: see LiveSteps and Order."""

    seed: int
    buckets: int
    early_us: int
    largest: int


TIMINGS = st.builds(
    Timing,
    st.integers(0, 1 << 30),
    st.integers(1, 3),
    st.sampled_from([0, SECOND]),
    st.sampled_from([2, 5, 12]),
)
ENOUGH = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@given(st.lists(st.lists(events(), max_size=8), min_size=1, max_size=3), TIMINGS)
@ENOUGH
def test_any_interleaving_batching_and_timing_of_panes_ends_equal_to_batch(
    files: list[list[bytes]], timing: Timing
) -> None:
    catalog = load_catalog("catalog.yaml", CATALOG.encode())
    dimensions = {
        meter.name: tuple(name for name, _ in meter.dimensions) for meter in catalog.meters
    }
    book = load_rates([("rates.csv", RATES.encode())], dimensions)
    contents = [(f"{i}.ndjson", b"".join(lines)) for i, lines in enumerate(files)]
    check(contents, catalog, book, "recorded", TEN + DAY, timing)


@given(cases(), TIMINGS)
@settings(ENOUGH, max_examples=60)
def test_so_do_hostile_records(case: Case, timing: Timing) -> None:
    catalog = load_catalog("catalog.yaml", case.catalog.encode())
    check(case.files, catalog, book_of(case, catalog), case.source, case.started_at_us, timing)


def check(
    contents: Sequence[tuple[str, bytes]],
    catalog: Catalog,
    book: RateBook,
    source: str,
    started_us: int,
    timing: Timing,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        for file, content in contents:
            (Path(name) / file).write_bytes(content)
        paths = [str(Path(name) / file) for file, content in contents]
        blocks = blocks_of(find_inputs(paths), 1 << 24)
    run, scope = Run("run", started_us), Scope(as_streamed=True)
    batch = Steps(run, catalog, book, source, scope, timing.buckets).process(blocks)
    order = Order(run, catalog, source, blocks)
    live = Live(timing.early_us, slack_us=order.spread + DAY)
    remembering = replace(catalog, dedup_horizon_us=live.slack_us)
    steps = LiveSteps(run, remembering, book, source, live, timing.buckets, timing.seed)
    stream = steps.process(order.micro_batches(timing))
    assert_same(stream, batch)
    assert_revised_in_order(stream)
    assert steps.left() == (0, 0)


class Order:
    """Records, and in which order they may come: those of one key as they arrived."""

    def __init__(self, run: Run, catalog: Catalog, source: str, blocks: Sequence[Block]) -> None:
        self.clock_us = run.started_us
        self.lines = list(lines_of(blocks))
        self.arrival: dict[tuple[str, int], int] = {}
        self.keys: dict[tuple[int, int], list[tuple[int, str, int]]] = defaultdict(list)
        reader = BlockReader(run, catalog, source, 1)
        for block in blocks:
            for tag, value in reader(block):
                if tag == "readings":
                    self._learn(from_bytes(value[1]))

    def _learn(self, readings: pa.RecordBatch) -> None:
        names = ("key_high", "key_low", "path", "offset")
        columns = [readings.column(name).to_pylist() for name in names]
        arrivals = micros(readings.column("received_at")).tolist()
        for high, low, path, offset, arrival in zip(*columns, arrivals, strict=True):
            self.arrival[path, offset] = arrival
            self.keys[high, low].append((arrival, path, offset))

    @property
    def spread(self) -> int:
        """How far apart the arrivals are (µs)."""
        known = [self.clock_us, *self.arrival.values()]
        return max(known) - min(known)

    def micro_batches(self, timing: Timing) -> list[tuple[int, list[Block]]]:
        """Cut anywhere, each with its stamp: its first arrival, and later than all before."""
        chance = random.Random(timing.seed)  # noqa: S311 - an order, no secret
        lines, batches, stamp = self._interleaved(chance), [], 0
        while lines:
            size = chance.randint(1, timing.largest)
            some, lines = lines[:size], lines[size:]
            arrivals = [self.arrival.get((line.path, line.offset), self.clock_us) for line in some]
            stamp = max(stamp + 1000, min(arrivals) // 1000 * 1000)
            batches.append((stamp, self._blocks(some)))
        return batches

    def _interleaved(self, chance: random.Random) -> list[Line]:
        lines = list(self.lines)
        how = chance.randrange(3)
        if how == 0:
            chance.shuffle(lines)
        elif how == 1:
            lines.sort(key=lambda line: self.arrival.get((line.path, line.offset), self.clock_us))
        at = {(line.path, line.offset): line for line in lines}
        turns = {}
        for places in self.keys.values():
            turn = iter(sorted(places))
            turns |= {(path, offset): turn for _, path, offset in places}
        ordered = []
        for line in lines:
            turn = turns.get((line.path, line.offset))
            ordered.append(line if turn is None else at[next(turn)[1:]])
        return ordered

    def _blocks(self, lines: Sequence[Line]) -> list[Block]:
        """A block for each run of lines of one path."""
        runs: list[list[Line]] = []
        for line in lines:
            before = runs[-1][-1] if runs else None
            if before and before.path == line.path and before.data.endswith(b"\n"):
                runs[-1].append(line)
            else:
                runs.append([line])
        return [block_of(run, self.clock_us) for run in runs]


def assert_same(stream: Outputs, batch: Outputs) -> None:
    of_rows = "total_out_of_range"  # may hold of a revision that others replaced
    usage = latest(stream.rows("usage"), IDENTITY, "event_count")
    ledger = latest(stream.rows("ledger"), ("period_start", "meter", "outcome", "reason"), "events")
    rejects, of_batch = (
        [row for row in outputs.rows("rejects") if row["reason"] != of_rows]
        for outputs in (stream, batch)
    )
    for ours, theirs in (
        (counted(stream.rows("events"), EVENTS), counted(batch.rows("events"), EVENTS)),
        (counted(rejects, REJECTS), counted(of_batch, REJECTS)),
        (counted(usage, ROW, "dimensions"), counted(batch.rows("usage"), ROW, "dimensions")),
        (counts_of(ledger), batch.counts),
    ):
        assert (ours - theirs, theirs - ours) == (Counter(), Counter())
    found, wanted = (
        {row["origin"] for row in outputs.rows("rejects") if row["reason"] == of_rows}
        for outputs in (stream, batch)
    )
    assert wanted <= found


def assert_revised_in_order(stream: Outputs) -> None:
    seen: dict[tuple[Any, ...], int] = {}
    for row in stream.rows("usage"):
        group = tuple(row[name] for name in IDENTITY)
        assert row["event_count"] > seen.get(group, 0)
        seen[group] = row["event_count"]
