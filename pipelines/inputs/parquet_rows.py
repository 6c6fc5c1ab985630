"""Parquet files: blocks of records made of rows, read by row groups."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.inputs.block import Block, BlockBuilder, Records
from pipelines.inputs.find import InputFile
from pipelines.inputs.json_columns import HOLDS_JSON, Part, embedded, joined, json_string
from pipelines.inputs.json_values import as_text, is_text, plain, value_parts
from pipelines.inputs.opening import opened

_MOST_ROWS = 16 * 1024


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

    Holds one block, and one batch of at most 16,384 rows. Raises InputReadError, for columns of a
    type that JSON has no value for too.
    """
    builder = BlockBuilder(file.path, block_bytes)
    with opened(file) as stream:
        parquet = pq.ParquetFile(stream)
        groups = range(parquet.metadata.num_row_groups)
        row = sum(parquet.metadata.row_group(i).num_rows for i in groups[:start])
        for batch in batches(parquet, start, end, block_bytes):
            yield from builder.add(records(batch, row))
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
            most = max(1, len(batch) * block_bytes // max(batch.nbytes, block_bytes))
            for first in range(0, len(batch), most):
                yield batch.slice(first, most)


def gathered(rows: Iterable[pa.RecordBatch], block_bytes: int) -> Iterator[pa.Table]:
    """Batches put together until they make about a block."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in rows:
        held.append(batch)
        size += batch.nbytes
        if size >= block_bytes:
            yield pa.Table.from_batches(held)
            held, size = [], 0
    if held:
        yield pa.Table.from_batches(held)


def records(batch: pa.RecordBatch, first_row: int) -> Records:
    """Rows as JSON objects of their columns; columns of text that hold JSON are embedded."""
    malformed = np.zeros(len(batch), bool)
    parts: list[Part] = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        values = plain(column)
        parts += [b"," if parts else b"{", json_string(name.encode()), b":"]
        if name.encode() in HOLDS_JSON and is_text(values.type):
            texts, bad = embedded(as_text(values))
            malformed |= bad
            parts.append(texts)
        else:
            parts += value_parts(values)
    lines = joined([*(parts or [b"{"]), b"}\n"], len(batch))
    return Records(lines, np.arange(first_row, first_row + len(batch)), malformed)
