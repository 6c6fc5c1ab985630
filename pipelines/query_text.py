"""The rows of a query as text: amounts digit by digit, times in RFC 3339, null apart from ''."""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_NULL = "∅"
_LONGEST = 200  # characters of a cell of a table
_LAST_US = np.iinfo(np.int64).max  # DuckDB's infinity
_NO_TIMES = {
    "NaT": None,
    str(np.datetime64(_LAST_US, "us")): "infinity",
    str(np.datetime64(-_LAST_US, "us")): "-infinity",
}
_QUOTED = re.compile('[,"\r\n]')
_string = json.JSONEncoder(ensure_ascii=False).encode

Texts = list[str | None]


def csv_lines(names: list[str], batches: Iterable[pa.RecordBatch]) -> Iterator[str]:
    """Give CSV with a header. Null is an empty cell, an empty text is ""."""
    yield ",".join(map(_csv_cell, names)) + "\n"
    for batch in batches:
        columns = [_texts(column) for column in batch.columns]
        yield "".join(",".join(map(_csv_cell, row)) + "\n" for row in zip(*columns, strict=True))


def json_lines(names: list[str], batches: Iterable[pa.RecordBatch]) -> Iterator[str]:
    """Give a JSON array of objects, one a line."""
    keys = [json.dumps(name, ensure_ascii=False) for name in names]
    between = "[\n"
    for batch in batches:
        columns = [_json_texts(column) for column in batch.columns]
        rows = []
        for row in zip(*columns, strict=True):
            cells = ", ".join(f"{key}: {text}" for key, text in zip(keys, row, strict=True))
            rows.append(f"  {{{cells}}}")
        if rows:
            yield between + ",\n".join(rows)
            between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


def table_text(names: list[str], batches: Iterable[pa.RecordBatch], most: int) -> Iterator[str]:
    """Give a table of the first `most` rows for the eye, and say how many more there are.

    Numbers stand at the right, null is ∅, a long text is cut and says by how much. Rows are never
    folded: the table is as wide as its cells.
    """
    remaining = iter(batches)
    shown, rows = [], 0
    for batch in remaining:
        shown.append(batch.slice(0, most - rows))
        rows += batch.num_rows
        if rows >= most:
            break
    rows += sum(batch.num_rows for batch in remaining)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    types = shown[0].schema.types if shown else [pa.null()] * len(names)
    for name, kind in zip(names, types, strict=True):
        table.add_column(Text(_visible(name)), justify="right" if _is_number(kind) else "left")
    for batch in shown:
        for row in zip(*(_texts(column) for column in batch.columns), strict=True):
            table.add_row(*(_eye_cell(text) for text in row))
    yield _drawn(table)
    if rows > most:
        yield f"… {rows - most:,} more rows\n"


def _drawn(table: Table) -> str:
    width = Console(width=1 << 20).measure(table).maximum
    console = Console(width=max(width, 1), color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return "".join(line.rstrip() + "\n" for line in capture.get().splitlines())


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _csv_cell(text: str | None) -> str:
    if text is None:
        return ""
    if not text or _QUOTED.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _eye_cell(text: str | None) -> Text:
    if text is None:
        return Text(_NULL, style="dim")
    more = len(text) - _LONGEST
    return Text(_visible(text[:_LONGEST]) + (f"… {more:,} more characters" if more > 0 else ""))


def _visible(text: str) -> str:
    """Write what would move the cursor, or colour the terminal, as an escape of JSON's kind."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _texts(column: pa.Array) -> Texts:
    """Give the values of a column as texts, None for null."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _texts(column.dictionary_decode())
    if pa.types.is_decimal(kind):
        return _each(_decimal, column.cast(pa.string()).to_pylist())
    if pa.types.is_timestamp(kind):
        return _times(column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return list(column.to_pylist())
    return _each(_text_of, column.to_pylist())


def _json_texts(column: pa.Array) -> list[str]:
    """Give the values of a column as JSON; what JSON has no kind for is a string."""
    texts = _texts(column)
    bare = _is_number(column.type) or pa.types.is_boolean(column.type) or _is_nested(column.type)
    return ["null" if t is None else t if bare and _is_json(t) else _string(t) for t in texts]


def _is_nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind))


def _is_json(text: str) -> bool:
    """Tell numbers from those that only SQL has: NaN and the infinities."""
    return text not in {"nan", "inf", "-inf"}


def _each(make: Callable[[Any], str], values: Iterable[Any]) -> Texts:
    return [None if value is None else make(value) for value in values]


def _decimal(text: str) -> str:
    """Write all digits, without an exponent and without zeros at the end that say nothing."""
    digits = format(Decimal(text), "f") if "E" in text else text
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _times(column: pa.Array) -> Texts:
    """RFC 3339 with Z; a TIMESTAMP without a zone gets none. Years are not bound to 1 … 9999."""
    zone = "Z" if column.type.tz else ""
    naive = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.timestamp("us"))
    texts = np.datetime_as_string(naive.to_numpy(zero_copy_only=False)).tolist()
    return [_NO_TIMES.get(text, text.removesuffix(".000000") + zone) for text in texts]


def _text_of(value: Any) -> str:
    if isinstance(value, bool | list | dict):
        return _nested(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, pa.MonthDayNano):
        return _interval(value)
    return str(value)


def _interval(value: pa.MonthDayNano) -> str:
    """Write a length of time as DuckDB does: months, days, hours:minutes:seconds."""
    parts = [f"{value.months} months"] if value.months else []
    parts += [f"{value.days} days"] if value.days else []
    seconds, nanoseconds = divmod(abs(value.nanoseconds), 10**9)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    fraction = f".{nanoseconds // 1000:06}".removesuffix(".000000")
    sign = "-" if value.nanoseconds < 0 else ""
    return " ".join([*parts, f"{sign}{clock}{fraction}"])


def _nested(value: Any) -> str:
    """Write a value, also one inside a list or struct, as JSON."""
    return _NESTED.get(type(value), _other)(value)


def _other(value: Any) -> str:
    return _string(_text_of(value))


def _object(value: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{_string(key)}: {_nested(each)}" for key, each in value.items()) + "}"


def _array(value: Iterable[Any]) -> str:
    return "[" + ", ".join(map(_nested, value)) + "]"


def _moment(value: datetime | date | time) -> str:
    return _string(value.isoformat().replace("+00:00", "Z"))


_NESTED: dict[type, Callable[[Any], str]] = {
    type(None): json.dumps,
    bool: json.dumps,
    int: str,
    float: lambda value: repr(value) if math.isfinite(value) else _string(repr(value)),
    Decimal: lambda value: _decimal(format(value, "f")),
    dict: _object,
    list: _array,
    tuple: _array,
    datetime: _moment,
    date: _moment,
    time: _moment,
}
