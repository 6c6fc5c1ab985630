"""What is held of a subscription, and which messages were seen before: the bookkeeping alone.

A message that was pulled is leased: the service delivers it again, under the same id, unless it is
acknowledged, or its lease extended, in time.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.inputs.messages import Message

REMEMBERED_S = 600.0
REMEMBERED = 1_000_000
FIRST_LEASE_S = 10.0
"""The shortest lease that a subscription can give; how long its own are, not everyone may ask."""

LEASE_S = 60.0
_AHEAD_S = 7.0
_NONE = ""  # in place of the name of a delivery that another reader had


@dataclass(slots=True)
class _Lease:
    ack_id: str
    until: float


class Leases:
    """Messages that are held, and the ids of those that were acknowledged. Times in seconds.

    A message that is delivered again while it is held is not a new one: it is acknowledged with
    its first delivery. Nor is it one within 10 minutes after: it is acknowledged at once. The ids
    of the last million messages at most are remembered, 150 bytes each.
    """

    def __init__(self) -> None:
        self.held_bytes = 0
        self.again = 0  # deliveries of messages seen before
        self._held: dict[str, _Lease] = {}
        self._batches: deque[tuple[int, list[str], int]] = deque()
        self._done: dict[str, None] = {}
        self._done_at: deque[tuple[float, Sequence[str]]] = deque()
        self._answerable: list[str] = []

    @property
    def held(self) -> int:
        """How many messages are held."""
        return len(self._held)

    def take_in(self, messages: Iterable[Message], now: float) -> list[Message]:
        """Lease messages, and give those that were not seen before."""
        fresh = []
        for message in messages:
            lease = self._held.get(message.id)
            if lease is not None:  # the former delivery's lease is void
                lease.ack_id, lease.until = message.ack_id, now + FIRST_LEASE_S
                self.again += 1
            elif message.id in self._done:
                self._answerable.append(message.ack_id)
                self.again += 1
            else:
                self._held[message.id] = _Lease(message.ack_id, now + FIRST_LEASE_S)
                self.held_bytes += len(message.data)
                fresh.append(message)
        return fresh

    def answer(self, messages: Iterable[Message]) -> None:
        """Have messages acknowledged of which nothing is to be kept."""
        self.owe(message.ack_id for message in messages)

    def expect(self, number: int, ids: Sequence[str]) -> None:
        """Take messages for held that another reader has read, as the batch of a number.

        They may be delivered again, and are acknowledged with the others of their batch, or later.
        """
        self._held.update((each, _Lease(_NONE, math.inf)) for each in ids)
        self._batches.append((number, list(ids), 0))

    def give_out(self, number: int, messages: Sequence[Message]) -> None:
        """Say that messages which are held became the batch of a number; numbers only grow."""
        size = sum(len(message.data) for message in messages)
        self._batches.append((number, [message.id for message in messages], size))

    def settle(self, safe: int, now: float) -> list[str]:
        """What may be acknowledged now that the batches up to a number are safe."""
        answered, self._answerable = self._answerable, []
        while self._batches and self._batches[0][0] <= safe:
            _, ids, size = self._batches.popleft()
            ack_ids = (self._held.pop(each).ack_id for each in ids)
            answered.extend(each for each in ack_ids if each != _NONE)
            self.held_bytes -= size
            self._remember(ids, now)
        return answered

    def owe(self, ack_ids: Iterable[str]) -> None:
        """Have deliveries acknowledged that could not be."""
        self._answerable.extend(ack_ids)

    def extend(self, now: float) -> list[str]:
        """What is to be leased for another `LEASE_S`, lest it be delivered again."""
        due = [lease for lease in self._held.values() if lease.until < now + _AHEAD_S]
        for lease in due:
            lease.until = now + LEASE_S
        return [lease.ack_id for lease in due]

    def give_up(self) -> list[str]:
        """All that is held, which is no longer."""
        held = [each.ack_id for each in self._held.values() if each.ack_id != _NONE]
        self._held.clear()
        self._batches.clear()
        self.held_bytes = 0
        return held

    def _remember(self, ids: Sequence[str], now: float) -> None:
        self._done.update(dict.fromkeys(ids))
        self._done_at.append((now, ids))
        while self._done_at[0][0] < now - REMEMBERED_S or len(self._done) > REMEMBERED:
            for each in self._done_at.popleft()[1]:
                self._done.pop(each, None)
