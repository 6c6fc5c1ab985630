"""What a running stream shows: a table in place on a terminal, a line now and then elsewhere."""

import contextlib
import sys
import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipelines.live_table import Rates, line, table
from pipelines.log_lines import clean, is_json
from pipelines.notices import given_back, show_progress, taken_by
from transforms.live_totals import LIVE_TOTALS

_REFRESH_S = 0.25
_PLAIN_EVERY_S = 10.0


class LiveView:
    """A context in which a thread shows LIVE_TOTALS on standard error; at its end they are reset.

    On a terminal what else is written stands above the table, which is gone at the end. Nothing is
    shown if `quiet`.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True)
        in_place = self._console.is_terminal and self._console.is_interactive and not is_json()
        self._live: Live | None = None
        if in_place and not quiet:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=sys.stdout.isatty(),  # the same terminal, or else a file
            )
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._show, name="live view", daemon=True)
        self._rates = Rates()
        self._started = self._said = 0.0

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        if self._live:
            self._live.start()
            taken_by(self._tell)
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
        try:
            if self._thread.is_alive():
                self._thread.join()
        finally:  # the cursor comes back whatever interrupts
            if self._live:
                given_back()
                with contextlib.suppress(OSError):
                    self._live.stop()
            LIVE_TOTALS.reset()

    def _show(self) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone: the stream goes on
            while not self._done.wait(_REFRESH_S):
                self._refresh()

    def _refresh(self) -> None:
        seen, now = LIVE_TOTALS.seen(), time.monotonic()
        self._rates.add(now, seen)
        seconds = now - self._started
        if self._live:
            width, height = self._console.size
            shown = table(
                seen, self._rates, seconds, time.time_ns() // 1000, width=width, height=height
            )
            self._live.update(shown, refresh=True)
        elif seconds >= self._said + _PLAIN_EVERY_S:
            self._said = seconds
            show_progress(line(seen, self._rates, seconds, time.time_ns() // 1000))

    def _tell(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._console.print(Text(f"meterbeam: {clean(text)}"))
