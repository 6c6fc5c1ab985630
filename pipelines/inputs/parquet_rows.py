"""Parquet files: blocks of records made of rows, read by row groups."""

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.inputs.block import Block, BlockBuilder
from pipelines.inputs.find import InputFile
from pipelines.inputs.opening import opened
from pipelines.inputs.row_block import RowBlock, TableRows, text_size
from pipelines.inputs.row_text import records
from transforms.row_columns import say_all

_MOST_ROWS = 128 * 1024


def row_group_ranges(file: InputFile, block_bytes: int) -> list[tuple[int, int]]:
    """Row groups in a row that make about a block: the first, and the one after the last."""
    with opened(file) as stream:
        metadata = pq.ParquetFile(stream).metadata
    ranges, start, size = [], 0, 0
    for group in range(metadata.num_row_groups):
        size += metadata.row_group(group).total_byte_size
        if size >= block_bytes or group == metadata.num_row_groups - 1:
            ranges.append((start, group + 1))
            start, size = group + 1, 0
    return ranges


def read_parquet(file: InputFile, start: int, end: int | None, block_bytes: int) -> Iterator[Block]:
    """Records of the row groups `start` ≤ i < `end` (None: all the rest).

    Holds one block, and one batch of at most 131,072 rows. Raises InputReadError, for columns of a
    type that JSON has no value for too.
    """
    with opened(file) as stream:
        parquet = pq.ParquetFile(stream)
        groups = range(parquet.metadata.num_row_groups)
        row = sum(parquet.metadata.row_group(i).num_rows for i in groups[:start])
        rows = batches(parquet, start, end, block_bytes)
        make = _row_blocks if say_all(parquet.schema_arrow) else _plain_blocks
        yield from make(file.path, rows, row, block_bytes)


def _row_blocks(
    path: str, rows: Iterable[pa.RecordBatch], row: int, block_bytes: int
) -> Iterator[Block]:
    """Blocks whose records are made of their columns when they are needed."""
    parts = (part for batch in rows for part in _cut(batch, text_size(batch), block_bytes))
    for table in gathered(parts, block_bytes, text_size):
        yield RowBlock(path, TableRows(table, np.arange(row, row + len(table))))
        row += len(table)


def _plain_blocks(
    path: str, rows: Iterable[pa.RecordBatch], row: int, block_bytes: int
) -> Iterator[Block]:
    """Blocks of records: of columns which do not say all that these do."""
    builder = BlockBuilder(path, block_bytes)
    for batch in rows:
        yield from builder.add(records(batch, np.arange(row, row + len(batch))))
        row += len(batch)
    yield from builder.finish()


def batches(
    parquet: pq.ParquetFile,
    start: int,
    end: int | None,
    block_bytes: int,
    columns: list[str] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Rows of some row groups, of some columns or all, in batches of at most about a block."""
    for i in range(parquet.metadata.num_row_groups)[start:end]:
        group = parquet.metadata.row_group(i)
        size = group.total_byte_size // max(group.num_rows, 1)
        rows = max(1, min(_MOST_ROWS, block_bytes // max(size, 1)))
        for batch in parquet.iter_batches(rows, row_groups=[i], columns=columns):
            # values may be larger, unpacked, than the file let expect
            yield from _cut(batch, batch.nbytes, block_bytes)


def _cut(batch: pa.RecordBatch, size: int, block_bytes: int) -> Iterator[pa.RecordBatch]:
    """A batch of so many bytes in parts of about the same size, each at most about a block."""
    parts = max(1, -(-size // block_bytes))
    most = max(1, -(-len(batch) // parts))
    for first in range(0, len(batch), most):
        yield batch.slice(first, most)


def gathered(
    rows: Iterable[pa.RecordBatch],
    block_bytes: int,
    size_of: Callable[[pa.RecordBatch], int] = attrgetter("nbytes"),
) -> Iterator[pa.Table]:
    """Batches put together until another one would make more than a block."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in rows:
        more = size_of(batch)
        if held and size + more > block_bytes:
            yield pa.Table.from_batches(held)
            held, size = [], 0
        held.append(batch)
        size += more
    if held:
        yield pa.Table.from_batches(held)
