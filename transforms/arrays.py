"""Arrow arrays as numpy sees them, and back."""

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds

from transforms.tables import TIME

_SHORT = 64


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def times(at: np.ndarray) -> pa.Array:
    """Microseconds as a timestamp column."""
    return pa.array(at, pa.int64()).view(TIME)


def micros(column: pa.Array) -> np.ndarray:
    """A column of 64 bits without nulls as int64: times as microseconds."""
    if not len(column):
        return np.zeros(0, np.int64)
    return np.frombuffer(column.buffers()[1], np.int64, len(column), 8 * column.offset)


def floored(at: np.ndarray, width: int) -> np.ndarray:
    """Numbers cut down to multiples of a width: of times, where their windows begin."""
    start: np.ndarray = at - np.mod(at, width)
    return start


def text_parts(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Where the texts of an array begin, and end, in some bytes; and those bytes."""
    wide = kinds.is_large_string(texts.type) or kinds.is_large_binary(texts.type)
    size = np.int64 if wide else np.int32
    if not len(texts):
        return np.zeros(1, size), np.zeros(0, np.uint8)
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, size)
    chars = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return bounds[texts.offset : texts.offset + len(texts) + 1], chars


def cut_texts(data: bytes | np.ndarray, begins: np.ndarray, ends: np.ndarray) -> pa.StringArray:
    """Texts that stand in some bytes (less than 2 GiB), one after the other. They must be UTF-8."""
    lengths = ends - begins
    length = int(lengths[0]) if len(lengths) else 0
    if 0 < length <= _SHORT and (lengths == length).all():
        # an item of bytes can be at any byte: nothing is copied but what is taken
        items = np.ndarray(len(data) - length + 1, f"V{length}", data, strides=(1,))
        offsets = np.arange(0, length * (len(begins) + 1), length, dtype=np.int32)
        return pa.StringArray.from_buffers(
            len(begins), pa.py_buffer(offsets), pa.py_buffer(items[begins])
        )
    # the bytes as texts and what stands between them, by turns; then every second is taken
    offsets = np.empty(2 * len(begins), np.int32)
    offsets[0::2], offsets[1::2] = begins, ends
    pieces = pa.StringArray.from_buffers(
        max(2 * len(begins) - 1, 0), pa.py_buffer(offsets), pa.py_buffer(data)
    )
    return pieces.take(pa.array(np.arange(0, 2 * len(begins), 2)))


def with_nulls(texts: pa.StringArray, present: np.ndarray) -> pa.StringArray:
    """Texts of the rows that have one (a mask), which are all of them, and null for the others."""
    if len(texts) == len(present):
        return texts
    # a row begins where those before it that have a text end
    _, bounds, data = texts.buffers()
    ends = np.frombuffer(bounds, np.int32)[texts.offset :]
    offsets = ends[np.append(0, np.cumsum(present))]
    valid = pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.StringArray.from_buffers(len(present), pa.py_buffer(offsets), data, valid)
