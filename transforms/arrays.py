"""Arrow arrays as numpy sees them, and back."""

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds

from transforms.tables import TIME


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
