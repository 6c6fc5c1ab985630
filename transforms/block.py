"""A block: records as they came, and where each of them stood."""

from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.lines import Lines


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


class Places:
    """The lines of a block, and the origin of each: full path and byte offset, or message id."""

    def __init__(self, block: Block) -> None:
        self.block = block
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

    def arrivals(self, line: np.ndarray, recorded: np.ndarray) -> np.ndarray:
        """When the records of some lines arrived (µs): as their archive says, else as recorded."""
        if self.block.arrivals is None:
            return recorded
        return self.block.arrivals[self.lines.numbers[line]]


def split_origin(origin: str) -> tuple[str, int]:
    """An origin as path and byte offset; a message id has none (-1)."""
    path, _, offset = origin.rpartition(":")
    return (path, int(offset)) if path and offset.isdecimal() else (origin, -1)
