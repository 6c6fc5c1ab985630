"""The sink of a live run: rows that are put are in the tables some milliseconds later.

A thread for each table writes what has come in since its last file as one more file, and one thread
for all of them merges files, so that readers find some hundred at most. Readers need no lock, and
see each row from the moment its file appears.

A query finds every row that was in a file when it began, if it lists the files within half the
grace time. It never fails for want of a file that it opens within 50 seconds after that; within
half the grace time at the end of a run, or while more than 1 GiB was merged within a minute.
"""

import math
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pyarrow as pa

from pipelines.live_files import LiveTableError
from pipelines.live_folder import LiveFolder
from pipelines.live_queue import LiveQueue, Shared

_ANY_BYTES = sys.maxsize
_ASIDE_BYTES = 4 << 20  # the merges that a larger one lets pass, between two of its row groups
_OPENED: dict[tuple[str, str], "LiveTables"] = {}


def opened(out: Path | str, run_id: str) -> "LiveTables":
    """Find the open tables of a run in this process.

    Raises LiveTableError where it has none.
    """
    try:
        return _OPENED[_key(out, run_id)]
    except KeyError:
        raise LiveTableError(
            f"run {run_id} has no open tables of {out} in this process: they are for a runner"
            " whose workers are in the process of the command"
        ) from None


def _key(out: Path | str, run_id: str) -> tuple[str, str]:
    return os.path.abspath(out), run_id  # noqa: PTH100 -- as the warehouse names folders


class LiveTables:
    """The tables a run writes, from `with` to its end.

    `pauses_s` names the tables, each with the least time in seconds from one file to the next.
    `grace_s` is how long a file stays at least when its rows are in another one, too. A table holds
    up to 64 MiB of rows that wait to be written, and one more batch for each thread that puts some.
    """

    def __init__(
        self, out: Path, run_id: str, pauses_s: Mapping[str, float], grace_s: float = 2.0
    ) -> None:
        self._key = _key(out, run_id)
        self._grace_s = grace_s
        self._shared = Shared()
        self._queues = {
            table: LiveQueue(LiveFolder(out, table, run_id, grace_s=grace_s), pause_s, self._shared)
            for table, pause_s in pauses_s.items()
        }
        self._merger = threading.Thread(target=self._keep_merging, name="merge", daemon=True)

    def __enter__(self) -> Self:
        """Take up what an earlier process of the run left, and begin.

        Raises LiveTableError for a folder that cannot be written, or tables that are open already.
        """
        if _OPENED.setdefault(self._key, self) is not self:
            raise LiveTableError(f"the tables of run {self._key[1]} are open already")
        try:
            for queue in self._queues.values():
                queue.open()
        except BaseException:
            del _OPENED[self._key]
            raise
        for queue in self._queues.values():
            queue.thread.start()
        self._merger.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close; after an error write what waits, and leave the files as they are."""
        if kind is None:
            self.close()
        else:
            self._stop()

    @property
    def written(self) -> dict[str, int]:
        """The rows of each table that went into files since this was opened."""
        return {table: queue.written for table, queue in self._queues.items()}

    def files(self, table: str) -> int:
        """Count the files of a table that readers find."""
        return len(self._queues[table].folder.shelves)

    def safe_up_to(self) -> int:
        """Up to which stamp (ms) all events and rejects that were put are in files."""
        return min(self._queues[table].least_stamp for table in ("events", "rejects")) - 1

    def put(self, table: str, batch: pa.RecordBatch, stamp_ms: int, *, last: bool = False) -> None:
        """Take rows of a table, with the number of the batch that they came of.

        What is put in one go shares a file: `last` is its end, which a millisecond tells else.
        It waits while more than 64 MiB of the table's rows are still to be written.

        Raises LiveTableError if anything could not be written meanwhile, and after the end;
        ValueError for other columns than the table has.
        """
        self._queues[table].put(batch, stamp_ms, last=last)

    def close(self) -> None:
        """Write what waits, merge what there is into few files, and wait for the grace time once.

        Raises LiveTableError if anything could not be written; what can be written is.
        """
        if not self._shared.ending:
            self._stop()
            self._shared.check()
            with self._shared.keeping_failures():
                self._finish()
        self._shared.check()

    def _stop(self) -> None:
        with self._shared.lock:
            self._shared.ending = True
            self._shared.room.notify_all()
        self._shared.to_merge.set()
        for queue in self._queues.values():
            queue.wake()
            queue.thread.join()
        self._merger.join()
        _OPENED.pop(self._key, None)

    def _finish(self) -> None:
        queues = self._queues.values()
        for queue in queues:
            queue.settle()
        if any(queue.folder.shelves.next_step() for queue in queues):
            time.sleep(self._grace_s / 2)
            for queue in queues:
                queue.hide(math.inf)
            time.sleep(self._grace_s / 2)
            for queue in queues:
                queue.remove(math.inf)
                queue.folder.close()

    def _keep_merging(self) -> None:
        shared = self._shared
        with shared.keeping_failures():
            while not shared.ending:
                self._merge(_ANY_BYTES)
                steps = [queue.clear_away() for queue in self._queues.values()]
                waits_s = [at - time.monotonic() for at in steps if at is not None]
                shared.to_merge.wait(min(waits_s, default=None))
                shared.to_merge.clear()

    def _merge(self, most: int) -> None:
        """Merge all shelves of up to `most` bytes that are full, one of each table at a time."""

        def between() -> None:
            if most > _ASIDE_BYTES:
                self._merge(_ASIDE_BYTES)

        merged = True
        while merged and not self._shared.ending:
            merged = False
            for queue in self._queues.values():
                merged |= queue.merge(most, between)
                queue.clear_away()
