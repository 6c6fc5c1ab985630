r"""Growing NDJSON files of some folders, in micro-batches, until each folder has a file `_END`.

Files are known by their path: a record is named by it and its offset, so a path is never begun
anew. A line counts once its `\n` is there; in a folder with `_END`, the last line of a file too.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipelines.inputs.arrivals import Arrivals
from pipelines.inputs.block import Block
from pipelines.inputs.tail_file import LONGEST_BATCH, ShortFileError, TailFile, read_range
from pipelines.inputs.tail_turns import TailTurns
from pipelines.inputs.tail_watch import Moment, TailWatch


class Fresh(NamedTuple):
    """A batch that was never given out, and the offset of its end.

    first_us, last_us: when its first and last records arrived, and held_us: when the earliest of
    what is read next did; None where that is not known.
    """

    block: Block
    end: int
    first_us: int | None
    last_us: int | None
    held_us: int | None


class TailFolders:
    """Micro-batches of files that grow, formed by size and time.

    A batch is whole lines of one file: given out when it has `batch_lines` or 8 MiB, or `batch_us`
    after its first line was seen, or when it is the end of a backlog. Of several, that of the file
    comes first whose last record arrived first, then whose turn is the longest ago. `left` and
    `report` as in `TailWatch`. Holds one batch.
    """

    def __init__(
        self,
        folders: Sequence[str],
        *,
        batch_lines: int,
        batch_us: int,
        arrivals: Arrivals,
        left: dict[str, TailFile],
        report: Callable[[str], None],
    ) -> None:
        self.watch = TailWatch(folders, left, report)
        self._batch_lines = batch_lines
        self._arrivals = arrivals
        self._turns = TailTurns(batch_us)
        self._turn = 0
        self._closing = False
        self.behind = False  # whether the last batch was full

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more."""
        return not self._turns and (self._closing or self.watch.ended)

    @property
    def idle(self) -> bool:
        """Whether there is no whole line that was not given out."""
        return not self._turns

    @property
    def behind_bytes(self) -> int:
        """Bytes of files with whole lines that were not given out. Any thread may ask."""
        return sum(file.size - file.given for file in self._turns)

    def close(self) -> None:
        """Look no more: what was seen is given out, but no backlog of over 8 MiB; then it ends."""
        self._closing = True
        for file in self._turns:
            if file.size - file.given > LONGEST_BATCH:
                self._turns.drop(file)
        self._turns.hurry()

    def poll(self, now: Moment) -> None:
        """See what came, and what is gone."""
        if not self._closing:
            for file in self.watch.poll(now):
                self._notice(file, now)

    def take(self, now: Moment) -> Fresh | None:
        """Give out a batch, if one is ready."""
        while (file := self._next(now)) is not None:
            fresh = self._read(file, now)
            if fresh is not None:
                return fresh
        return None

    def _notice(self, file: TailFile, now: Moment) -> None:
        """Give a file its turn if it has lines."""
        known = file in self._turns
        if not self._extend(file, whole_batch=known):
            return
        if not file.unread:
            self._turns.drop(file)
            return
        if not known:
            file.seen_us = now.steady_us
            if self._arrivals.recorded and file.arrival_us is None and not self._peek(file, now):
                return
        self._turns.put(file)

    def _peek(self, file: TailFile, now: Moment) -> bool:
        """Look when the first of the lines arrived; whether the file can be read."""
        try:
            file.arrival_us = self._arrivals.first(file.first_lines(), now.clock_us)
        except OSError as error:
            self._unreadable(file, error)
            return False
        return True

    def _extend(self, file: TailFile, *, whole_batch: bool) -> bool:
        """Go on with the batch in the making; whether the file can be read."""
        try:
            file.extend(self._batch_lines, whole_batch=whole_batch)
        except (ShortFileError, OSError) as error:
            self._unreadable(file, error)
            return False
        return True

    def _unreadable(self, file: TailFile, error: Exception) -> None:
        self._turns.drop(file)
        self.watch.unreadable(file, error)

    def _next(self, now: Moment) -> TailFile | None:
        """The file whose turn it is, with a batch that is whole."""
        while (file := self._turns.pop(now)) is not None:
            if self._extend(file, whole_batch=True):
                return file
        return None

    def _read(self, file: TailFile, now: Moment) -> Fresh | None:
        try:
            block = read_range(file.path, file.given, file.whole)
        except (ShortFileError, OSError) as error:
            self._unreadable(file, error)
            return None
        first = self._arrivals.first(block.data, now.clock_us)
        last = self._arrivals.last(block.data, now.clock_us)
        end, self._turn, self.behind = file.whole, self._turn + 1, file.full
        file.begin_batch(end, block.data)
        file.arrival_us, file.turn = last, self._turn
        self._notice(file, now)
        return Fresh(block, end, first, last, self._turns.held_us)
