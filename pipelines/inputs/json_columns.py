"""JSON made of whole columns: literal text and columns of text, joined row by row.

Columns of text are large_binary, whose bytes need not be UTF-8: that is for the validator to see.
"""

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.inputs.block import byte_parts

TEXT = pa.large_binary()
NULL = pa.scalar(b"null", TEXT)

Part: TypeAlias = bytes | pa.LargeBinaryArray
"""A text that is the same in each row, or a column of texts."""

HOLDS_JSON = frozenset({b"properties", b"metadata", b"data"})
"""Columns of text whose cells hold JSON text."""

_ESCAPES = {byte: b"\\u%04x" % byte for byte in range(0x20)} | {
    0x08: b"\\b",
    0x09: b"\\t",
    0x0A: b"\\n",
    0x0C: b"\\f",
    0x0D: b"\\r",
    0x22: b'\\"',
    0x5C: b"\\\\",
}
_SPECIAL = np.isin(np.arange(256), list(_ESCAPES))
_SPECIAL_BYTE = re.compile(rb'[\x00-\x1f"\\]')
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
# a Raw is looked through as strictly as anything, but nothing is made of it
_read_value = msgspec.json.Decoder(msgspec.Raw).decode


def joined(parts: Sequence[Part], rows: int) -> pa.LargeBinaryArray:
    """The parts one after the other, row by row; null where one of them is."""
    columns: list[Any] = []
    literal = b""
    for part in parts:
        if isinstance(part, bytes):
            literal += part
            continue
        columns += [pa.scalar(literal, TEXT), part] if literal else [part]
        literal = b""
    columns += [pa.scalar(literal, TEXT)] if literal or not columns else []
    if len(columns) == 1:
        alone = columns[0]
        return alone if isinstance(alone, pa.Array) else pa.repeat(alone, rows)
    return pc.binary_join_element_wise(*columns, pa.scalar(b"", TEXT))


def string_parts(texts: pa.LargeBinaryArray) -> list[Part]:
    """Texts as JSON strings; null stays null."""
    return [b'"', escaped(texts), b'"']


def escaped(texts: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """Texts with what may not stand in a JSON string replaced by its escape."""
    _, data = byte_parts(texts)
    # the backslash first, for it is in all escapes
    for byte in sorted(
        np.unique(data[_SPECIAL[data]]).tolist(), key=lambda byte: byte != ord("\\")
    ):
        texts = pc.replace_substring(texts, bytes([byte]), _ESCAPES[byte])
    return texts


def json_string(text: bytes) -> bytes:
    """One text as a JSON string, the same as `string_parts` makes of it."""
    if _SPECIAL_BYTE.search(text):
        text = _SPECIAL_BYTE.sub(lambda found: _ESCAPES[found[0][0]], text)
    return b'"' + text + b'"'


def embedded_texts(cells: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """Cells that hold JSON text, as it stands in a line: `null` for none.

    What is no JSON stays as it is, but on one line: see `not_json`.
    """
    lengths = pc.fill_null(pc.binary_length(cells), 0)
    texts = cells
    if cells.null_count or pc.min(lengths).as_py() == 0:
        texts = pc.if_else(pc.greater(lengths, 0), cells, NULL)
    _, data = byte_parts(texts)
    for byte in (b"\n", b"\r"):
        if (data == byte[0]).any():
            texts = pc.replace_substring(texts, byte, b" ")
    return texts


def not_json(cells: pa.LargeBinaryArray) -> np.ndarray:
    """Which cells do not hold one JSON value, or nothing."""
    return np.array([bool(cell) and not is_one_value(cell) for cell in cells.to_pylist()], bool)


def is_one_value(text: bytes) -> bool:
    """Whether a text is one JSON value, so that no more than that is embedded with it.

    Whether its bytes are UTF-8, its fields differ and its levels are not too many is left open.
    """
    try:
        _read_value(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def one_line(text: bytes) -> bytes:
    """A text with each character that ends a line replaced by a space.

    In JSON that changes nothing: there such a character is white space wherever it may stand.
    """
    return text.translate(_ONE_LINE)
