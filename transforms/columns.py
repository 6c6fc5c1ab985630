"""One place of the records as a column of the kind that is wanted, with the rows not to trust.

Each function returns the column and a mask of rows on which only the exact reader can decide.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import one_array
from transforms.catalog import TextField, TimeField
from transforms.exact import LONGEST
from transforms.numbers import mask, short_numbers, too_great
from transforms.shape import Keys, Kind
from transforms.tables import AMOUNT
from transforms.timestamps import FIRST, LAST, parse_times

_MINUS_ZERO = re.compile(rb"[:\s\[]-0[\s,}\]]")
# decimals of the unit that make it a whole number of microseconds
_EPOCH_DECIMALS = {"epoch_s": 6, "epoch_ms": 3, "epoch_us": 0}

Column = tuple[pa.Array, np.ndarray]


class Columns(ABC):
    """So many records of a block, however they were read."""

    rows: int

    @abstractmethod
    def raw(self, keys: Keys) -> tuple[pa.Array | None, str]:
        """The column at a path and its kind's name; None where no record has the field."""

    def required_text(self, place: TextField) -> Column:
        """A string of 1 to 256 characters."""
        if place.path is None:
            return pa.repeat(pa.scalar(place.const, pa.string()), self.rows), self._none()
        column, odd = self._string(place)
        lengths = pc.binary_length(column)  # never less than the characters
        least, most = pc.min_max(lengths).values()
        if (most.as_py() or 0) > LONGEST:
            lengths = pc.utf8_length(column)
        elif column.null_count == 0 and least.as_py():
            return column, odd
        fine = pc.and_(pc.greater(lengths, 0), pc.less_equal(lengths, LONGEST))
        return column, odd | ~mask(pc.fill_null(fine, fill_value=False))

    def optional_text(self, place: TextField | None) -> Column:
        """A string of at most 256 characters; null where absent or empty."""
        if place is None or place.path is None:
            const = place.const if place else None
            return pa.repeat(pa.scalar(const, pa.string()), self.rows), self._none()
        column, odd = self._string(place)
        lengths = pc.binary_length(column)  # never less than the characters
        least, most = pc.min_max(lengths).values()
        if (most.as_py() or 0) > LONGEST:
            odd = odd | mask(
                pc.fill_null(pc.greater(pc.utf8_length(column), LONGEST), fill_value=False)
            )
        if least.as_py() == 0:
            column = pc.if_else(pc.equal(lengths, 0), None, column)
        return column, odd

    def scope(self, keys: Keys | None) -> Column:
        """CloudEvents' `source`: a string, the empty one where absent; null in other sources."""
        if keys is None:
            return pa.nulls(self.rows, pa.string()), self._none()
        column, odd = self._string(TextField(path=keys, const=None, as_text=False))
        return pc.fill_null(column, ""), odd

    def _string(self, place: TextField) -> Column:
        column, kind = self.raw(place.path or ())
        if column is None or kind == "null":
            return pa.nulls(self.rows, pa.string()), self._none()
        if kind == "string":
            return column, self._none()
        if kind == "int" and place.as_text:
            return column.cast(pa.string()), self._minus_zero(column)
        return pa.nulls(self.rows, pa.string()), mask(column.is_valid())

    def not_object(self, keys: Keys) -> np.ndarray:
        """Where something else than an object stands."""
        column, kind = self.raw(keys)
        if column is None or kind in ("object", "null"):
            return self._none()
        return mask(column.is_valid())

    def time(self, place: TimeField) -> Column:
        """Microseconds since the epoch."""
        column, kind = self.raw(place.path)
        everything = pa.repeat(pa.scalar(0, pa.int64()), self.rows), ~self._none()
        if column is None:
            return everything
        if place.format == "rfc3339":
            if kind != "string":
                return everything
            at, read = parse_times(column, assume_utc=place.assume_utc)
            return pa.array(at), ~read
        amounts, odd = self.number(place.path)
        return _epoch(amounts, odd, _EPOCH_DECIMALS[place.format])

    def number(self, keys: Keys) -> Column:
        """An amount: decimal128(38,18), null where absent."""
        column, kind = self.raw(keys)
        if column is None or kind == "null":
            return pa.nulls(self.rows, AMOUNT), self._none()
        if kind == "int":
            return column.cast(AMOUNT), self._none()
        if kind == "number":
            return column, too_great(column)
        if kind == "string":
            return short_numbers(column)
        return pa.nulls(self.rows, AMOUNT), mask(column.is_valid())

    def text(self, keys: Keys) -> Column:
        """A scalar as its text as written, null where absent."""
        column, kind = self.raw(keys)
        if column is None or kind == "null":
            return pa.nulls(self.rows, pa.string()), self._none()
        if kind in ("string", "bool"):
            return column.cast(pa.string()), self._none()
        if kind == "int":
            return column.cast(pa.string()), self._minus_zero(column)
        return pa.nulls(self.rows, pa.string()), mask(column.is_valid())

    def _minus_zero(self, column: pa.Array) -> np.ndarray:
        """Zeros which may have been written `-0`: as a text that is not `0`."""
        zero = mask(pc.fill_null(pc.equal(column, pa.scalar(0, column.type)), fill_value=False))
        if zero.any() and any(_MINUS_ZERO.search(text) for text in self._texts()):
            return zero
        return self._none()

    def _texts(self) -> Iterable[bytes]:
        """The text that whole numbers were read from, where they are not the text itself."""
        return []

    def _none(self) -> np.ndarray:
        return np.zeros(self.rows, bool)


class TableColumns(Columns):
    """The records as pyarrow read them: `table` has a column per top-level field."""

    def __init__(self, table: pa.Table, shape: Kind, data: bytes) -> None:
        self.table = table
        self.shape = shape
        self.data = data
        self.rows = table.num_rows

    def raw(self, keys: Keys) -> tuple[pa.Array | None, str]:
        """See `Columns`."""
        kind = self.shape.at(keys)
        if kind is None or not keys:
            return None, "null"
        column = self.table.column(keys[0])
        if len(keys) > 1:
            column = pc.struct_field(column, list(keys[1:]))
        return one_array(column), kind.name

    def _texts(self) -> Iterable[bytes]:
        return [self.data]


def _epoch(amounts: pa.Array, odd: np.ndarray, decimals: int) -> Column:
    """A unit with so many decimals has the microseconds as its digits."""
    odd = odd | ~mask(amounts.is_valid())
    scale = 10 ** (6 - decimals)
    limits = [pa.scalar(at // 10**6 * scale, pa.int64()).cast(amounts.type) for at in (FIRST, LAST)]
    within = pc.and_(pc.greater(amounts, limits[0]), pc.less(amounts, limits[1]))
    odd |= ~mask(pc.fill_null(within, fill_value=False))
    kept = pc.if_else(pa.array(~odd), amounts, None)
    whole = pc.round(kept, ndigits=decimals, round_mode="down").cast(pa.decimal128(38, decimals))
    # the digits of a decimal are a whole number of 16 bytes, of which these times need the low 8
    words = np.frombuffer(whole.buffers()[1], "<i8")[2 * whole.offset :][: 2 * len(whole) : 2]
    return pa.array(np.where(odd, 0, words)), odd
