"""Puts record batches into the open tables of a run that is in this process."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa

from pipelines import live_tables

# what a bundle has of these goes into one file: the panes of all meters
_TOGETHER = ("usage",)


@dataclass
class WriteLive(beam.PTransform):
    """Record batches of one table → its `LiveTables`; gives out the rows each batch has.

    Each is put with its stamp, which is the number of the batch that it came of: see
    `LiveTables.safe_up_to`.
    It fails in a process that has not opened them, and where earlier rows could not be written.
    """

    out: str
    run_id: str
    table: str

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Wires the DoFn."""
        return pcoll | "Rows" >> beam.ParDo(_Put(self.out, self.run_id, self.table))


@dataclass
class _Put(beam.DoFn):
    out: str
    run_id: str
    table: str

    def start_bundle(self) -> None:
        self._tables = live_tables.opened(self.out, self.run_id)
        self._batches: list[tuple[pa.RecordBatch, int]] = []

    def process(
        self, batch: pa.RecordBatch, stamp: Any = beam.DoFn.TimestampParam
    ) -> Iterator[int]:
        stamp_ms = stamp.micros // 1000
        if self.table in _TOGETHER:
            self._batches.append((batch, stamp_ms))
        else:
            self._tables.put(self.table, batch, stamp_ms)
        yield batch.num_rows

    def finish_bundle(self) -> None:
        for number, (batch, stamp_ms) in enumerate(self._batches, 1):
            self._tables.put(self.table, batch, stamp_ms, last=number == len(self._batches))
