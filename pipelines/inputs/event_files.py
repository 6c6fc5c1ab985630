"""Events in Parquet files as input: each once, with its source, arrival and origin, in blocks.

The files have the columns of the table `events`, or those of `EVENT_COLUMNS` and `run_id`.
"""

from collections.abc import Collection, Iterator, Sequence
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
from pipelines.inputs.json_columns import TEXT, joined
from pipelines.inputs.opening import naming
from pipelines.inputs.parquet_rows import batches, gathered

_MEMORY = "1GB"
_READ = pa.schema(
    [
        ("source", pa.string()),
        ("origin", pa.string()),
        ("received_at", pa.timestamp("us", "UTC")),
        ("payload", pa.large_string()),
    ]
)
EVENT_COLUMNS = ("source", "origin", "event_key", "event_time", "received_at", "payload")

_EVENTS = "read_parquet($files, hive_partitioning = false, file_row_number = true)"
_REPEATS = f"""
    SELECT file_index, file_row_number FROM {_EVENTS}
    QUALIFY row_number() OVER (
        PARTITION BY source, origin, event_key, event_time
        ORDER BY received_at, file_index, file_row_number
    ) > 1
"""  # noqa: S608 - of constants
_NEEDED = """
    coalesce(epoch_us(event_time) >= $start, true) AND coalesce(epoch_us(event_time) < $end, true)
"""
_NOT_NEEDED = f"""
    SELECT file_index, file_row_number FROM {_EVENTS} AS events
    ANTI JOIN (SELECT event_key FROM {_EVENTS} WHERE {_NEEDED}) AS needed USING (event_key)
"""  # noqa: S608 - of constants
_CLOCKED = f"""
    SELECT 1 FROM {_EVENTS}
    WHERE NOT list_contains($recorded, source) AND list_contains($starts, epoch_us(received_at))
    LIMIT 1
"""  # noqa: S608 - of constants
_SOURCES = f"SELECT DISTINCT source FROM {_EVENTS}"  # noqa: S608 - of constants


@dataclass(frozen=True)
class Needed:
    """What a run over a range of event times (µs, end exclusive; None is open) needs of an output.

    That is the events of the range and all that have the key of one of them: what else there is
    can neither be metered nor be the first of a key that is. It is known from the columns of the
    events if the run reads in each what was read before. It does where the event is of a source
    that is the same in all catalogs (`fixed`), or was read with the run's own catalog, of this
    `digest`; and if one event is not like that, all are read.
    """

    start_us: int | None
    end_us: int | None
    digest: str
    fixed: frozenset[str]


@dataclass(frozen=True)
class Amount:
    """How many events there are to read, each once, and about how many bytes that is.

    about: whence the bytes are known, or of what they are.
    """

    events: int
    stored_bytes: int
    about: str


def read_events(
    path: str, files: Sequence[Path], block_bytes: int, needed: Needed | None = None
) -> Iterator[Block]:
    """Events of some files, of one source in each block; of repeated ones the first to arrive.

    An event is repeated where source, origin, key and event time are the same. `path` names the
    input. Holds one block, a byte for each event, and up to 1 GB of DuckDB's, which goes on on
    disk. Raises InputReadError.
    """
    with reading(path):
        rows = _rows(files, _chosen(files, needed), block_bytes)
        for some in gathered(rows, block_bytes):
            for source in pc.unique(some.column("source")):
                chosen = some.filter(pc.equal(some.column("source"), source))
                yield _block(path, source.as_py(), chosen)


def amount(path: str, files: Sequence[Path], needed: Needed | None = None) -> Amount:
    """How much `read_events` reads: the bytes are those of the parts of files that have events."""
    with reading(path):
        chosen = _chosen(files, needed)
        size = sum(
            sum(group.column(i).total_compressed_size for i in range(group.num_columns))
            for file, rows in zip(files, chosen, strict=True)
            for group, _, own in _groups(pq.ParquetFile(file), rows)
            if own.any()
        )
        return Amount(sum(int(rows.sum()) for rows in chosen), size, "as stored in the files")


def has_clocked(
    files: Sequence[Path], recorded: Collection[str], starts_us: Collection[int]
) -> bool:
    """Whether an event of a source that is not in `recorded` arrived at one of these moments."""
    if not files or not starts_us:
        return False
    with _connection() as connection:
        wanted = {"recorded": list(recorded), "starts": list(starts_us)}
        found = connection.execute(_CLOCKED, {"files": _literally(files), **wanted})
        return found.fetchone() is not None


def sources_in(files: Sequence[Path]) -> set[str]:
    """The names of the sources that events in some files are of."""
    if not files:
        return set()
    with _connection() as connection:
        found = connection.execute(_SOURCES, {"files": _literally(files)})
        return {name for (name,) in found.fetchall()}


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Name an input in errors of reading it, and make them one kind."""
    try:
        with naming(path):
            yield
    except duckdb.Error as error:
        raise InputReadError(f"{path} cannot be read: {error}") from error


def _chosen(files: Sequence[Path], needed: Needed | None) -> list[np.ndarray]:
    """Which rows of each file are to be read (bool): the first of each event that is needed."""
    chosen = [np.ones(pq.ParquetFile(file).metadata.num_rows, bool) for file in files]
    if files:
        with _connection() as connection:
            wanted = {"files": _literally(files)}
            _leave_out(chosen, connection.sql(_REPEATS, params=wanted))
            if needed is not None:
                ends = {"start": needed.start_us, "end": needed.end_us}
                _leave_out(chosen, connection.sql(_NOT_NEEDED, params=wanted | ends))
    return chosen


def _leave_out(chosen: list[np.ndarray], rows: duckdb.DuckDBPyRelation) -> None:
    for batch in rows.to_arrow_reader():
        file, row = (column.to_numpy() for column in batch.columns)
        for i in np.unique(file).tolist():
            chosen[i][row[file == i]] = False


def _rows(
    files: Sequence[Path], chosen: list[np.ndarray], block_bytes: int
) -> Iterator[pa.RecordBatch]:
    for file, rows in zip(files, chosen, strict=True):
        with pq.ParquetFile(file) as parquet:
            for _, number, own in _groups(parquet, rows):
                if own.any():
                    yield from _of_group(parquet, number, own, block_bytes)


def _groups(
    parquet: pq.ParquetFile, rows: np.ndarray
) -> Iterator[tuple[pq.RowGroupMetaData, int, np.ndarray]]:
    """The row groups of a file, with their numbers and their part of `rows`."""
    first = 0
    for number in range(parquet.metadata.num_row_groups):
        group = parquet.metadata.row_group(number)
        yield group, number, rows[first : first + group.num_rows]
        first += group.num_rows


def _of_group(
    parquet: pq.ParquetFile, number: int, chosen: np.ndarray, block_bytes: int
) -> Iterator[pa.RecordBatch]:
    row = 0
    for batch in batches(parquet, number, number + 1, block_bytes, _READ.names):
        mask = pa.array(chosen[row : row + len(batch)])
        yield batch.select(_READ.names).cast(_READ).filter(mask)
        row += len(batch)


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


def _literally(files: Sequence[Path]) -> list[str]:
    """Names in which DuckDB finds no wildcards."""
    return [escape(str(file)) for file in files]


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
