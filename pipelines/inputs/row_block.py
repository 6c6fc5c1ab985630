"""Blocks of rows: the columns go along, and the text of the records is made where it is needed.

That is in the kernel's threads, of the records that are kept; what the columns say is not parsed
back out of the text.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from pipelines.inputs.block import Block, BlockBuilder, Records, byte_parts, may_be_oversized
from pipelines.inputs.json_columns import json_string
from pipelines.inputs.row_text import holds_json, records, row_texts
from transforms.arrays import text_parts
from transforms.row_columns import is_any_text
from transforms.row_lines import Rows

_LARGEST_ESCAPE = 6  # of a character as \u0000
_LARGEST_SCALAR = 512  # of a number, and more than any has
_STEP = 16 * 1024  # rows whose text is made at a time


class FileRows(Rows, Protocol):
    """Rows as a block of a file holds them."""

    @property
    def size(self) -> int:
        """About how many bytes the records have."""

    def records(self) -> Iterator[Records]:
        """The records of all rows, a few at a time."""


class RowBlock(Block):
    """A block of rows. `data`, `offsets` and `malformed` are made when they are asked for.

    So it is not to be given to `dataclasses.replace`: its `plain` can be.
    """

    rows: FileRows

    def __init__(self, path: str, rows: FileRows) -> None:
        # what is not set here is as in any block
        vars(self).update(path=path, rows=rows)

    @cached_property
    def _plain(self) -> Block:
        builder = BlockBuilder(self.path, 1 << 62)
        for some in self.rows.records():
            for _ in builder.add(some):
                raise AssertionError("a block of any size is never full")
        return next(builder.finish(), Block(self.path, b"", offsets=np.zeros(0, np.int64)))

    @property
    def size(self) -> int:
        """About how many bytes its records have."""
        return self.rows.size

    def plain(self) -> Block:
        """The same block with the text of its records."""
        return self._plain

    @property
    def data(self) -> bytes:
        """As in any block."""
        return self._plain.data

    @property
    def offsets(self) -> np.ndarray | None:
        """As in any block."""
        return self._plain.offsets

    @property
    def malformed(self) -> frozenset[int]:
        """As in any block."""
        return self._plain.malformed

    @property
    def oversized(self) -> tuple[tuple[int, bytes], ...]:
        """As in any block; there are none where the columns say all."""
        return () if self.rows.columns() is not None else self._plain.oversized


class TableRows:
    """Rows of a table whose columns say all (transforms/row_columns.py)."""

    def __init__(self, table: pa.Table, offsets: np.ndarray) -> None:
        self.table, self.offsets = table, offsets
        self.cells = frozenset(
            each.name for each in table.schema if holds_json(each.name, each.type)
        )
        self.size = text_size(table)

    def __len__(self) -> int:
        return len(self.table)

    def columns(self) -> pa.Table | None:
        """The columns; None where a record may be too large for one."""
        return None if self._oversized else self.table

    def texts(self, chosen: np.ndarray) -> pa.StringArray:
        """The records of some rows (indexes)."""
        (batch,) = _batches(self._rows(chosen), len(chosen))
        names = [name.encode() for name in batch.schema.names]
        texts = row_texts(names, batch.columns, len(batch), b"}")
        bounds, data = byte_parts(texts)
        offsets = pa.array(bounds - bounds[0], pa.int32())  # fails where they are too large for it
        return pa.StringArray.from_buffers(len(texts), offsets.buffers()[1], pa.py_buffer(data))

    def spelled(self, chosen: np.ndarray) -> tuple[bytes, np.ndarray]:
        """The records of some rows as lines, and which of them are malformed."""
        made = [
            records(batch, np.zeros(len(batch), np.int64))
            for batch in _batches(self._rows(chosen), _STEP)
        ]
        data = b"".join([byte_parts(each.lines)[1].data for each in made])
        return data, np.concatenate([each.malformed for each in made])

    def records(self) -> Iterator[Records]:
        """The records of all rows, a few at a time."""
        first = 0
        for batch in _batches(self.table, _STEP):
            yield records(batch, self.offsets[first : first + len(batch)])
            first += len(batch)

    def _rows(self, chosen: np.ndarray) -> pa.Table:
        return self.table if len(chosen) == len(self.table) else self.table.take(pa.array(chosen))

    @cached_property
    def _oversized(self) -> bool:
        return may_be_oversized(sum(_bound(column) for column in _leaves(self.table)))

    def __reduce__(self) -> tuple[Any, ...]:
        # a slice would be pickled with the whole table that it is of
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.table.schema) as writer:
            writer.write_table(self.table)
        return _unpickled, (sink.getvalue().to_pybytes(), self.offsets)


def _unpickled(stream: bytes, offsets: np.ndarray) -> TableRows:
    return TableRows(pa.ipc.open_stream(stream).read_all(), offsets)


def text_size(rows: pa.Table | pa.RecordBatch) -> int:
    """About how many bytes the records of some rows have."""
    values = sum(_values(column) for column in rows.columns)
    return values + len(rows) * sum(_names(field) for field in rows.schema)


def _values(column: pa.Array | pa.ChunkedArray) -> int:
    """The bytes of a column; of a text that stands in a dictionary each time that it is there."""
    if isinstance(column, pa.ChunkedArray):
        return sum(_values(chunk) for chunk in column.chunks)
    if not _any_dictionary(column.type):
        return int(column.nbytes)
    if kinds.is_struct(column.type):
        return sum(_values(field) for field in column.flatten())
    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    return int(pc.sum(lengths.take(column.indices)).as_py() or 0)


def _any_dictionary(kind: pa.DataType) -> bool:
    if kinds.is_struct(kind):
        return any(_any_dictionary(field.type) for field in kind)
    return bool(kinds.is_dictionary(kind))


def _names(field: pa.Field) -> int:
    """The bytes of a field's name in a record, and of those in it, with what is around them."""
    inside = sum(_names(each) for each in field.type) if kinds.is_struct(field.type) else 0
    return len(json_string(field.name.encode())) + len(':"",') + inside


def _leaves(table: pa.Table) -> Iterator[tuple[int, pa.ChunkedArray]]:
    """The columns at all depths, with the bytes of the names that lead to each."""
    pending = [(_names(field), table.column(i)) for i, field in enumerate(table.schema)]
    while pending:
        names, column = pending.pop()
        if kinds.is_struct(column.type):
            pending += [(0, each) for each in column.flatten()]
            column = pa.chunked_array([pa.nulls(0)])
        yield names, column


def _bound(leaf: tuple[int, pa.ChunkedArray]) -> int:
    """No value of a column is longer in its record, with its name."""
    names, column = leaf
    if not is_any_text(column.type):
        return names + _LARGEST_SCALAR
    longest = max((_longest(each) for each in column.chunks), default=0)
    return names + _LARGEST_ESCAPE * longest + len('""null')


def _longest(texts: pa.Array) -> int:
    values = texts.dictionary if kinds.is_dictionary(texts.type) else texts
    bounds, _ = text_parts(values)
    return int(np.diff(bounds).max(initial=0))


def _batches(table: pa.Table, rows: int) -> Iterator[pa.RecordBatch]:
    """The rows in batches of at most so many; one at least."""
    if table.column(0).num_chunks != 1:
        table = table.combine_chunks()
    batches = table.to_batches(max_chunksize=max(rows, 1))
    yield from batches or [pa.RecordBatch.from_pylist([], table.schema)]
