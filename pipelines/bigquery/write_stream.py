"""Appends record batches to a table of a dataset, by the Storage Write API."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa

from pipelines.bigquery.append import REQUEST_BYTES, Refused
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.refused import as_rejects
from pipelines.bigquery.sink import sink_of
from transforms.metrics import REFUSED, REFUSED_LOST
from transforms.whereabouts import begin_bundle

_LOG = logging.getLogger(__name__)


@dataclass
class WriteBigQuery(beam.PTransform):
    """Record batches of one table → rows of that table; gives out the rows each batch has.

    They are there when the bundle that brought them ends, or it fails: so what a runner takes for
    done is done, each row at least once, and nothing waits in memory but what open bundles have
    brought, 8 MiB and a batch each. A row that the service refuses becomes a row of `rejects`, and
    is counted in the metric `meterbeam/refused`. Raises JobFailedError; see `Appender`.
    """

    dataset: Dataset
    table: str
    run_id: str

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Wires the DoFn."""
        return pcoll | "Rows" >> beam.ParDo(_Append(self.dataset, self.table, self.run_id))


@dataclass
class _Append(beam.DoFn):
    dataset: Dataset
    table: str
    run_id: str

    def start_bundle(self) -> None:
        begin_bundle(self.run_id)
        self._sink = sink_of(self.dataset)
        self._clear()

    def process(
        self, batch: pa.RecordBatch, stamp: Any = beam.DoFn.TimestampParam
    ) -> Iterator[int]:
        stamp_ms = stamp.micros // 1000
        self._sink.brought(self.table, stamp_ms)
        self._batches.append(batch)
        self._stamps.append(stamp_ms)
        self._bytes += batch.nbytes
        if self._bytes >= REQUEST_BYTES:
            self.finish_bundle()
        yield batch.num_rows

    def finish_bundle(self) -> None:
        if not self._batches:
            return
        rows = pa.Table.from_batches(self._batches).combine_chunks()
        for batch in rows.to_batches():
            refused = self._sink.append(self.table, batch)
            if refused:
                self._reject(refused)
        self._sink.taken(self.table, self._stamps)
        self._clear()

    def _clear(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self._stamps: list[int] = []
        self._bytes = 0

    def _reject(self, refused: list[Refused]) -> None:
        """Write what was refused as rejects; one that is refused too without its payload."""
        REFUSED.inc(len(refused))
        again = self._sink.append("rejects", as_rejects(self.table, refused, self.run_id))
        if not again:
            return
        # a reject of a reject would have another origin: these are still of the rows themselves
        bare = self._bare(refused, again)
        for _ in self._sink.append("rejects", bare):
            REFUSED_LOST.inc()
            # what the service says of a row may quote it
            what = "run %s: a row of %s is lost: its reject is refused, too"
            _LOG.error(what, self.run_id, self.table)

    def _bare(self, refused: list[Refused], again: list[Refused]) -> pa.RecordBatch:
        rejects = as_rejects(self.table, refused, self.run_id, payloads=False)
        origins = pa.array([each.row.column("origin")[0].as_py() for each in again])
        return rejects.filter(pa.compute.is_in(rejects.column("origin"), origins))
