"""Partials of one meter as record batches: put together, merged, and gathered by a CombineFn.

| column | |
|---|---|
| customer_id, d:<dimension> … | dictionary of string: the series |
| rate | dictionary of string, in a stream: the terms of the rate, see transforms/rate_terms.py |
| rate_at | int64 µs: the window's start, or the moment a rate changed within the window |
| events | int64, how many events the row stands for |
| value, time | what the aggregation keeps, see transforms/aggregations.py |

The schema's metadata names the aggregation, and of a revision the pane.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import apache_beam as beam
import pyarrow as pa

from transforms.aggregations import AGGREGATIONS, Aggregation
from transforms.arrow_coder import from_bytes, to_bytes
from transforms.fixed_point import WIDE
from transforms.groups import Groups
from transforms.readings import together

_NAME = b"aggregation"
_PANE = b"pane"
_MERGE_FROM = 100_000  # rows that may gather before they are merged at all
_DECODE_FROM = 256  # pieces from other workers that may gather before they are decoded
_LENGTH = struct.Struct("<q")


def partial_batch(
    keys: dict[str, pa.Array], own: dict[str, pa.Array], aggregation: str
) -> pa.RecordBatch:
    """A partial of its key columns and the aggregation's own."""
    batch = pa.RecordBatch.from_pydict(keys | own)
    return batch.replace_schema_metadata({_NAME: aggregation.encode()})


def aggregation_of(batch: pa.RecordBatch) -> tuple[str, Aggregation]:
    """The aggregation of a partial, by name and as what it does."""
    name: str = batch.schema.metadata[_NAME].decode()
    return name, AGGREGATIONS[name]


def in_pane(batch: pa.RecordBatch, pane: str) -> pa.RecordBatch:
    """A partial as what a pane (early, on_time, late) shows."""
    return batch.replace_schema_metadata({**batch.schema.metadata, _PANE: pane.encode()})


def pane_of(batch: pa.RecordBatch) -> str:
    """The pane of a partial: `batch` where there are no panes."""
    pane: bytes = batch.schema.metadata.get(_PANE, b"batch")
    return pane.decode()


def key_names(batch: pa.RecordBatch) -> list[str]:
    """The key columns: all up to `rate_at`."""
    names: list[str] = batch.schema.names
    return names[: names.index("rate_at") + 1]


def merge(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A partial with a row for each group, of one that has several."""
    name, aggregation = aggregation_of(batch)
    keys = key_names(batch)
    table = pa.Table.from_batches([batch])
    groups = Groups(table, keys)
    rest = table.drop_columns(keys)
    done = aggregation.merge(rest.append_column("group", pa.array(groups.codes))).combine_chunks()
    own = {column: done.column(column).combine_chunks() for column in rest.column_names}
    return partial_batch(groups.columns(done.column("group").to_numpy()), own, name)


def put_together(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Several partials one after the other; sums all as wide as the widest."""
    if any(WIDE in batch.schema.types for batch in batches):
        batches = [_widened(batch) for batch in batches]
    return together(batches)


def _widened(batch: pa.RecordBatch) -> pa.RecordBatch:
    at = batch.schema.get_field_index("value")
    wide = batch.set_column(at, "value", batch.column(at).cast(WIDE))
    return wide.replace_schema_metadata(batch.schema.metadata)


@dataclass
class Gathered:
    """An accumulator: partials, and how many rows there were after the last merge.

    It is merged when it has twice the rows it had then, so it holds at most three times its groups.
    What came from another worker stays encoded until it is needed.
    """

    batches: list[pa.RecordBatch] = field(default_factory=list)
    encoded: list[bytes] = field(default_factory=list)
    merged_rows: int = 0

    def add(self, batches: Iterable[pa.RecordBatch], encoded: Iterable[bytes] = ()) -> "Gathered":
        """Takes partials in, and merges them when they have become many."""
        self.encoded.extend(encoded)
        self.batches.extend(batches)
        if len(self.encoded) > _DECODE_FROM:
            self.batches.extend(map(from_bytes, self.encoded))
            self.encoded = []
        rows = sum(batch.num_rows for batch in self.batches)
        if rows > max(_MERGE_FROM, 2 * self.merged_rows):
            self.batches = [merge(put_together(self.batches))]
            self.merged_rows = self.batches[0].num_rows
        return self

    def whole(self) -> pa.RecordBatch:
        """All of it, not merged."""
        return put_together([*map(from_bytes, self.encoded), *self.batches])


class GatheredCoder(beam.coders.Coder):
    """Accumulators between workers: each batch as an Arrow stream, its length before it."""

    def encode(self, value: Gathered) -> bytes:
        """Length-prefixed Arrow streams."""
        streams = [*value.encoded, *map(to_bytes, value.batches)]
        return b"".join(_LENGTH.pack(len(stream)) + stream for stream in streams)

    def decode(self, encoded: bytes) -> Gathered:
        """The accumulator of such bytes."""
        streams, at = [], 0
        while at < len(encoded):
            (length,) = _LENGTH.unpack_from(encoded, at)
            start = at + _LENGTH.size
            at = start + length
            streams.append(encoded[start:at])
        return Gathered(encoded=streams)

    def estimate_size(self, value: Gathered) -> int:
        """For Beam's metrics, which would encode it just to measure it."""
        sizes = [len(stream) for stream in value.encoded]
        return sum(sizes) + sum(batch.get_total_buffer_size() for batch in value.batches)

    def is_deterministic(self) -> bool:
        """Accumulators are values, never keys."""
        return False

    def to_type_hint(self) -> type:
        """The type this coder is for."""
        return Gathered


class CombinePartials(beam.CombineFn):
    """Partials of one key → one batch, which still wants a last `merge`."""

    def create_accumulator(self) -> Gathered:
        """Nothing yet."""
        return Gathered()

    def add_input(self, accumulator: Gathered, element: pa.RecordBatch) -> Gathered:
        """Adds one partial."""
        return accumulator.add([element])

    def merge_accumulators(self, accumulators: Iterable[Gathered]) -> Gathered:
        """Puts accumulators together."""
        whole = Gathered()
        for accumulator in accumulators:
            whole.add(accumulator.batches, accumulator.encoded)
        return whole

    def extract_output(self, accumulator: Gathered) -> pa.RecordBatch:
        """The next step merges it, on its threads."""
        return accumulator.whole()

    def get_accumulator_coder(self) -> beam.coders.Coder:
        """See `GatheredCoder`."""
        return GatheredCoder()
