"""Reads a block: what is an event and what is not, and the readings of the events.

Pure functions over Arrow tables, put together: lines → fields → arrival → keys → rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from transforms.arrays import times
from transforms.arrow_coder import to_bytes
from transforms.block import Block, Places
from transforms.catalog import Catalog, Source
from transforms.counts import tally
from transforms.event_keys import hash_texts, key_texts
from transforms.exact import ExactReader, Verdict
from transforms.flow import FLOW
from transforms.kernel import Tagged
from transforms.readings import RATES, buckets_of, encode_readings
from transforms.reasons import Reason
from transforms.refuse import refuse_future, refuse_oversized, refuse_records
from transforms.rescue import careful, halves_of_block
from transforms.row_reader import RecordReader
from transforms.run import Run
from transforms.slots import Slots
from transforms.spill import IN_MEMORY, Spill
from transforms.tables import EVENTS
from transforms.totals import TOTALS


@dataclass
class BlockReader:
    """The kernel: one block at a time, of any of the catalog's sources."""

    run: Run
    catalog: Catalog
    default_source: str
    buckets: int
    spill: Spill = IN_MEMORY
    slots: Slots = field(init=False)
    readers: dict[str, RecordReader] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.slots = Slots.of(self.catalog)

    def __call__(self, block: Block) -> list[Tagged]:
        """Results for the outputs of `Validated`."""
        return careful(self._read, halves_of_block, self._give_up, block)

    def _give_up(self, block: Block, error: Exception) -> Iterator[Tagged]:
        """The only record of a block, which nothing could be made of."""
        places = Places(block, self.run.started_us)
        detail = f"the record could not be processed: {type(error).__name__}"
        verdicts = {i: Verdict(Reason.NOT_JSON, detail) for i in range(len(places.lines))}
        yield from refuse_records(self.run, places, verdicts)
        yield from refuse_oversized(self.run, places)

    def _read(self, block: Block) -> Iterator[Tagged]:
        source = self.catalog.source(block.source or self.default_source)
        places = Places(block, self.run.started_us)
        fields, verdicts = self._reader(source).read_block(places)
        line = fields.column("line").to_numpy()
        arrivals = places.arrivals(line, fields.column("received_at").combine_chunks())
        future = self._future(places, fields, arrivals)
        rejected = len(verdicts) + int(future.sum()) + len(block.oversized)
        TOTALS.add(blocks=1, records=len(places.lines) + len(block.oversized), rejects=rejected)
        yield from refuse_records(self.run, places, verdicts)
        yield from refuse_oversized(self.run, places)
        if future.any():
            late = fields.filter(pa.array(future))
            yield from refuse_future(self.run, places, late, arrivals[future])
            fields, arrivals = fields.filter(pa.array(~future)), arrivals[~future]
        yield from tally(arrivals, "received")
        if fields.num_rows:
            yield from self._accept(source, places, fields.combine_chunks(), arrivals)
        else:
            FLOW.through()

    def _reader(self, source: Source) -> RecordReader:
        """The reader of a source, which learns as it reads."""
        if source.name not in self.readers:
            self.readers[source.name] = RecordReader(ExactReader(source, self.slots))
        return self.readers[source.name]

    def _future(self, places: Places, fields: pa.Table, arrivals: np.ndarray) -> np.ndarray:
        tolerance = self.catalog.future_tolerance_us
        ahead = fields.column("event_time").to_numpy() > arrivals + tolerance
        return ahead | (arrivals > places.clock_us + tolerance)

    def _accept(
        self, source: Source, places: Places, fields: pa.Table, arrivals: np.ndarray
    ) -> Iterator[Tagged]:
        line = fields.column("line").to_numpy()
        payloads = places.lines.texts(line)
        keys, high, low = hash_texts(key_texts(fields, payloads))
        at = {
            "event_time": times(fields.column("event_time").to_numpy()),
            "received_at": times(arrivals),
        }
        columns = {
            "run_id": pa.repeat(self.run.run_id, len(line)),
            "source": pa.repeat(source.name, len(line)),
            "origin": places.origins(line),
            "event_key": keys,
            **{name: fields.column(name) for name in ("event_id", "event_type", "customer_id")},
            **at,
            "payload": payloads,
        }
        if not places.block.archived:
            yield "events", pa.table(columns, EVENTS).combine_chunks().to_batches()[0]
        path, offset = places.split(line)
        key = {"key_high": pa.array(high), "key_low": pa.array(low)}
        readings = encode_readings(
            {**key, "path": path, "offset": offset, **at}, fields, self.slots
        )
        if places.block.rates is not None:
            readings = readings.replace_schema_metadata({RATES: places.block.rates.encode()})
        bucket = (low % np.uint64(self.buckets)).astype(np.int64)
        for number, piece in buckets_of(readings, bucket):
            # encoded here, on the kernel's thread; a runner that groups them then handles bytes
            yield "readings", (number, self.spill.put(to_bytes(piece)))
