"""Shows that a run is alive: one line in place on a terminal, a line now and then elsewhere."""

import sys
import threading
import time
from types import TracebackType
from typing import Self

from pipelines.log_lines import is_json
from pipelines.notices import show_progress
from transforms.totals import TOTALS

_REFRESH_S = 0.2
_PLAIN_EVERY_S = 10.0


class Progress:
    """A context in which a thread prints what the kernels have done so far to standard error."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty() and not is_json()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._show, name="progress", daemon=True)
        self._started = 0.0

    def __enter__(self) -> Self:
        TOTALS.reset()
        self._started = time.monotonic()
        if not self._quiet:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._terminal and not self._quiet:
            sys.stderr.write("\r\x1b[2K")

    def _show(self) -> None:
        wait = _REFRESH_S if self._terminal else _PLAIN_EVERY_S
        while not self._done.wait(wait):
            if self._terminal:
                sys.stderr.write(f"\r\x1b[2K{self.line()}")
                sys.stderr.flush()
            else:
                show_progress(self.line())

    def line(self) -> str:
        """Blocks, events, their rate and rejects; before that, what a service gave, or the time."""
        seconds = time.monotonic() - self._started
        if TOTALS.fetched and not TOTALS.blocks:
            return f"{TOTALS.fetched:,} events fetched · {seconds:.0f} s"
        if not TOTALS.blocks:  # on a cluster, for as long as it runs: kernels count where they are
            return f"running · {seconds:.0f} s"
        rate = TOTALS.records / seconds if seconds else 0
        return (
            f"{TOTALS.blocks:,} blocks · {TOTALS.records:,} records · {rate:,.0f}/s"
            f" · {TOTALS.rejects:,} rejected · {seconds:.0f} s"
        )
