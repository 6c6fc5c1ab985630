"""How much of a stream is on its way, so that a source in the same process gives out no more.

Engines on one machine take whatever a source gives, into memory. And a step costs about the same
for a few rows as for a hundred: so what comes while a batch is on its way waits, and goes as one.
A batch is on its way until Deduplicate has seen it, and then until what came of it is shown. In a
process that has the source alone nothing ever arrives, and after a second of that the source goes
on.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

_PATIENCE_S = 1.0


@dataclass
class Flow:
    """The stamps (ms) of batches that are not through Deduplicate, and of changes not shown.

    `now` tells seconds.
    """

    now: Callable[[], float] = time.monotonic
    _given: deque[int] = field(default_factory=deque)
    _changes: Counter[int] = field(default_factory=Counter)
    _moved_s: float = 0.0
    _has_source: bool = False  # or nobody would ask, and nothing be forgotten
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def given(self, stamp_ms: int) -> None:
        """A batch goes on its way; stamps grow."""
        with self._moving():
            self._has_source = True
            self._given.append(stamp_ms)

    def through(self, stamp_ms: int | None = None) -> None:
        """All up to a stamp are through; without one the oldest is, which nothing came of."""
        with self._moving():
            if stamp_ms is None and self._given:
                self._given.popleft()
            while stamp_ms is not None and self._given and self._given[0] <= stamp_ms:
                self._given.popleft()

    def changing(self, stamp_ms: int, changes: int = 1) -> None:
        """So many changes of windows came of a batch, or are about to."""
        with self._moving():
            if self._has_source:
                self._changes[stamp_ms] += changes

    def shown(self, stamp_ms: int) -> None:
        """One of them was shown, or waits for its time."""
        with self._moving():
            self._changes[stamp_ms] -= 1
            if self._changes[stamp_ms] <= 0:
                del self._changes[stamp_ms]

    @property
    def full(self) -> bool:
        """Whether the source has to wait."""
        return self.has(1)

    def has(self, batches: int) -> bool:
        """Whether so many batches are on their way, or more."""
        with self._lock:
            if self.now() > self._moved_s + _PATIENCE_S:
                self._given.clear()
                self._changes.clear()
            return len({*self._given, *self._changes}) >= batches

    def _moving(self) -> threading.Lock:
        self._moved_s = self.now()
        return self._lock


FLOW = Flow()
