"""What an event says, in 64 bits: two readings say the same if their digests are equal.

What counts is customer, event type, event time, `odd`, and the slots that meters of its type read.
A state which outlives its worker keeps the digest in their place, so it is made of MD5, which is
the same on every machine and in every version: of a row in which each part has its own fixed place,
so that different parts never make one row.

| part | bytes |
|---|---|
| text | 16: its MD5; zeros where there is none |
| time | 8: microseconds |
| number | 17: whether there is one, and its digits as a whole number of 10^-18 |

Two contents of one digest take 2^32 tries to find; whoever does can only have an event of their
own counted as a repeat instead of a conflict.
"""

from hashlib import md5

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.readings import micros
from transforms.slots import Slots

_NO_TEXT = bytes(16)


def content_digests(readings: pa.RecordBatch, slots: Slots) -> np.ndarray:
    """The digest of each row, as uint64."""
    rows = _rows(readings, slots)
    width = rows.shape[1]
    data = rows.tobytes()
    starts = range(0, len(data), width)
    digests = b"".join(
        [md5(data[at : at + width], usedforsecurity=False).digest() for at in starts]
    )
    halves: np.ndarray = np.frombuffer(digests, ">u8")[::2].astype(np.uint64)
    return halves


def _rows(readings: pa.RecordBatch, slots: Slots) -> np.ndarray:
    """The parts of each reading side by side, as a table of bytes."""
    types = readings.column("event_type")
    parts = [
        _texts(types),
        _texts(readings.column("customer_id")),
        micros(readings.column("event_time")).astype("<i8").view(np.uint8).reshape(-1, 8),
        _texts(readings.column("odd").dictionary_encode()),
    ]
    names = types.dictionary.to_pylist()
    for slot in slots.slots:
        part = np.zeros((len(types), 17 if slot.kind == "number" else 16), np.uint8)
        read = [slot.name in slots.read_by(name) for name in names]
        if any(read):
            column = readings.column(slot.name)
            part = _numbers(column) if slot.kind == "number" else _texts(column)
        if any(read) and not all(read):
            # what is not read is zeros, which is no value: the type in the row says so
            part = part * np.array(read)[types.indices.to_numpy()][:, None]
        parts.append(part)
    return np.concatenate(parts, axis=1)


def _texts(column: pa.DictionaryArray) -> np.ndarray:
    """The MD5 of each row's text: each text is hashed but once."""
    texts = column.dictionary.to_pylist()
    digests = [md5(text.encode(), usedforsecurity=False).digest() for text in texts]
    table = np.frombuffer(b"".join([*digests, _NO_TEXT]), np.uint8).reshape(-1, 16)
    indexes = column.indices
    if indexes.null_count:
        indexes = pc.fill_null(indexes, len(texts))
    digest_of_row: np.ndarray = table[indexes.to_numpy()]
    return digest_of_row


def _numbers(column: pa.Array) -> np.ndarray:
    """Whether there is a number, and its 16 bytes as Arrow keeps them: lowest first."""
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    held = np.frombuffer(column.buffers()[1], np.uint8, 16 * len(column), 16 * column.offset)
    numbers = np.zeros((len(column), 17), np.uint8)
    numbers[:, 0] = valid
    numbers[:, 1:] = held.reshape(-1, 16) * valid[:, None]
    return numbers
