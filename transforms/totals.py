"""What the kernels of this process have done so far, for a progress line.

The tables never depend on it: a kernel that runs elsewhere or twice is counted elsewhere or twice.
"""

import threading
from dataclasses import dataclass, field


@dataclass
class Totals:
    """Blocks read, records received and records rejected, by all threads of this process.

    fetched: rows that a service gave before any of them was read.
    """

    blocks: int = 0
    records: int = 0
    rejects: int = 0
    fetched: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, *, blocks: int = 0, records: int = 0, rejects: int = 0, fetched: int = 0) -> None:
        """Counts something more."""
        with self._lock:
            self.blocks += blocks
            self.records += records
            self.rejects += rejects
            self.fetched += fetched

    def reset(self) -> None:
        """Begins anew, for the next run of this process."""
        with self._lock:
            self.blocks = self.records = self.rejects = self.fetched = 0


TOTALS = Totals()
