"""Reads a subscription by hand, without an engine."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.inputs.messages import Message
from pipelines.inputs.pulling import Pulling
from pubsub_emulator import Emulator

NEVER, ALWAYS = -1, 1 << 62
AT_ONCE_US, PATIENCE_S, LONG_S = 0, 0.2, 30.0


class Reader:
    """A subscription that is pulled from, and what was taken from it."""

    def __init__(self, pulling: Pulling) -> None:
        self.pulling = pulling
        self.taken = list[Message]()
        self.safe = NEVER

    def take(self, count: int) -> list[bytes]:
        """All messages taken, once there are so many."""
        while len(self.taken) < count:
            messages = self.pulling.take(AT_ONCE_US, LONG_S)
            assert messages, "none came"
            self.pulling.give_out(len(self.taken), messages)
            self.taken += messages
        return [message.data for message in self.taken]

    def nothing_comes(self) -> bool:
        return not self.pulling.take(AT_ONCE_US, PATIENCE_S)

    def until(self, holds: str, value: int) -> None:
        """Wait until `again` or `held` is what it should be."""
        beat, end = threading.Event(), time.monotonic() + LONG_S
        while (now := getattr(self.pulling, holds)) != value:
            beat.wait(0.01)
            assert time.monotonic() < end, f"{holds} stays {now}"


def left(service: Emulator, address: str, reader: Reader) -> list[bytes]:
    """What was taken and not acknowledged, after the reading ended."""
    service.release(address, reader.taken)
    return [each.message.data for each in service.pull(address)]


@contextmanager
def reading(address: str, rows: int = 100) -> Iterator[Reader]:
    pulling = Pulling(address, rows, lambda: reader.safe)
    reader = Reader(pulling)
    try:
        yield reader
    finally:
        pulling.close(all_safe=False)
