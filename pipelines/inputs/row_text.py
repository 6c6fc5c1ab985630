"""Rows of typed columns as records: the JSON object of the columns, in their order."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.inputs.block import Records
from pipelines.inputs.json_columns import (
    HOLDS_JSON,
    Part,
    embedded_texts,
    joined,
    json_string,
    not_json,
)
from pipelines.inputs.json_values import as_text, is_text, plain, value_parts


def records(batch: pa.RecordBatch, offsets: np.ndarray) -> Records:
    """Rows as lines, which stand at `offsets` of their file; columns that hold JSON are embedded.

    Raises ArrowNotImplementedError for a column of a type that JSON has no value for.
    """
    malformed = np.zeros(len(batch), bool)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if holds_json(name, column.type):
            malformed |= not_json(as_text(plain(column)))
    names = [name.encode() for name in batch.schema.names]
    return Records(row_texts(names, batch.columns, len(batch), b"}\n"), offsets, malformed)


def row_texts(
    names: Sequence[bytes], columns: Sequence[pa.Array], rows: int, end: bytes
) -> pa.LargeBinaryArray:
    """The object of each row, closed by `end`."""
    parts: list[Part] = []
    for name, column in zip(names, columns, strict=True):
        parts += [b"," if parts else b"{", json_string(name), b":"]
        values = plain(column)
        if name in HOLDS_JSON and is_text(values.type):
            parts.append(embedded_texts(as_text(values)))
        else:
            parts += value_parts(values)
    return joined([*(parts or [b"{"]), end], rows)


def holds_json(name: str, kind: pa.DataType) -> bool:
    """Whether the cells of a column hold JSON text."""
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    return name.encode() in HOLDS_JSON and is_text(kind)
