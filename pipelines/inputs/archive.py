"""An earlier output as input: its events, each once, with their source, arrival and origin.

Events are those under `events/<run_id>/` of batch runs that succeeded and of all streaming runs.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.inputs.block import Block, InputReadError, byte_parts
from pipelines.inputs.find import InputFile
from pipelines.inputs.json_columns import TEXT, joined
from pipelines.inputs.opening import naming
from pipelines.inputs.parquet_rows import batches, gathered

_MEMORY = "1GB"
_COLUMNS = pa.schema(
    [
        ("source", pa.string()),
        ("origin", pa.string()),
        ("received_at", pa.timestamp("us", "UTC")),
        ("payload", pa.large_string()),
    ]
)
_EVENTS = "read_parquet($files, hive_partitioning = false, file_row_number = true)"
_REPEATS = f"""
    SELECT file_index, file_row_number FROM {_EVENTS}
    QUALIFY row_number() OVER (
        PARTITION BY source, origin, event_key, event_time
        ORDER BY received_at, file_index, file_row_number
    ) > 1
"""  # noqa: S608 - of constants
_CLOCKED = f"""
    SELECT 1 FROM {_EVENTS}
    WHERE NOT list_contains($recorded, source) AND list_contains($starts, epoch_us(received_at))
    LIMIT 1
"""  # noqa: S608 - of constants


@dataclass(frozen=True)
class _Run:
    """A run of an output: its folder's name, and what its rows in `runs` say."""

    folder: str
    mode: str
    statuses: frozenset[str]
    started_us: int

    @property
    def counts(self) -> bool:
        return self.mode == "streaming" or "succeeded" in self.statuses


def read_archive(file: InputFile, block_bytes: int) -> Iterator[Block]:
    """Events of an output, of one source in each block; of repeated ones the first to arrive.

    An event is repeated where source, origin, key and event time are the same. Holds one block, a
    byte for each event, and up to 1 GB of DuckDB's, which goes on on disk. Raises InputReadError.
    """
    with _reading(file.path):
        out = Path(file.path)
        files = _event_files(out, _runs(out))
        events = _first_events(files, _first_rows(files), block_bytes)
        for rows in gathered(events, block_bytes):
            for source in pc.unique(rows.column("source")):
                chosen = rows.filter(pc.equal(rows.column("source"), source))
                yield _block(file.path, source.as_py(), chosen)


def clock_arrivals(out: str, sources_with_recorded_arrival: Collection[str]) -> bool:
    """Whether an output has events that arrived by the clock of a batch run, when it began.

    Such an arrival says nothing of when the event came. Events of the sources given brought
    theirs along. Raises InputReadError.
    """
    with _reading(out), _connection() as connection:
        runs = _runs(Path(out))
        files = _literally(_event_files(Path(out), runs))
        starts = [run.started_us for run in runs if run.mode == "batch"]
        if not files or not starts:
            return False
        recorded = list(sources_with_recorded_arrival)
        wanted = {"files": files, "recorded": recorded, "starts": starts}
        return connection.execute(_CLOCKED, wanted).fetchone() is not None


def _first_rows(files: list[Path]) -> list[np.ndarray]:
    """Which rows of each file are the first of their event (bool)."""
    first = [np.ones(pq.ParquetFile(file).metadata.num_rows, bool) for file in files]
    if not files:
        return first
    with _connection() as connection:
        wanted = {"files": _literally(files)}
        for batch in connection.sql(_REPEATS, params=wanted).to_arrow_reader():
            file, row = (column.to_numpy() for column in batch.columns)
            for i in np.unique(file).tolist():
                first[i][row[file == i]] = False
    return first


def _first_events(
    files: list[Path], first: list[np.ndarray], block_bytes: int
) -> Iterator[pa.RecordBatch]:
    for file, chosen in zip(files, first, strict=True):
        row = 0
        with pq.ParquetFile(file) as parquet:
            for batch in batches(parquet, 0, None, block_bytes, _COLUMNS.names):
                mask = pa.array(chosen[row : row + len(batch)])
                yield batch.select(_COLUMNS.names).cast(_COLUMNS).filter(mask)
                row += len(batch)


@contextmanager
def _reading(out: str) -> Iterator[None]:
    try:
        with naming(out):
            yield
    except duckdb.Error as error:
        raise InputReadError(f"{out} cannot be read: {error}") from error


@contextmanager
def _connection() -> Iterator[Any]:
    with TemporaryDirectory(prefix="meterbeam-") as folder:
        config = {
            "memory_limit": _MEMORY,
            "temp_directory": folder,
            "preserve_insertion_order": False,
        }
        with duckdb.connect(":memory:", config=config) as connection:
            yield connection


def _runs(out: Path) -> list[_Run]:
    """The runs of an output, in the order of their folders' names."""
    found = []
    for folder in sorted((out / "runs").glob("*/")):
        # not read_table(), which takes a = in a path for a column
        rows = [
            row
            for file in _parquet_files(folder)
            for row in pq.ParquetFile(file).read(["mode", "status", "started_at"]).to_pylist()
        ]
        if rows:
            started = pa.scalar(rows[0]["started_at"], pa.timestamp("us", "UTC")).value
            statuses = frozenset(row["status"] for row in rows)
            found.append(_Run(folder.name, rows[0]["mode"], statuses, started))
    return found


def _event_files(out: Path, runs: list[_Run]) -> list[Path]:
    """The files of events of the runs that count."""
    folders = [out / "events" / run.folder for run in runs if run.counts]
    return [file for folder in folders for file in _parquet_files(folder)]


def _literally(files: list[Path]) -> list[str]:
    """Names in which DuckDB finds no wildcards."""
    return [escape(str(file)) for file in files]


def _parquet_files(folder: Path) -> list[Path]:
    # one with a dot in front is still being written; those of a stream may be in folders
    return sorted(folder.glob("**/[!.]*.parquet"))


def _block(path: str, source: str, rows: pa.Table) -> Block:
    payloads = rows.column("payload").combine_chunks().cast(TEXT)
    if pc.any(pc.match_substring(payloads, b"\n")).as_py():
        # a message may have had several lines; in JSON that is only white space
        payloads = pc.replace_substring(payloads, b"\n", b" ")
    _, data = byte_parts(joined([payloads, b"\n"], len(rows)))
    return Block(
        path,
        data.tobytes(),
        source=source,
        origins=rows.column("origin").combine_chunks(),
        arrivals=rows.column("received_at").combine_chunks().cast(pa.int64()).to_numpy(),
    )
