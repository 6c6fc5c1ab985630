"""Cells of text that hold JSON objects, as columns: pyarrow reads the cells and nothing else.

A cell is read as a line is, and by the same reader (transforms/arrow_json.py): so what is taken
for an object is one, from the first to the last byte of its cell.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrow_json import ShapedReader, learned
from transforms.lines import NEWLINE, Lines
from transforms.shape import Keys, Kind

_EMPTY = "{}"
_NOTHING = pa.table({"nothing": pa.nulls(0)})


@dataclass(frozen=True)
class Cells:
    """What some cells say: `column` of `shape`, of the rows `at` (indexes, in order).

    data: the text of all cells.
    """

    column: pa.ChunkedArray
    shape: Kind
    data: bytes
    at: np.ndarray


@dataclass
class CellReader:
    """Reads the cells of one column; `numbers` are the paths in a cell that are quantities.

    Learns the shape of the objects as it reads, and holds it. The fields of an empty cell, and of
    null, are null. Several threads may read at once: each goes by the shape that it began with.
    """

    numbers: frozenset[Keys]
    shape: Kind | None = None
    _shaped: ShapedReader | None = None

    def read(self, cells: pa.ChunkedArray, good: np.ndarray) -> Cells:
        """Some of the `good` cells (a mask), which must be UTF-8."""
        texts = cells.cast(pa.string()).combine_chunks()
        present = pc.fill_null(pc.greater(pc.binary_length(texts), 0), fill_value=False)
        if not pc.any(present, min_count=0).as_py():
            at = np.arange(len(texts))
            return Cells(pa.chunked_array([pa.nulls(len(at))]), Kind("null"), b"", at)
        if not pc.all(present).as_py():
            texts = pc.if_else(present, texts, _EMPTY)
        lines = _lines(texts)
        chosen = np.flatnonzero(good & ~lines.strange() & ~_broken(lines))
        if self.shape is None:
            self.shape = learned(self.shape, lines, chosen)
        reader = self._reader()
        table, at = _read(reader, lines, chosen)
        if len(at) < len(chosen):
            self.shape = learned(self.shape, lines, np.setdiff1d(chosen, at, assume_unique=True))
            if self._reader() is not reader:  # many cells of a new shape fit now
                reader = self._reader()
                table, at = _read(reader, lines, chosen)
        shape = reader.shape if reader else Kind("null")
        return Cells(table.to_struct_array(), shape, lines.data, at)

    def _reader(self) -> ShapedReader | None:
        """One of the shape that is known; without a field there is no column to count the rows."""
        shape, shaped = self.shape, self._shaped
        if shape is None or not shape.fields:
            return None
        if shaped is None or shaped.shape != shape:
            shaped = self._shaped = ShapedReader(shape, self.numbers)
        return shaped


def _read(
    reader: ShapedReader | None, lines: Lines, chosen: np.ndarray
) -> tuple[pa.Table, np.ndarray]:
    return reader.read(lines, chosen) if reader and len(chosen) else (_NOTHING, chosen[:0])


def _lines(texts: pa.StringArray) -> Lines:
    """The cells, each on a line; those with a line end inside are not to be trusted."""
    ended = pc.binary_join_element_wise(texts, "", "\n")
    _, offsets, data = ended.buffers()
    bounds = np.frombuffer(offsets, np.int32)[ended.offset : ended.offset + len(ended) + 1]
    bounds = bounds.astype(np.int64)
    text = data.slice(int(bounds[0]), int(bounds[-1] - bounds[0])).to_pybytes()
    bounds -= bounds[0]
    return Lines(text, bounds[:-1], bounds[1:] - 1, np.arange(len(ended)))


def _broken(lines: Lines) -> np.ndarray:
    """Which cells have a line end inside: in a string it would be none of JSON's."""
    broken = np.zeros(len(lines), bool)
    if lines.data.count(b"\n") > len(lines):
        inside = np.frombuffer(lines.data, np.uint8) == NEWLINE
        inside[lines.ends] = False
        at = np.searchsorted(lines.starts, np.flatnonzero(inside), side="right") - 1
        broken[at] = True
    return broken
