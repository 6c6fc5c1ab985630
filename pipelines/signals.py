"""What SIGTERM, SIGHUP and Ctrl-C do to a stream: the first asks it to stop, the next stops it."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

from pipelines.notices import notify
from pipelines.stopping import STOP

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAME_S = 0.2  # a terminal and a shell's job control may both send the same Ctrl-C


@contextmanager
def stopped_by_signals(say: Callable[[str], None] = notify) -> Iterator[None]:
    """A context that begins with STOP clear, and in which the first signal sets it, and says so.

    Each later one raises KeyboardInterrupt in the main thread, at once. A signal that was ignored,
    as in a shell's background, stays so. Elsewhere than in the main thread nothing is changed.
    """
    STOP.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = _Asked(say)
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    taken = {n: old for n, old in before.items() if old is not signal.SIG_IGN}
    for number in taken:
        signal.signal(number, asked.handle)
    try:
        yield
    finally:
        for number, old in taken.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)
        asked.end()


class _Asked:
    """Takes signals.

    A handler runs in the middle of anything, also of what holds the locks that STOP and standard
    error need: so it only puts a note into a queue that allows that, and a thread does the rest.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._first: float | None = None
        self._notes: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._stop, name="signals", daemon=True)
        self._thread.start()

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of a signal."""
        now = time.monotonic()
        if self._first is None:
            self._first = now
            self._notes.put(True)  # noqa: FBT003 - asked
        elif now - self._first > _SAME_S:
            raise KeyboardInterrupt

    def end(self) -> None:
        """Ends the thread."""
        self._notes.put(False)  # noqa: FBT003 - not asked
        self._thread.join()

    def _stop(self) -> None:
        while self._notes.get():
            STOP.set()
            self._say("stopping: what was read is finished (again to stop at once)")
