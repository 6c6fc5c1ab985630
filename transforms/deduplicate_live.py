"""Deduplicate in a stream: of the events of one key the first that is processed stays.

Elements are those of batch: readings by bucket. The keys that a bucket has seen are Beam state of
it, 24 bytes a key, and the worker holds them in memory too (transforms/held_state.py). Elements of
one bucket are processed one after another in the order of their stamps, which are the time that the
stream has reached; within an element the first is as in batch. How long a key is held:
transforms/seen_keys.py.

The number of buckets is fixed for as long as the stream's state lives. Each bucket that a small
batch touches costs some calls of the engine, so on one machine there is one.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.coders import BytesCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import (
    BagStateSpec,
    ReadModifyWriteStateSpec,
    TimerSpec,
    on_timer,
)
from apache_beam.typehints import KV
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.timestamp import Timestamp

from transforms.arrays import micros
from transforms.arrow_coder import from_bytes
from transforms.catalog import Catalog
from transforms.conflicts import Deduplicated, conflicts
from transforms.content_digest import ContentDigests
from transforms.counts import COUNT, tally
from transforms.flow import FLOW
from transforms.held_state import HELD, Held, States
from transforms.kernel import Tagged
from transforms.metrics import KERNEL_US, KEYS_FORGOTTEN, LAG_MS
from transforms.reasons import Reason
from transforms.run import Run
from transforms.seen_keys import ACCEPTED, CONFLICT, DUPLICATE, Horizon, SeenKeys
from transforms.slots import Slots
from transforms.sorted_keys import SortedKeys, join_segments
from transforms.timestamps import FIRST, LAST
from transforms.whereabouts import begin_bundle

_OUTCOMES = {  # and the reason, by verdict
    ACCEPTED: ("accepted", None),
    DUPLICATE: ("duplicate", None),
    CONFLICT: ("rejected", Reason.CONFLICT),
}
_PIECES = 8  # so many pieces put together take as long as to take rows one by one


@dataclass
class DeduplicateLive(beam.PTransform):
    """(bucket, readings as an Arrow stream) → accepted readings, conflicts as rejects, counts."""

    run: Run
    catalog: Catalog

    @no_annotations
    def expand(self, pcoll: beam.PCollection) -> Deduplicated:
        """Wires `FirstProcessed`, whose results keep the stamp of their element."""
        step = FirstProcessed(self.run, self.catalog)
        done = pcoll | "First wins" >> beam.ParDo(step).with_outputs()
        done.accepted.element_type = pa.RecordBatch
        done.rejects.element_type = pa.RecordBatch
        done.counts.element_type = COUNT
        return Deduplicated(done.accepted, done.rejects, done.counts)


@beam.typehints.with_input_types(KV[int, bytes])
class FirstProcessed(beam.DoFn):
    """One element at a time against the keys that its bucket has seen.

    Nothing in a reading makes it fail; and if anything did, state and memory are as before.
    """

    MARK = ReadModifyWriteStateSpec("mark", BytesCoder())
    RECENT = BagStateSpec("recent", BytesCoder())
    OLDER = BagStateSpec("older", BytesCoder())
    EXPIRY = TimerSpec("expiry", TimeDomain.WATERMARK)

    def __init__(self, run: Run, catalog: Catalog) -> None:
        self.run = run
        self.digests = ContentDigests(Slots.of(catalog))
        self.horizon = Horizon(catalog.dedup_horizon_us)
        self.step = uuid.uuid4().hex  # goes to all workers: this step of this job

    def start_bundle(self) -> None:
        begin_bundle(self.run.run_id)

    def process(
        self,
        element: tuple[int, bytes],
        stamp: Any = beam.DoFn.TimestampParam,
        mark: Any = beam.DoFn.StateParam(MARK),
        recent: Any = beam.DoFn.StateParam(RECENT),
        older: Any = beam.DoFn.StateParam(OLDER),
        timer: Any = beam.DoFn.TimerParam(EXPIRY),
    ) -> Iterator[Any]:
        """Results for the outputs of `Deduplicated`."""
        begun = time.perf_counter_ns()
        bucket, encoded = element
        readings = from_bytes(encoded)
        at = _micros(stamp)
        with self._open(bucket, States(mark, recent, older)) as held:
            due = held.memory.due
            verdict, keys = judge(readings, self.digests, held.memory, at)
            results = list(outcomes(self.run, readings, verdict))
            if len(keys):
                held.memory.add(keys)
                held.append(keys.to_bytes())
            now_due = held.memory.due
            if now_due is not None and now_due != due:
                timer.set(Timestamp(micros=now_due))
        KERNEL_US.update((time.perf_counter_ns() - begun) // 1000)
        LAG_MS.update((time.time_ns() // 1000 - at) // 1000)
        for tag, value in results:
            yield beam.pvalue.TaggedOutput(tag, value)
        FLOW.through(at // 1000)

    @on_timer(EXPIRY)
    def expire(
        self,
        bucket: Any = beam.DoFn.KeyParam,
        stamp: Any = beam.DoFn.TimestampParam,
        mark: Any = beam.DoFn.StateParam(MARK),
        recent: Any = beam.DoFn.StateParam(RECENT),
        older: Any = beam.DoFn.StateParam(OLDER),
        timer: Any = beam.DoFn.TimerParam(EXPIRY),
    ) -> None:
        """Forgets the keys whose time is over; the state is written anew where it is a quarter."""
        with self._open(bucket, States(mark, recent, older)) as held:
            before = len(held.memory)
            held.memory.forget(_micros(stamp))
            KEYS_FORGOTTEN.inc(before - len(held.memory))
            if held.stored * 3 > held.memory.nbytes * 4:
                held.rewrite(held.memory.segments())
            if held.memory.due is not None:
                next_due = max(held.memory.due, _micros(stamp) + self.horizon.grace_us)
                timer.set(Timestamp(micros=next_due))

    def _open(self, bucket: int, states: States) -> AbstractContextManager[Held[SeenKeys]]:
        build = partial(SeenKeys, self.horizon)
        return HELD.open((self.step, bucket), states, build, join_segments)


def judge(
    readings: pa.RecordBatch, digests: ContentDigests, seen: SeenKeys, stamp: int
) -> tuple[np.ndarray, SortedKeys]:
    """The verdict on each reading of an element, and the keys held by those accepted."""
    arrival = micros(readings.column("received_at"))
    high, low = (readings.column(name).to_numpy() for name in ("key_high", "key_low"))
    order = partial(in_order, readings, arrival)
    return seen.judge(high, low, digests(readings), arrival, stamp, order)


def in_order(readings: pa.RecordBatch, arrival: np.ndarray) -> np.ndarray:
    """Row numbers by arrival (µs), path as text, and offset."""
    by = [readings.column("offset").to_numpy(), arrival]
    paths = readings.column("path")
    if len(paths.dictionary) > 1:
        by_text = pc.rank(paths.dictionary, tiebreaker="dense").to_numpy()
        by.insert(1, by_text[paths.indices.to_numpy()])
    return np.lexsort(by)


def outcomes(run: Run, readings: pa.RecordBatch, verdict: np.ndarray) -> Iterator[Tagged]:
    """Results for the outputs of `Deduplicated`."""
    if not len(verdict):
        return
    arrival = micros(readings.column("received_at"))
    for number, (outcome, reason) in _OUTCOMES.items():
        yield from tally(arrival[verdict == number], outcome, reason=reason)
    conflict = (verdict == CONFLICT).nonzero()[0]
    if len(conflict):
        yield "rejects", conflicts(run, readings.take(pa.array(conflict)))
    accepted = (verdict == ACCEPTED).nonzero()[0]
    if len(accepted):
        yield "accepted", some_rows(readings, accepted)


def some_rows(readings: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
    """The readings of these row numbers, which grow; where they are in few pieces, by piece."""
    if len(rows) == len(readings):
        return readings
    ends = (np.diff(rows) > 1).nonzero()[0].tolist()
    if len(ends) >= _PIECES:
        return readings.take(pa.array(rows))
    cuts = [-1, *ends, len(rows) - 1]
    pieces = [readings.slice(rows[before + 1], last - before) for before, last in pairwise(cuts)]
    return pieces[0] if len(pieces) == 1 else pa.concat_batches(pieces)


def _micros(stamp: Timestamp) -> int:
    """The stamp of an element, which may be before or after all times (µs)."""
    return int(min(max(stamp.micros, FIRST), LAST))
