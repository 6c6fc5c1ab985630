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

State keeps 37 of the bits (transforms/sorted_keys.py), and two contents that share them take about
400,000 tries to find; whoever does can only have an event of their own counted as a repeat instead
of a conflict.
"""

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import md5
from itertools import accumulate, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import micros
from transforms.slots import Slot, Slots

_TEXT, _TIME, _NUMBER = 16, 8, 17
_NO_TEXT = bytes(_TEXT)
_MANY_TEXTS, _SHORT = 1 << 14, 256


@dataclass
class ContentDigests:
    """Gives the digests of readings. Short texts that were hashed lately are not hashed again.

    Holds 16,384 of them, of at most 256 characters.
    """

    slots: Slots
    _texts: dict[str, bytes] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, readings: pa.RecordBatch) -> np.ndarray:
        """The digest of each row, as uint64."""
        rows = self._rows(readings)
        width, data = rows.shape[1], rows.tobytes()
        digests = b"".join(
            [
                md5(data[at : at + width], usedforsecurity=False).digest()
                for at in range(0, len(data), width)
            ]
        )
        halves: np.ndarray = np.frombuffer(digests, ">u8")[::2].astype(np.uint64)
        return halves

    def _rows(self, readings: pa.RecordBatch) -> np.ndarray:
        """The parts of each reading side by side, as a table of bytes."""
        types = readings.column("event_type")
        rows = np.zeros((len(types), self._width), np.uint8)
        self._put_texts(rows[:, :16], types)
        self._put_texts(rows[:, 16:32], readings.column("customer_id"))
        times = micros(readings.column("event_time"))
        rows[:, 32:40] = times.astype("<i8", copy=False).view(np.uint8).reshape(-1, _TIME)
        odd = readings.column("odd")
        if odd.null_count < len(odd):
            self._put_texts(rows[:, 40:56], odd.dictionary_encode())
        names = types.dictionary.to_pylist()
        for slot, at in self._slots:
            read = [slot.name in self.slots.read_by(name) for name in names]
            if any(read):
                part, column = rows[:, at], readings.column(slot.name)
                (_put_numbers if slot.kind == "number" else self._put_texts)(part, column)
                if not all(read):
                    # what is not read is zeros, which is no value: the type in the row says so
                    part *= np.array(read)[types.indices.to_numpy()][:, None]
        return rows

    @cached_property
    def _slots(self) -> list[tuple[Slot, slice]]:
        """Where the part of each slot is in a row."""
        ends = accumulate(
            (_NUMBER if slot.kind == "number" else _TEXT for slot in self.slots.slots),
            initial=3 * _TEXT + _TIME,
        )
        pairs = pairwise(ends)
        return [(slot, slice(*at)) for slot, at in zip(self.slots.slots, pairs, strict=True)]

    @property
    def _width(self) -> int:
        return self._slots[-1][1].stop if self._slots else 3 * _TEXT + _TIME

    def _put_texts(self, part: np.ndarray, column: pa.DictionaryArray) -> None:
        """The MD5 of each row's text."""
        known, texts = self._texts, column.dictionary.to_pylist()
        digests = [known.get(text) or self._hashed(text) for text in texts]
        if len(digests) == 1 and not column.null_count:
            part[:] = np.frombuffer(digests[0], np.uint8)
            return
        indexes = column.indices
        if indexes.null_count:
            indexes = pc.fill_null(indexes, len(digests))
        table = np.frombuffer(b"".join([*digests, _NO_TEXT]), np.uint8).reshape(-1, _TEXT)
        part[:] = table.take(indexes.to_numpy(), axis=0)

    def _hashed(self, text: str) -> bytes:
        if len(self._texts) >= _MANY_TEXTS:
            self._texts.clear()
        digest = md5(text.encode(), usedforsecurity=False).digest()
        if len(text) <= _SHORT:
            self._texts[text] = digest
        return digest


def _put_numbers(part: np.ndarray, column: pa.Array) -> None:
    """Whether there is a number, and its 16 bytes as Arrow keeps them: lowest first."""
    if not len(column):
        return
    held = np.frombuffer(column.buffers()[1], np.uint8, 16 * len(column), 16 * column.offset)
    part[:, 0] = 1
    part[:, 1:] = held.reshape(-1, 16)
    if column.null_count:
        part *= column.is_valid().to_numpy(zero_copy_only=False)[:, None]
