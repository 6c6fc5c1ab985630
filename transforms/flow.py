"""How much of a stream is on its way, so that a source in the same process gives out no more.

Engines on one machine take whatever a source gives, into memory. And a step costs about the same
for a few rows as for a hundred: so what comes while two batches are on their way waits, and goes as
one. In a process that has the source alone nothing is ever through, and after a second of that the
source goes on.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass, field

_MOST = 2
_PATIENCE_S = 1.0


@dataclass
class Flow:
    """The stamps (ms) of the batches that were given out and are not through Deduplicate."""

    _given: deque[int] = field(default_factory=deque)
    _moved_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def given(self, stamp_ms: int) -> None:
        """A batch goes on its way; stamps grow."""
        with self._lock:
            self._given.append(stamp_ms)
            self._moved_s = time.monotonic()

    def through(self, stamp_ms: int | None = None) -> None:
        """All up to a stamp are through; without one the oldest is, which nothing came of."""
        with self._lock:
            self._moved_s = time.monotonic()
            if stamp_ms is None and self._given:
                self._given.popleft()
            while stamp_ms is not None and self._given and self._given[0] <= stamp_ms:
                self._given.popleft()

    @property
    def full(self) -> bool:
        """Whether the source has to wait."""
        with self._lock:
            if time.monotonic() > self._moved_s + _PATIENCE_S:
                self._given.clear()
            return len(self._given) >= _MOST


FLOW = Flow()
