"""Typed columns read as their JSON would be: what a file says is not spelled out to be parsed.

Kinds are those of transforms/shape.py, and two more: `time`, a timestamp, which is RFC 3339 text in
its record, and `other`, a value that only the exact reader looks at, in the text of its record.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from transforms.arrays import text_parts
from transforms.catalog import TimeField
from transforms.columns import Column, TableColumns
from transforms.json_cells import Cells
from transforms.lines import is_utf8
from transforms.numbers import DECIMALS, WHOLE_DIGITS, mask, short_numbers
from transforms.shape import DEEPEST, Keys, Kind
from transforms.tables import AMOUNT
from transforms.timestamps import FIRST, LAST, SECOND

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_LAST_ASCII = 127
_AMOUNT_BITS = 128
_NAMES = (
    (kinds.is_null, "null"),
    (kinds.is_boolean, "bool"),
    (kinds.is_integer, "int"),
    (kinds.is_floating, "number"),
    (kinds.is_decimal, "number"),
    (kinds.is_timestamp, "time"),
    (kinds.is_date, "other"),
    (kinds.is_time, "other"),
    (kinds.is_duration, "other"),
)


def say_all(schema: pa.Schema) -> bool:
    """Whether columns of these types say all that their records do: fields once, nothing hidden."""
    return bool(len(schema)) and _fit(schema, 0)


def _fit(fields: Iterable[pa.Field], depth: int) -> bool:
    fields = list(fields)
    names = {field.name for field in fields}
    return len(names) == len(fields) and all(_fits(field.type, depth) for field in fields)


def _fits(kind: pa.DataType, depth: int) -> bool:
    if kinds.is_struct(kind):
        return depth < DEEPEST and kind.num_fields > 0 and _fit(kind, depth + 1)
    return is_any_text(kind) or any(is_kind(kind) for is_kind, _ in _NAMES)


def is_any_text(kind: pa.DataType) -> bool:
    """Whether a column is of text, as it is or by a dictionary."""
    if kinds.is_dictionary(kind):
        kind = kind.value_type
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind))


def kind_of(kind: pa.DataType) -> Kind:
    """The kind of JSON that values of a type are in their records."""
    if kinds.is_struct(kind):
        return Kind("object", {field.name: kind_of(field.type) for field in kind})
    if is_any_text(kind):
        return Kind("string")
    return Kind(next(name for is_kind, name in _NAMES if is_kind(kind)))


def doubtful(table: pa.Table) -> np.ndarray:
    """Rows that may be no record at all, read by the meters or not: no UTF-8, or NaN."""
    rows = np.zeros(len(table), bool)
    for name in table.column_names:
        for leaf in _leaves(table.column(name)):
            if is_any_text(leaf.type):
                rows |= _no_utf8(leaf)
            elif kinds.is_floating(leaf.type):
                finite = pc.fill_null(pc.is_finite(leaf), fill_value=True)
                rows |= ~mask(finite.combine_chunks())
    return rows


def _leaves(column: pa.ChunkedArray) -> Iterator[pa.ChunkedArray]:
    if not kinds.is_struct(column.type):
        yield column
        return
    for field in column.flatten():
        yield from _leaves(field)


def _no_utf8(texts: pa.ChunkedArray) -> np.ndarray:
    if all(_is_ascii(each) for each in texts.chunks):
        return np.zeros(len(texts), bool)
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        if kinds.is_dictionary(texts.type):
            return np.ones(len(texts), bool)
        plain = texts.cast(pa.large_binary()).to_pylist()
        return np.array([each is not None and not is_utf8(each) for each in plain], bool)
    return np.zeros(len(texts), bool)


def _is_ascii(texts: pa.Array) -> bool:
    """Much faster than to look for what is no UTF-8."""
    values = texts.dictionary if kinds.is_dictionary(texts.type) else texts
    bounds, chars = text_parts(values)
    return bool(chars[bounds[0] : bounds[-1]].max(initial=0) <= _LAST_ASCII)


class RowColumns(TableColumns):
    """The rows of a table as `Columns` of their records; `cells` were read from JSON text."""

    def __init__(self, table: pa.Table, cells: dict[str, Cells]) -> None:
        self.cells = cells
        columns = {name: table.column(name) for name in table.column_names}
        shapes = {name: kind_of(column.type) for name, column in columns.items()}
        for name, each in cells.items():
            columns[name], shapes[name] = each.column, each.shape
        super().__init__(pa.table(columns), Kind("object", shapes), b"")

    def raw(self, keys: Keys) -> tuple[pa.Array | None, str]:
        """As `TableColumns.raw`; texts are `string`, however they are stored."""
        column, kind = super().raw(keys)
        if kind == "string" and column is not None and column.type != pa.string():
            column = column.cast(pa.string())
        return column, kind

    def time(self, place: TimeField) -> Column:
        """As `Columns.time`; of a timestamp it is the instant, cut down to microseconds."""
        column, kind = self.raw(place.path)
        if column is None or kind != "time" or place.format != "rfc3339":
            return super().time(place)
        at = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
        per_second = _PER_SECOND[column.type.unit]
        if per_second > SECOND:
            at, per_second = at // (per_second // SECOND), SECOND
        unit_us = SECOND // per_second
        odd = (at < FIRST // unit_us) | (at > LAST // unit_us) | ~mask(column.is_valid())
        return pa.array(np.where(odd, 0, at) * unit_us), odd

    def number(self, keys: Keys) -> Column:
        """As `Columns.number`, of any type of numbers."""
        column, kind = self.raw(keys)
        if column is None or kind != "number" or column.type == AMOUNT or keys[0] in self.cells:
            return super().number(keys)
        if kinds.is_decimal(column.type) and _held(column.type):
            if column.type.bit_width < _AMOUNT_BITS:
                column = column.cast(pa.decimal128(column.type.precision, column.type.scale))
            return _rescaled(column)
        if kinds.is_float16(column.type):
            column = column.cast(pa.float32())
        return short_numbers(column.cast(pa.string()))

    def _texts(self) -> Iterable[bytes]:
        """That of cells: in what else there is nothing stands as it was written."""
        return (each.data for each in self.cells.values())


def _held(kind: pa.DataType) -> bool:
    """Whether an amount holds all values of a type of decimals."""
    return 0 <= kind.scale <= DECIMALS and kind.precision - kind.scale < WHOLE_DIGITS


def _rescaled(decimals: pa.Array) -> Column:
    """Decimals as amounts; those of more digits than their type says are for the exact reader."""
    kind = decimals.type
    extremes = pc.min_max(decimals).as_py().values()
    if any(abs(each) >= Decimal(10) ** (kind.precision - kind.scale) for each in extremes if each):
        return pa.nulls(len(decimals), AMOUNT), mask(decimals.is_valid())
    none = np.zeros(len(decimals), bool)
    if 2 * decimals.null_count < len(decimals):
        return decimals.cast(AMOUNT), none
    # to rescale takes long, of what is null too
    amounts = pa.nulls(len(decimals), AMOUNT)
    return pc.replace_with_mask(
        amounts, decimals.is_valid(), decimals.drop_null().cast(AMOUNT)
    ), none
