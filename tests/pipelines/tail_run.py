"""A run that follows a folder, whose batches go into tables as the graph would write them."""

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from tail_desk import NOON

from pipelines.inputs.block import Block
from pipelines.inputs.tail_watch import Moment
from pipelines.parquet_sink import write_parquet
from pipelines.tail_reader import Batch, Tail, TailReader
from transforms.block_reader import BlockReader
from transforms.catalog import Source
from transforms.catalog_file import load_catalog
from transforms.run import Run
from transforms.sources import NATIVE
from transforms.timestamps import SECOND

CATALOG = load_catalog(
    "c.yaml", b"version: 1\nmeters: [{name: calls, event_type: call, aggregation: count}]\n"
)
RUN = Run("r1", NOON)


@dataclass
class Versions:
    """Rates of which there is another version each time."""

    count: int = 0

    def current(self) -> str | None:
        self.count += 1
        return f"v{self.count}" if self.count % 3 else None


@dataclass
class TailRun:
    """The folder `in`, the output `out`, and a reader; `restart` is what a crash comes to."""

    folder: Path
    source: Source = NATIVE
    batch_rows: int = 3
    steady_us: int = 0
    versions: Versions = field(default_factory=Versions)

    def __post_init__(self) -> None:
        self.files, self.out = self.folder / "in", self.folder / "out"
        self.files.mkdir()
        self.reader = self.open()

    @property
    def tail(self) -> Tail:
        return Tail(
            (str(self.files),),
            str(self.out),
            RUN.run_id,
            self.source,
            tolerance_us=300 * SECOND,
            batch_rows=self.batch_rows,
            batch_us=0,
            rates=self.versions,
        )

    def open(self) -> TailReader:
        return TailReader(self.tail, self.now)

    def now(self) -> Moment:
        """Each look at the clock is a second after the last."""
        self.steady_us += SECOND
        return Moment(NOON + self.steady_us, self.steady_us)

    def append(self, name: str, data: bytes) -> None:
        with (self.files / name).open("ab") as file:
            file.write(data)

    def batches(self, start: int = 0) -> list[Batch]:
        """The batches that are ready, from a number on."""
        found = []
        while (batch := self.reader.batch(start + len(found))) is not None:
            found.append(batch)
        return found

    def restart(self) -> list[Batch]:
        """Another process goes on: all that it gives out."""
        self.reader.close()
        self.steady_us += 3600 * SECOND
        self.reader = self.open()
        return self.batches()

    def store(self, *batches: Batch) -> None:
        """Write the events and rejects of some batches, a file of each table for each batch."""
        for batch in batches:
            for table, rows in tables_of(batch.block).items():
                if rows.num_rows:
                    write_parquet(self.out / table / RUN.run_id, rows.to_batches())


def tables_of(block: Block) -> dict[str, pa.Table]:
    """The rows of `events` and `rejects` that a block comes to, in the order of their origins."""
    kernel = BlockReader(RUN, CATALOG, "native", 1)
    found: dict[str, list[pa.RecordBatch]] = {"events": [], "rejects": []}
    for tag, value in kernel(block):
        if tag in found:
            found[tag].append(value)
    return {
        table: pa.Table.from_batches(rows).sort_by("origin") if rows else pa.table({})
        for table, rows in found.items()
    }
