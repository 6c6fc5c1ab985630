"""A block: the records that one step reads at a time, whatever kind of file they came from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from transforms.arrays import text_parts
from transforms.row_lines import Rows

LARGEST_RECORD = 1024 * 1024
"""Bytes of the largest record that is read, without its line end."""

KEPT_OF_OVERSIZED = 64 * 1024
"""How many bytes of a larger one are kept, its first."""

WHITE_SPACE = b" \t\r\n"
"""JSON's white space: a line of nothing else is no record."""


class InputReadError(Exception):
    """An input cannot be read, or not to its end; the text names it and says why."""


@dataclass(frozen=True, eq=False)
class Block:
    r"""Some records of one file, or of one source of an archive.

    path: the file (or the archive), as origins name it.
    data: NDJSON: whole records, each ended by `\n`, the last of a file maybe not. Of a line file
        these are the file's own bytes, with `\r\n` and blank lines as they are.
    start: of a line file, where `data` begins: a byte offset in the decompressed file.
    offsets: of other files, for each line of `data` where its record stands (int64): the byte
        offset of a CSV row in the decompressed file, the number of a Parquet row.
    malformed: indexes of lines that are no JSON record, whatever they look like.
    oversized: offset and first 64 KiB of each record of over 1 MiB; none of them is in `data`.
    source, origins, arrivals: of an archive: the catalog's name for the source of all records, and
        for each line of `data` its origin and its arrival (int64 microseconds since the epoch).
    clock_us: of a stream, when the block was read (µs): the arrival of records that bring none, and
        what is in the future. None: the clock is the start of the run.
    published: of messages, for each line when the service took it in (int64 µs): the arrival of
        records that bring none.
    rates: the version of the rates that hold for its events. None: the run has but one.
    archived: whether its events are in the table already, and are not to be written again.
    rows: of a block of rows, see pipelines/inputs/row_block.py; `data` is made of them when asked.
    """

    path: str
    data: bytes
    start: int = 0
    offsets: np.ndarray | None = None
    malformed: frozenset[int] = frozenset()
    oversized: tuple[tuple[int, bytes], ...] = ()
    source: str | None = None
    origins: pa.StringArray | None = None
    arrivals: np.ndarray | None = None
    clock_us: int | None = None
    published: np.ndarray | None = None
    rates: str | None = None
    archived: bool = False
    rows: Rows | None = None

    @property
    def size(self) -> int:
        """About how many bytes its records have."""
        return len(self.data)

    def plain(self) -> "Block":
        """The same block with the text of its records, where it had but their columns."""
        return self


@dataclass(frozen=True, eq=False)
class Records:
    r"""Records made from rows.

    lines: large_binary, without nulls, each a line of JSON and its `\n`; `offsets` (int64) and
    `malformed` (bool) as in `Block`, one for each.
    """

    lines: pa.LargeBinaryArray
    offsets: np.ndarray
    malformed: np.ndarray


class BlockBuilder:
    """Gathers the records of rows into blocks of about `block_bytes`.

    Holds one block, and what is added to it last.
    """

    def __init__(self, path: str, block_bytes: int) -> None:
        self.path, self.block_bytes = path, block_bytes
        self._clear()

    def _clear(self) -> None:
        self._data: list[memoryview] = []
        self._size = 0
        self._offsets: list[np.ndarray] = []
        self._malformed: list[np.ndarray] = []
        self._oversized: list[tuple[int, bytes]] = []

    def add(self, records: Records) -> Iterator[Block]:
        """Take records in; gives a block when one is full."""
        if not len(records.lines):
            return
        kept = self._without_oversized(records)
        _, data = byte_parts(kept.lines)
        self._data.append(data.data)
        self._size += len(data)
        self._offsets.append(kept.offsets)
        self._malformed.append(kept.malformed)
        yield from self._if_full()

    def add_oversized(self, offset: int, first: bytes) -> Iterator[Block]:
        """Take in the first bytes of a record that is too large; gives a block when one is full."""
        self._oversized.append((offset, first))
        yield from self._if_full()

    def _if_full(self) -> Iterator[Block]:
        oversized = sum(len(first) for _, first in self._oversized)
        if self._size + oversized >= self.block_bytes:
            yield from self.finish()

    def finish(self) -> Iterator[Block]:
        """The block gathered so far, if there is anything in it."""
        if not self._size and not self._oversized:
            return
        # an empty array in front: there may be oversized records only
        offsets = np.concatenate([np.zeros(0, np.int64), *self._offsets])
        malformed = np.concatenate([np.zeros(0, bool), *self._malformed])
        block = Block(
            self.path,
            b"".join(self._data),
            offsets=offsets,
            malformed=frozenset(np.flatnonzero(malformed).tolist()),
            oversized=tuple(self._oversized),
        )
        self._clear()
        yield block

    def _without_oversized(self, records: Records) -> Records:
        ends, _ = byte_parts(records.lines)
        too_large = np.diff(ends) > LARGEST_RECORD + 1
        if not too_large.any():
            return records
        for i in np.flatnonzero(too_large):
            first = records.lines[int(i)].as_buffer().slice(0, KEPT_OF_OVERSIZED)
            self._oversized.append((int(records.offsets[i]), first.to_pybytes()))
        kept = records.lines.filter(pa.array(~too_large))
        return Records(kept, records.offsets[~too_large], records.malformed[~too_large])


def may_be_oversized(most_bytes: int) -> bool:
    """Whether a record of at most so many bytes may be over the limit."""
    return most_bytes > LARGEST_RECORD


def byte_parts(texts: pa.LargeBinaryArray) -> tuple[np.ndarray, np.ndarray]:
    """Where the texts of an array end in its bytes (int64, led by their start), and those bytes."""
    bounds, chars = text_parts(texts)
    return bounds, chars[bounds[0] : bounds[-1]]
