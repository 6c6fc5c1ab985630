"""The Parquet files of a live run: small ones as they are written, and larger ones made of them."""

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.journal_sync import sync_journals
from pipelines.parquet_sink import REPEATING
from transforms.tables import TABLES

_MADE_OF = "meterbeam.made_of"
_GROUP_BYTES = 8 << 20  # of Arrow, in a row group
_SMALL_BYTES = 1 << 20
# with these a file of a few rows takes less than half the time, to write and to read
_SMALL_FILE = {
    "compression": "lz4",
    "use_dictionary": False,
    "write_statistics": False,
    "store_schema": False,
}


class LiveTableError(Exception):
    """A table that cannot be written; the text names the folder or the file, and says why."""


def write_rows(path: Path, schema: pa.Schema, batches: list[pa.RecordBatch]) -> None:
    """Write a file of some batches, as cheaply as their size allows."""
    if sum(batch.nbytes for batch in batches) > _SMALL_BYTES:
        _write(path, schema, batches)
        return
    content = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_batches(batches, schema), content, **_SMALL_FILE)
    path.write_bytes(content.getvalue())


def write_merged(
    path: Path, schema: pa.Schema, folders: Sequence[Path], between: Callable[[], None]
) -> None:
    """Write a file of all rows in some folders, and note their names in it.

    It calls `between` after each row group, and holds one that it reads, one that it writes, and
    what it has encoded of that: 8 MiB and the largest batch each. Raises LiveTableError for a file
    that cannot be read, and OSError. What was journalled is on the disk before the file is.
    """
    files = (file for folder in folders for file in sorted(folder.glob("[!.]*.parquet")))
    batches = (batch for file in files for batch in _read(file))
    _write(path, schema, batches, [folder.name for folder in folders], between)
    sync_journals()
    with path.open("rb") as written:
        os.fsync(written.fileno())  # before the others go


def listed_files(folder: Path) -> list[Path]:
    """Find the files of a table of a run, live or not, that the views read.

    While it is live a row may be in two of them, and they can be opened for a while only.
    """
    return sorted(folder.glob("**/[!.]*.parquet"))


def remove_torn(out: Path, run_id: str) -> None:
    """Remove what a power failure left of files of a live run, in the way of all who read tables.

    Their rows are written again when the run is taken up, which it is to be now.
    """
    for table in TABLES:
        for path in listed_files(out / table / run_id):
            if made_of(path) is None:
                logging.getLogger(__name__).warning("%s is not a whole file and is removed", path)
                path.unlink()


def made_of(path: Path) -> list[str] | None:
    """Give the names of the folders whose rows are in a file; None for one that is not whole."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except pa.ArrowInvalid:
        return None
    except OSError as error:
        if error.errno is None:  # Arrow's, about what is in it; others are about the disk
            return None
        raise
    return list(json.loads(metadata.get(_MADE_OF.encode(), b"[]")))


def _read(path: Path) -> Iterator[pa.RecordBatch]:
    try:
        with pa.OSFile(str(path)) as source:
            file = pq.ParquetFile(source)
            for number in range(file.num_row_groups):
                yield from file.read_row_group(number, use_threads=False).to_batches()
    except (OSError, pa.ArrowInvalid) as error:
        raise LiveTableError(f"{path} cannot be read: {error}") from error


def _write(
    path: Path,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    folders: Sequence[str] = (),
    between: Callable[[], None] = lambda: None,
) -> None:
    options = {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": [name for name in schema.names if name in REPEATING],
        "write_statistics": [name for name in schema.names if name != "payload"],
    }
    with pq.ParquetWriter(path, schema, **options) as writer:
        for rows in _row_groups(schema, batches):
            writer.write_table(rows)
            between()
        writer.add_key_value_metadata({_MADE_OF: json.dumps(folders)})


def _row_groups(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    group, size = [], 0
    for batch in batches:
        group.append(batch)
        size += batch.nbytes
        if size >= _GROUP_BYTES:
            yield pa.Table.from_batches(group, schema)
            group, size = [], 0
    if group:
        yield pa.Table.from_batches(group, schema)
