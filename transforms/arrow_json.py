"""Lines of one shape as an Arrow table, read by pyarrow; it says which of them it has read.

pyarrow's reader gets a schema that knows every field (transforms/shape.py), so that a field of
another kind, an unknown one or a repeated one makes it fail instead of guessing. What it is still
lenient about is guarded: see `Lines.strange` and transforms/leniency.py.
"""

import re

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from transforms.exact import parse_object
from transforms.leniency import Leniency, NotColumnarError
from transforms.lines import Lines
from transforms.reasons import Rejected
from transforms.shape import Keys, Kind, arrow_type, decoder, learn

_SLICE = 1 << 20
_FEW = 32
_SAMPLE = 200
_LEAST_HINTS, _HINTS_SHARE = 64, 100
_ROW = re.compile(r"in row ([0-9]+)$")


class ShapedReader:
    """Reads lines of one shape; `numbers` are the paths read as quantities: those are decimals.

    A slice of the lines is read at a time: what the reader needs for it stays in the processor's
    cache, and a line at which it fails costs a slice and not the block.
    """

    def __init__(self, shape: Kind, numbers: frozenset[Keys]) -> None:
        self.shape = shape
        self._leniency = Leniency(shape, numbers)
        self._schema = pa.schema(list(arrow_type(shape, numbers)))
        self._options = pj.ParseOptions(
            explicit_schema=self._schema, unexpected_field_behavior="error"
        )

    def read(self, lines: Lines, chosen: np.ndarray) -> tuple[pa.Table, np.ndarray]:
        """The records of lines (indexes, in order), and the indexes of those that were read.

        The line that pyarrow's message names is left out, as are those that a strict decoder of the
        shape does not take, where there are many or none is named.
        """
        tables, read = [], []
        pending = [(part, False) for part in reversed(_slices(lines, chosen))]
        hints = max(_LEAST_HINTS, len(chosen) // _HINTS_SHARE)
        while pending:
            part, sifted = pending.pop()
            try:
                tables.append(self._table(lines.buffer(part), len(part), sifted=sifted))
                read.append(part)
            except NotColumnarError as error:
                named = _ROW.search(str(error)) if hints else None
                if named and (row := int(named[1])) < len(part):
                    hints -= 1
                    cuts = [(part[:row], sifted), (part[row + 1 :], sifted)]
                elif not sifted:
                    cuts = [(part[self._fits(lines, part)], True)]
                elif len(part) > _FEW:
                    cuts = [(half, True) for half in np.array_split(part, 2)]
                else:
                    cuts = []
                pending += [cut for cut in reversed(cuts) if len(cut[0])]
        if not read:
            return self._schema.empty_table(), chosen[:0]
        return pa.concat_tables(tables), np.concatenate(read)

    def _table(self, data: pa.Buffer, rows: int, *, sifted: bool) -> pa.Table:
        whole = pj.ReadOptions(use_threads=False, block_size=data.size + 1)
        try:
            table = pj.read_json(pa.BufferReader(data), whole, self._options)
        except pa.ArrowInvalid as error:
            raise NotColumnarError(str(error)) from None
        if table.num_rows != rows:
            raise NotColumnarError(f"{table.num_rows} rows of {rows} lines")
        if not sifted:
            self._leniency.refuse(table, data)
        return table

    def _fits(self, lines: Lines, part: np.ndarray) -> np.ndarray:
        """Which lines a strict decoder of the shape takes: one pass, about a microsecond each."""
        decode = decoder(self.shape).decode
        fits = np.ones(len(part), bool)
        data, starts, ends = lines.data, lines.starts[part].tolist(), lines.ends[part].tolist()
        rest = iter(range(len(part)))
        while True:
            i = -1
            try:
                for i in rest:
                    decode(data[starts[i] : ends[i]])
            except (msgspec.MsgspecError, RecursionError, ValueError):
                fits[i] = False
            else:
                return fits


def learned(shape: Kind | None, lines: Lines, chosen: np.ndarray) -> Kind | None:
    """A shape that knows the records of some lines (indexes), too: of about 200 of them."""
    for i in chosen[:: max(1, len(chosen) // _SAMPLE)].tolist():
        try:
            shape = learn(shape, parse_object(lines[i]))
        except Rejected:
            continue
    return shape


def _slices(lines: Lines, chosen: np.ndarray) -> list[np.ndarray]:
    """The chosen lines, cut wherever about a slice's bytes have come together."""
    ends = np.cumsum(lines.ends[chosen] - lines.starts[chosen])
    pieces = ends // _SLICE
    return np.split(chosen, np.flatnonzero(np.diff(pieces)) + 1) if len(chosen) else []
