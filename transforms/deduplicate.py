"""Deduplicate: of the events of one key the first to arrive stays.

In a stream it is the first processed: see transforms/deduplicate_live.py. This is batch.

A later one that says the same is a duplicate, one that says something else a conflict. First is by
(received_at, path as text, byte offset), so it does not matter how the input was cut or in which
order its pieces came.

Holds the readings of one bucket a thread; the number of buckets grows with the input.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.typehints.decorators import no_annotations

from transforms.arrays import micros
from transforms.arrow_coder import from_bytes
from transforms.catalog import Catalog
from transforms.conflicts import Deduplicated, conflicts
from transforms.counts import COUNT, tally
from transforms.deduplicate_live import DeduplicateLive
from transforms.kernel import THREADS, Kernel, Tagged
from transforms.live import Live
from transforms.readings import together
from transforms.reasons import Reason
from transforms.run import Run
from transforms.slots import Slots
from transforms.spill import IN_MEMORY, Spill


@dataclass
class Deduplicate(beam.PTransform):
    """(bucket, readings as an Arrow stream) → accepted readings, conflicts as rejects, counts."""

    run: Run
    catalog: Catalog
    spill: Spill = IN_MEMORY
    live: Live | None = None
    threads: int = THREADS

    @no_annotations
    def expand(self, pcoll: beam.PCollection) -> Deduplicated:
        """Brings each bucket together, then wires `Deduplicator` as a kernel."""
        if self.live:
            return DeduplicateLive(self.run, self.catalog).expand(pcoll)
        make = partial(Deduplicator, self.run, Slots.of(self.catalog), self.spill)
        done = (
            pcoll
            | "Bring keys together" >> beam.GroupByKey()
            | "First wins" >> beam.ParDo(Kernel(make, self.threads, self.run.run_id)).with_outputs()
        )
        done.accepted.element_type = pa.RecordBatch
        done.rejects.element_type = pa.RecordBatch
        done.counts.element_type = COUNT
        return Deduplicated(done.accepted, done.rejects, done.counts)


@dataclass(frozen=True)
class Deduplicator:
    """The kernel: all readings of one bucket at once."""

    run: Run
    slots: Slots
    spill: Spill = IN_MEMORY

    def __call__(self, element: tuple[int, Iterator[bytes]]) -> Iterator[Tagged]:
        """Results for the outputs of `Deduplicated`."""
        readings = together([from_bytes(self.spill.get(piece)) for piece in element[1]])
        later, conflict = later_ones(readings, self.slots)
        arrivals = micros(readings.column("received_at"))
        yield from tally(arrivals[later[~conflict]], "duplicate")
        if conflict.any():
            at = later[conflict]
            yield "rejects", conflicts(self.run, readings.take(pa.array(at)))
            yield from tally(arrivals[at], "rejected", reason=Reason.CONFLICT)
        accepted = np.ones(readings.num_rows, bool)
        accepted[later] = False
        yield from tally(arrivals[accepted], "accepted")
        yield "accepted", readings if accepted.all() else readings.filter(pa.array(accepted))


def later_ones(readings: pa.RecordBatch, slots: Slots) -> tuple[np.ndarray, np.ndarray]:
    """The rows whose key came before, and which of those say something else than the first."""
    rows = _repeated(readings)
    if not len(rows):
        return rows, np.zeros(0, bool)
    few = readings.take(pa.array(rows))
    order, first = _in_order(few)
    winner = order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]
    later, winner = order[~first], winner[~first]
    conflict = ~_say_the_same(few.take(pa.array(later)), few.take(pa.array(winner)), slots)
    return rows[later], conflict


def _repeated(readings: pa.RecordBatch) -> np.ndarray:
    """The few rows whose high half of the key is there more than once."""
    high = readings.column("key_high").to_numpy()
    order = np.argsort(high)
    same = high[order][1:] == high[order][:-1]
    repeated = np.zeros(len(high), bool)
    repeated[1:] |= same
    repeated[:-1] |= same
    return np.sort(order[repeated])


def _in_order(few: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers by key, then by arrival; and which of those begin a key."""
    high, low = few.column("key_high").to_numpy(), few.column("key_low").to_numpy()
    paths = few.column("path")
    by_text = pc.rank(paths.dictionary, tiebreaker="dense").to_numpy().astype(np.int64)
    path = by_text[paths.indices.to_numpy()]
    arrival = micros(few.column("received_at"))
    order = np.lexsort((few.column("offset").to_numpy(), path, arrival, low, high))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(high[order]) != 0) | (np.diff(low[order]) != 0)
    return order, first


def _say_the_same(one: pa.RecordBatch, two: pa.RecordBatch, slots: Slots) -> np.ndarray:
    """Row by row: same customer, type and time, and the same in all that the type's meters read."""
    same = _equal(one.column("event_type"), two.column("event_type"))
    for name in ("customer_id", "event_time", "odd"):
        same &= _equal(one.column(name), two.column(name))
    types = one.column("event_type")
    texts = types.dictionary.to_pylist()
    indexes = types.indices.to_numpy()
    for slot in slots.slots:
        reads = np.array([slot.name in slots.read_by(text) for text in texts], bool)[indexes]
        if reads.any():
            same &= _equal(one.column(slot.name), two.column(slot.name)) | ~reads
    return same


def _equal(one: pa.Array, two: pa.Array) -> np.ndarray:
    """Equal values; null equals null. Both dictionaries are of one parent: indexes will do."""
    if pa.types.is_dictionary(one.type):
        one, two = one.indices, two.indices
    both = pc.and_(one.is_null(), two.is_null())
    equal = pc.fill_null(pc.equal(one, two), fill_value=False)
    same: np.ndarray = pc.or_(both, equal).to_numpy(zero_copy_only=False).astype(bool)
    return same
