"""A block: records as they came, and where each of them stood."""

from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.lines import Lines
from transforms.row_lines import RowLines, Rows


class Block(Protocol):
    """Records as they came: see pipelines/inputs/block.py for what each field means."""

    path: str
    data: bytes
    start: int
    offsets: np.ndarray | None
    malformed: frozenset[int]
    oversized: tuple[tuple[int, bytes], ...]
    source: str | None
    origins: pa.StringArray | None
    arrivals: np.ndarray | None
    clock_us: int | None
    published: np.ndarray | None
    rates: str | None
    archived: bool
    rows: Rows | None

    def plain(self) -> "Block":
        """The same block with the text of its records, where it had but their columns."""


class Places:
    """The lines of a block, and the origin of each: full path and byte offset, or message id.

    `clock_us` is now: when a stream read the block, or `started_us`, the start of a batch run.
    """

    def __init__(self, block: Block, started_us: int) -> None:
        self.block = block
        self.clock_us = started_us if block.clock_us is None else block.clock_us
        rows = block.rows
        if rows is not None and rows.columns() is not None:
            self.lines: Lines | RowLines = RowLines(rows)
            self.malformed = np.zeros(len(rows), bool)
            self._offsets = rows.offsets
            return
        self.lines = Lines.of(block.data)
        self.malformed = np.isin(self.lines.numbers, list(block.malformed))
        self._offsets = (
            block.start + self.lines.starts
            if block.offsets is None
            else block.offsets[self.lines.numbers]
        )

    def origins(self, line: np.ndarray) -> pa.Array:
        """The column `origin` of some lines."""
        if self.block.origins is not None:
            return self.block.origins.take(pa.array(self.lines.numbers[line]))
        offsets = pa.array(self._offsets[line]).cast(pa.string())
        return pc.binary_join_element_wise(self.block.path, offsets, ":")

    def split(self, line: np.ndarray) -> tuple[pa.Array, pa.Array]:
        """The same as the columns `path` and `offset` of readings."""
        if self.block.origins is None:
            indexes = pa.array(np.zeros(len(line), np.int32))
            paths = pa.DictionaryArray.from_arrays(indexes, pa.array([self.block.path]))
            return paths, pa.array(self._offsets[line].astype(np.int64))
        places = [split_origin(origin) for origin in self.origins(line).to_pylist()]
        paths = pa.array([path for path, _ in places], pa.string()).dictionary_encode()
        return paths, pa.array([offset for _, offset in places], pa.int64())

    def arrivals(self, line: np.ndarray, recorded: pa.Array) -> np.ndarray:
        """When the records of some lines arrived (µs).

        That is as their archive says; else as `recorded` (null where a record brings no arrival);
        else when the service took the message in; else by the clock.
        """
        at = self.lines.numbers[line]
        if self.block.arrivals is not None:
            return self.block.arrivals[at]
        published = self.block.published
        clock = np.full(len(at), self.clock_us) if published is None else published[at]
        return pc.if_else(pc.is_valid(recorded), recorded, pa.array(clock, pa.int64())).to_numpy()


def split_origin(origin: str) -> tuple[str, int]:
    """An origin as path and byte offset; a message id has none (-1)."""
    path, _, offset = origin.rpartition(":")
    return (path, int(offset)) if path and offset.isdecimal() else (origin, -1)
