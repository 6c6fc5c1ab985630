"""When the batches of a stream happen, for the engine: their stamps, and the watermark behind them.

Both are in arrival time. A stamp is in whole milliseconds and greater than the one before; none is
before the watermark, so no engine ever sees a batch that is late.
"""

from dataclasses import dataclass

from transforms.timestamps import FIRST, SECOND

_MS = 1000
_IDLE_US = SECOND // 2
_LAG_US = SECOND // 10


@dataclass
class ArrivalClock:
    """The last stamp (ms) and the watermark (µs), which is `FIRST` while there is none.

    recorded: whether records bring their arrivals; else they arrive when they are read.
    latest_us: the last arrival so far; None before the first.
    """

    recorded: bool
    stamp_ms: int = FIRST // _MS - 1
    watermark_us: int = FIRST
    latest_us: int | None = None
    _busy_us: int | None = None
    _moved_us: int = 0

    def stamp(self, first_us: int | None, clock_us: int) -> int:
        """The stamp of the next batch, whose first record arrived so, and which was read so."""
        arrival = first_us if self.recorded else clock_us
        least = max(self.stamp_ms + 1, -(-self.watermark_us // _MS))
        self.stamp_ms = least if arrival is None else max(least, arrival // _MS)
        return self.stamp_ms

    def given(self, last_us: int | None, held_us: int | None, clock_us: int) -> int:
        """The watermark behind that batch: where what is unread arrived, or else the latest."""
        arrival = last_us if self.recorded else clock_us
        if arrival is not None:
            self.latest_us = max(arrival, self.latest_us or arrival)
        safe = held_us if self.recorded and held_us is not None else self.latest_us
        if safe is not None:
            self.watermark_us = max(self.watermark_us, safe)
        return self.watermark_us

    def resume(self, stamp_ms: int, watermark_us: int) -> None:
        """Go on behind a batch that was given out before."""
        self.stamp_ms, self.watermark_us = stamp_ms, max(self.watermark_us, watermark_us)

    def busy(self, steady_us: int) -> None:
        """There is something to read, by a clock that never steps."""
        self._busy_us = self._moved_us = steady_us

    def idle(self, clock_us: int, steady_us: int) -> None:
        """There is nothing to read: after half a second the watermark, if any, goes on in time."""
        if self._busy_us is None:
            self.busy(steady_us)
        elif steady_us - self._busy_us < _IDLE_US:
            return
        elif self.recorded:
            if self.watermark_us != FIRST:  # else nothing says where recorded time is
                # of a longer pause nobody knows whether this process was there to read
                self.watermark_us += min(steady_us - self._moved_us, SECOND)
            self._moved_us = steady_us
        else:
            self.watermark_us = max(self.watermark_us, clock_us - _LAG_US)
