"""What the command knows of a stream in its own process: for the live view, and the alarm."""

import logging
from dataclasses import dataclass

from pipelines import read_pubsub
from pipelines.notices import notify
from pipelines.open_tails import progress
from transforms import window_log
from transforms.held_state import HELD
from transforms.live_totals import LIVE_TOTALS

_ALARM = "ALARM: the engine lost state of this run, so counts may be wrong"
_GO_ON = "stop it and go on with the same --run-id, which builds its state up again"
_BEGIN_ANEW = (
    "stop it and begin a new run; then meter the last windows of this one, with those that both"
    " share, by a batch run over the output (--input OUT, with --from and --to)"
)


@dataclass
class Observer:
    """Called about ten times a second while a stream runs."""

    _reloaded: int = 0

    def __post_init__(self) -> None:
        self._reloaded = _reloaded()
        LIVE_TOTALS.add_line(_reading)

    def __call__(self) -> None:
        """Passes on how far the source is, and says so at once if the engine lost state."""
        messages = read_pubsub.progress()
        seen = messages or progress()
        LIVE_TOTALS.watermark_us, LIVE_TOTALS.arrival_us = seen.watermark_us, seen.last_arrival_us
        if _reloaded() > self._reloaded:
            self._reloaded = _reloaded()
            notify(f"{_ALARM}; {_BEGIN_ANEW if messages else _GO_ON}", logging.CRITICAL)


def _reloaded() -> int:
    """How often a state was not as this worker had left it: keys seen, and totals of windows."""
    return HELD.reloaded + window_log.HELD.reloaded


def _reading() -> str:
    messages = read_pubsub.progress()
    if messages:
        return f"{messages.held:,} messages held · {messages.again:,} deliveries again"
    seen = progress()
    texts = [f"{seen.files:,} files", f"{seen.behind_bytes / 1e6:,.1f} MB to read"]
    if seen.replayed < seen.journalled:
        texts.append(f"going on: batch {seen.replayed:,} of {seen.journalled:,} again")
    if seen.lost:
        texts.append(f"{seen.lost:,} files lost")
    return " · ".join(texts)
