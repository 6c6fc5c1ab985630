"""A block of bytes as lines: where each record begins and ends, and which look strange."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from transforms.arrays import cut_texts

NEWLINE, RETURN, OPEN, CLOSE = 10, 13, 123, 125
_BLANK = 32
_FEW = 16


@dataclass(frozen=True)
class Lines:
    """The records of a block: `starts` and `ends` (int64) into `data`, without their line ends.

    Lines of white space only are not among them; `numbers` counts all lines of the data from 0,
    those too.
    """

    data: bytes
    starts: np.ndarray
    ends: np.ndarray
    numbers: np.ndarray

    @classmethod
    def of(cls, data: bytes) -> "Lines":
        """The lines of a block; the last may be without a newline."""
        chars = np.frombuffer(data, np.uint8)
        newlines = np.flatnonzero(chars == NEWLINE)
        tail = [] if not len(data) or data.endswith(b"\n") else [len(data)]
        ends = np.concatenate([newlines, np.array(tail, np.int64)])
        starts = np.concatenate([np.zeros(1, np.int64), newlines + 1])[: len(ends)]
        full = ends > starts
        returned = np.zeros(len(ends), bool)
        # a lone \r at the end of the data is no line end
        closed = np.arange(len(ends)) < len(newlines)
        returned[full & closed] = chars[ends[full & closed] - 1] == RETURN
        ends = ends - returned
        blank = ends == starts
        for i in np.flatnonzero(~blank & (_first(chars, starts, ends) <= _BLANK)):
            blank[i] = not data[starts[i] : ends[i]].strip(b" \t\r")
        return cls(data, starts[~blank], ends[~blank], np.flatnonzero(~blank))

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, i: int) -> bytes:
        return self.data[self.starts[i] : self.ends[i]]

    def strange(self) -> np.ndarray:
        """Which lines pyarrow's reader must not see.

        It would read two objects on a line as two rows, one object on two lines as one, skip a byte
        order mark, and crash on a bare null. All that is left begins with `{` and ends with `}`.
        Within one object a `{` never follows a `}`, so none of them reaches into the next line; and
        then as many rows as lines means a row each.
        """
        chars = np.frombuffer(self.data, np.uint8)
        strange = _first(chars, self.starts, self.ends) != OPEN
        for i in np.flatnonzero(chars[self.ends - 1] != CLOSE).tolist():
            strange[i] |= not self[i].endswith((b"} ", b"}\t", b"}\r"))
        return strange

    def valid_utf8(self) -> np.ndarray:
        """Which lines are UTF-8."""
        valid = np.ones(len(self), bool)
        if self.data.isascii():
            return valid
        data = pa.py_buffer(self.data)
        pending = [(0, len(self))]  # lines in a row
        while pending:
            first, last = pending.pop()
            if last - first <= _FEW:
                valid[first:last] = [is_utf8(self[i]) for i in range(first, last)]
                continue
            start, end = int(self.starts[first]), int(self.ends[last - 1])
            if not _all_utf8(data.slice(start, end - start)):
                middle = (first + last) // 2
                pending += [(first, middle), (middle, last)]
        return valid

    def buffer(self, chosen: np.ndarray) -> pa.Buffer:
        """The chosen lines (indexes, in order) with only white space between them.

        Nothing is copied of neighbours.
        """
        breaks = np.flatnonzero(np.diff(chosen) != 1)
        firsts, lasts = chosen[np.append(0, breaks + 1)], chosen[np.append(breaks, -1)]
        starts, ends = self.starts[firsts].tolist(), self.ends[lasts].tolist()
        if len(starts) == 1:
            return pa.py_buffer(self.data).slice(starts[0], ends[0] - starts[0])
        runs = zip(starts, ends, strict=True)
        return pa.py_buffer(b"\n".join([self.data[start:end] for start, end in runs]))

    def texts(self, chosen: np.ndarray) -> pa.StringArray:
        """The chosen lines (indexes, in order) as a column, byte for byte. They must be UTF-8."""
        return cut_texts(self.data, self.starts[chosen], self.ends[chosen])


def _first(chars: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The first byte of each line; a newline's for an empty one."""
    if not len(chars):
        return np.zeros(0, np.uint8)
    return np.where(ends > starts, chars[np.minimum(starts, len(chars) - 1)], NEWLINE)


def is_utf8(text: bytes) -> bool:
    """Whether a text is UTF-8."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _all_utf8(text: pa.Buffer) -> bool:
    """The same of a long one: Arrow is ten times as fast, and without the interpreter's lock."""
    bounds = pa.py_buffer(np.array([0, text.size], np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, bounds, text).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
