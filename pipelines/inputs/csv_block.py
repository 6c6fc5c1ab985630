"""Rows of CSV in blocks whose cells are cut apart, and made records of, where they are needed."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.inputs.block import Block, Records
from pipelines.inputs.csv_cells import CsvColumns
from pipelines.inputs.csv_text import Rows
from pipelines.inputs.row_block import RowBlock, TableRows
from transforms.row_columns import say_all


class CsvRows:
    """Rows of one file, each of `pieces` with regular text."""

    def __init__(self, header: CsvColumns, pieces: Sequence[Rows], size: int) -> None:
        self.header, self.pieces, self.size = header, tuple(pieces), size

    @cached_property
    def _table(self) -> TableRows | None:
        """The rows as columns; None where not each of them is a record of UTF-8."""
        text = b"".join([piece.text() for piece in self.pieces])
        offsets = np.concatenate([piece.offset + piece.starts for piece in self.pieces])
        table = self.header.table(text, len(offsets))
        if table is None:
            return None
        names = [name.decode("utf-8") for name in self.header.names]
        return TableRows(table.rename_columns(names), offsets)

    @property
    def _rows(self) -> TableRows:
        if self._table is None:
            raise ValueError("rows that have no columns")
        return self._table

    @property
    def offsets(self) -> np.ndarray:
        """Where each row begins in the file."""
        return self._rows.offsets

    @property
    def cells(self) -> frozenset[str]:
        """The columns that hold JSON text."""
        return self._rows.cells

    def __len__(self) -> int:
        return len(self._rows)

    def columns(self) -> pa.Table | None:
        """The columns; None where they do not say all."""
        return None if self._table is None else self._table.columns()

    def texts(self, chosen: np.ndarray) -> pa.StringArray:
        """The records of some rows (indexes)."""
        return self._rows.texts(chosen)

    def spelled(self, chosen: np.ndarray) -> tuple[bytes, np.ndarray]:
        """The records of some rows as lines, and which of them are malformed."""
        return self._rows.spelled(chosen)

    def records(self) -> Iterator[Records]:
        """The records of all rows, a few at a time."""
        for piece in self.pieces:
            yield self.header.records(piece)

    def __getstate__(self) -> dict[str, Any]:
        return {"header": self.header, "pieces": self.pieces, "size": self.size}


class CsvBlocks:
    """Gathers rows into blocks of about `block_bytes`. Holds one block."""

    def __init__(self, path: str, header: CsvColumns, block_bytes: int) -> None:
        self.path, self.header, self.block_bytes = path, header, block_bytes
        self.columnar = _columnar(header)
        self._names = sum(len(name) + len('"":"",') for name in header.names)
        self._pieces: list[Rows] = []
        self._size = 0

    def add(self, rows: Rows) -> Iterator[Block]:
        """Take rows of regular text in; gives a block when one is full."""
        if not len(rows.starts):
            return
        self._pieces.append(rows)
        self._size += len(rows.text()) + len(rows.starts) * self._names
        if self._size >= self.block_bytes:
            yield from self.finish()

    def finish(self) -> Iterator[Block]:
        """The block gathered so far, if there is anything in it."""
        if self._pieces:
            yield RowBlock(self.path, CsvRows(self.header, self._pieces, self._size))
        self._pieces, self._size = [], 0


def _columnar(header: CsvColumns) -> bool:
    """Whether columns under this header say all that their records do."""
    try:
        names = [name.decode("utf-8") for name in header.names]
    except UnicodeDecodeError:
        return False
    return len(names) > 1 and say_all(pa.schema([(name, pa.string()) for name in names]))
