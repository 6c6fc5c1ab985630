"""Writes record batches as Parquet files into a run's folder of a table.

A file is written under a hidden name and renamed when whole, so no reader sees half of one. What a
retry writes twice, the views give once. Holds up to 8 MiB of small batches and at most three large
ones: about one block each.
"""

import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

_FULL = 8 << 20
_WAITING = 2
# texts that repeat; the others are written as they are, which is faster and no larger
REPEATING = frozenset(
    [
        "run_id",
        "source",
        "event_type",
        "customer_id",
        "meter",
        "dimensions",
        "unit",
        "rate_label",
        "currency",
        "pane",
        "reason",
        "detail",
        "outcome",
        "mode",
        "status",
        "window_start",
        "window_end",
        "closes_at",
        "written_at",
        "received_at",
        "unit_price",
        "per",
        "rate_effective_from",
    ]
)


def write_parquet(folder: Path, batches: list[pa.RecordBatch]) -> Path:
    """Writes one file of some batches into a folder; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_batches(batches)
    name = f"{uuid.uuid4().hex}.parquet"
    hidden = folder / f".{name}"
    pq.write_table(
        table,
        hidden,
        compression="zstd",
        compression_level=1,
        use_dictionary=[n for n in table.column_names if n in REPEATING],
        write_statistics=[n for n in table.column_names if n != "payload"],
    )
    return hidden.rename(folder / name)


@dataclass
class WriteParquet(beam.PTransform):
    """Record batches of one table → files in `folder`; gives out the rows each file has."""

    folder: str

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Wires the DoFn."""
        return pcoll | "Files" >> beam.ParDo(_Write(self.folder))


@dataclass
class _Write(beam.DoFn):
    folder: str
    _small: list[pa.RecordBatch] = field(default_factory=list)
    _size: int = 0
    _writing: list[Future[Path]] = field(default_factory=list)

    def setup(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="parquet")

    def start_bundle(self) -> None:
        self._small, self._size, self._writing = [], 0, []

    def process(self, batch: pa.RecordBatch) -> Iterator[int]:
        if batch.num_rows:
            self._small.append(batch)
            self._size += batch.get_total_buffer_size()
        if self._size >= _FULL:
            self._flush()
        yield batch.num_rows

    def finish_bundle(self) -> None:
        self._flush()
        while self._writing:
            self._writing.pop(0).result()

    def teardown(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _flush(self) -> None:
        if not self._small:
            return
        batches, self._small, self._size = self._small, [], 0
        self._writing.append(self._pool.submit(write_parquet, Path(self.folder), batches))
        while len(self._writing) > _WAITING:
            self._writing.pop(0).result()
