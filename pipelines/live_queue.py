"""One table of a live run: the rows that wait, the thread that writes them, and its files."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa

from pipelines.live_files import LiveTableError
from pipelines.live_folder import LiveFolder
from transforms.told_errors import words

QUEUE_BYTES = 64 << 20
_TOGETHER_S = 0.001  # what comes in one after the other shares a file
_CROWDED_S = 0.01


@dataclass
class Shared:
    """What the threads of all tables have in common. `lock` guards it, and their queues."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    ending: bool = False
    failure: LiveTableError | None = None  # the first
    to_merge: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.room = threading.Condition(self.lock)

    @contextmanager
    def keeping_failures(self) -> Iterator[None]:
        """Keep what goes wrong in a thread for those who put rows, and for the end."""
        try:
            yield
        except LiveTableError as error:
            with self.lock:
                self.failure = self.failure or error
                self.room.notify_all()

    def check(self) -> None:
        """Raise LiveTableError if anything went wrong."""
        if self.failure is not None:
            raise LiveTableError(str(self.failure)) from self.failure


NOTHING_WAITS = 1 << 62


class LiveQueue:
    """A table of a run in its folder, with at least `pause_s` seconds from file to file.

    `written` counts the rows that went into files.
    """

    def __init__(self, folder: LiveFolder, pause_s: float, shared: Shared) -> None:
        self.folder = folder
        self.written = 0
        self.thread = threading.Thread(
            target=self._keep_writing, name=str(folder.path), daemon=True
        )
        self._pause_s, self._shared = pause_s, shared
        self._arrived = threading.Condition(shared.lock)
        self._waiting: list[pa.RecordBatch] = []
        self._complete = False  # nothing comes right after what waits
        self._stamps: list[int] = []  # of the batches that wait
        self._writing: list[int] = []  # of those in the file that is being written
        self._waiting_bytes = 0  # with those of the file that is being written
        self._last_s = float("-inf")

    def open(self) -> None:
        """Make the folder, or take up what is in it."""
        with self._naming_folder():
            self.folder.open()

    @property
    def least_stamp(self) -> int:
        """The least stamp (ms) of the rows that are in no file yet."""
        with self._shared.lock:
            return min(self._stamps + self._writing, default=NOTHING_WAITS)

    def put(self, batch: pa.RecordBatch, stamp_ms: int, *, last: bool = False) -> None:
        """See `LiveTables.put`."""
        if not batch.schema.equals(self.folder.schema):
            raise ValueError(f"{self.folder.path}: these are not its columns: {batch.schema}")
        shared = self._shared
        with shared.lock:
            shared.room.wait_for(
                lambda: self._waiting_bytes <= QUEUE_BYTES or shared.failure or shared.ending
            )
            shared.check()
            if shared.ending:
                raise LiveTableError(f"{self.folder.path} is closed")
            if batch.num_rows:
                self._waiting.append(batch)
                self._stamps.append(stamp_ms)
                self._waiting_bytes += batch.get_total_buffer_size()
            self._complete = last and bool(self._waiting)
            if self._complete or len(self._waiting) == 1:
                self._arrived.notify()

    def wake(self) -> None:
        """Let the thread see that it is to end: it writes what waits first."""
        with self._shared.lock:
            self._arrived.notify()

    def merge(self, most: int, between: Callable[[], None]) -> bool:
        """Make one file of a shelf of up to `most` bytes that is to be merged, if there is one."""
        shelf = self.folder.shelves.due(most)
        if shelf:
            with self._naming_folder():
                self.folder.merge([shelf], between)
        return shelf is not None

    def settle(self) -> None:
        """Make files that stay of all there is."""
        with self._naming_folder():
            while shelves := self.folder.shelves.rest():
                self.folder.merge(shelves, lambda: None, settled=True)

    def clear_away(self) -> float | None:
        """Hide and remove what no reader wants by now; tell when there will be more of it."""
        self.hide(time.monotonic())
        self.remove(time.monotonic())
        return self.folder.shelves.next_step()

    def hide(self, now: float) -> None:
        """See `LiveFolder.hide`."""
        with self._naming_folder():
            self.folder.hide(now)

    def remove(self, now: float) -> None:
        """See `LiveFolder.remove`."""
        with self._naming_folder():
            self.folder.remove(now)

    def _keep_writing(self) -> None:
        with self._shared.keeping_failures(), self._naming_folder():
            while batches := self._take():
                self.folder.write(batches)
                self.written += sum(batch.num_rows for batch in batches)
                if self.folder.shelves.any_full:
                    self._shared.to_merge.set()
                with self._shared.lock:
                    self._writing = []
                    self._waiting_bytes -= sum(b.get_total_buffer_size() for b in batches)
                    self._shared.room.notify_all()

    def _take(self) -> list[pa.RecordBatch]:
        """Wait for rows and for those that come with them; give none at the end."""
        shared = self._shared
        with shared.lock:
            self._arrived.wait_for(lambda: self._waiting or shared.ending)
            at = time.monotonic() + _TOGETHER_S
            while self._waiting and not shared.ending:
                now = time.monotonic()
                left_s = max(0 if self._complete else at - now, self._last_s + self._pause_s - now)
                if self.folder.shelves.crowded:
                    left_s = max(left_s, _CROWDED_S)
                if left_s <= 0:
                    break
                self._arrived.wait(left_s)
            self._last_s = time.monotonic()
            batches, self._waiting, self._complete = self._waiting, [], False
            self._writing, self._stamps = self._stamps, []
            return batches

    @contextmanager
    def _naming_folder(self) -> Iterator[None]:
        try:
            yield
        except LiveTableError:
            raise
        except Exception as error:
            reason = getattr(error, "strerror", None) or words(error)
            raise LiveTableError(f"{self.folder.path} cannot be written: {reason}") from error
