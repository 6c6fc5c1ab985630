"""The micro-batches that a stream gave out before: from their files, else from its tables."""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.inputs.block import Block
from pipelines.inputs.tail_file import ShortFileError, TailFile, read_range
from pipelines.journal import Entry, Journal
from pipelines.problems import UserError
from pipelines.stored_batches import StoredBatches, lost


class EarlierBatches:
    """Batches of a journal, `len` of them from before it was opened.

    A file is taken to be what it was if it still has the last batch that was read of it; else all
    that was read of it comes from the tables. files: how far each was read, by path, for who goes
    on with it. Raises as `StoredBatches` does.
    """

    def __init__(self, journal: Journal, out: Path, run_id: str) -> None:
        self._journal = journal
        self._length = len(journal)
        self.files: dict[str, TailFile] = {}
        paths = journal.columns()["path"]
        gone = [path for path, number in _last_batches(paths) if not self._goes_on(number)]
        self._gone = np.isin(paths, gone)
        self._stored = StoredBatches(out, run_id, journal, np.flatnonzero(self._gone))

    def __len__(self) -> int:
        return self._length

    def block(self, number: int) -> Block:
        """The records of a batch, maybe of one that was appended since."""
        entry = self._journal.entry(number)
        earlier = number < self._length
        block = None if earlier and self._gone[number] else _read(entry)
        if block is not None:
            return replace(block, archived=earlier and bool(self._stored.archived[number]))
        if earlier:
            return self._stored.block(number)
        raise UserError(lost(entry))

    def _goes_on(self, number: int) -> bool:
        """Whether a file still has its last batch."""
        entry = self._journal.entry(number)
        block = _read(entry)
        file = self.files[entry.path] = TailFile(entry.path, identity=(0, 0))
        file.begin_batch(entry.end, None if block is None else block.data)
        return block is not None


def _last_batches(paths: np.ndarray) -> Iterator[tuple[int, int]]:
    """The number of the last batch of each path."""
    found, back = np.unique(paths[::-1], return_index=True)
    return zip(found.tolist(), (len(paths) - 1 - back).tolist(), strict=True)


def _read(entry: Entry) -> Block | None:
    """What the file has where a batch was; None if that is something else."""
    try:
        block = read_range(entry.path, entry.start, entry.end)
    except (ShortFileError, OSError):
        return None
    return block if content_of(block) == entry.content else None


def content_of(block: Block) -> int:
    """The CRC-32 by which a batch is known."""
    return zlib.crc32(b"".join((block.data, *(first for _, first in block.oversized))))
