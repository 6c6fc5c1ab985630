"""Beam's steps without the thread that measures how long each of them takes.

Beam starts one with every bundle, and waits for it at the bundle's end: it sleeps 2 ms at first and
up to 200 ms later. A small bundle takes no longer than that, and a run over files has a bundle for
each of its stages, at the end of which the whole machine would stand still.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from apache_beam.runners.worker import statesampler


@contextmanager
def without_sampler() -> Iterator[None]:
    """Workers that begin in this process in the meantime do not measure their steps."""
    beams, statesampler.StateSampler = statesampler.StateSampler, _NoSampler
    try:
        yield
    finally:
        statesampler.StateSampler = beams


class _NoSampler(statesampler.StateSampler):
    """Knows which step a thread is in, and not for how long."""

    def start(self) -> None:
        self.tracked_thread = threading.current_thread()
        statesampler.set_current_tracker(self)
        self.started = True

    def stop(self) -> None:
        statesampler.set_current_tracker(None)
        self.finished = True
