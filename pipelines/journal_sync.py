"""Brings the journals of this process to the disk: once a second, and before what came of them."""

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_PAUSE_S = 1.0


class JournalSync:
    """The files of a journal, open for writing, and a thread that brings what is new in them over.

    To be closed before they are.
    """

    def __init__(self, files: Sequence[int]) -> None:
        self._files = files
        self._grown = True  # nobody knows of what was there before
        self._syncing, self._closing = threading.Lock(), threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._keep_syncing, name="journal", daemon=True)
        self._thread.start()
        _OPEN.add(self)

    def grown(self) -> None:
        """Learns that something was written. Raises OSError where it failed before."""
        self._grown = True
        self._check()

    def sync(self) -> None:
        """Waits until all that was written is on the disk. Any thread may call it.

        Raises OSError, from then on always: what is on the disk nobody knows then.
        """
        with self._syncing:
            if self._grown and self._failure is None:
                self._grown = False
                try:
                    for file in self._files:
                        os.fdatasync(file)
                except OSError as error:
                    self._failure = error
            self._check()

    def close(self) -> None:
        """Ends the thread, and does it a last time."""
        _OPEN.discard(self)
        self._closing.set()
        self._thread.join()
        with suppress(OSError):  # the kernel has it all
            self.sync()

    def _keep_syncing(self) -> None:
        with suppress(OSError):  # whoever writes next is told
            while not self._closing.wait(_PAUSE_S):
                self.sync()

    def _check(self) -> None:
        if self._failure is not None:
            raise OSError(*self._failure.args) from self._failure


_OPEN: set[JournalSync] = set()


def sync_journals() -> None:
    """Brings what this process has journalled to the disk, where rows of it are about to be.

    Raises OSError.
    """
    for each in tuple(_OPEN):
        each.sync()


def sync_folder(folder: Path) -> None:
    """Brings the names in a folder to the disk. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
