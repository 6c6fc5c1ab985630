"""Pulling from a subscription in the background, and keeping what was pulled until it is safe."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from google.api_core.exceptions import RetryError

from pipelines.inputs.block import InputReadError
from pipelines.inputs.leases import LEASE_S, Leases
from pipelines.inputs.messages import BATCH_BYTES, Message, is_blank
from pipelines.inputs.subscription import Service
from pipelines.notices import notify
from pipelines.stopping import STOP

_WAITING_BYTES = 2 * BATCH_BYTES
_HELD, _HELD_BYTES = 200_000, 256 << 20
_TICK_S = 0.1
_END_S = 5.0


class _Trouble:
    """Tells the user of trouble with a subscription, once until it is over."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.on = False

    def tell(self, error: Exception) -> None:
        if not self.on:
            self.on = True
            notify(f"{self.address}: trying again: {error}", logging.WARNING)

    def over(self) -> None:
        self.on = False


class Pulling:
    """Messages of a subscription, each once, until `stop`.

    A thread pulls, as long as less than two batches wait and less than 200,000 messages and 256 MiB
    are held; another acknowledges the batches up to the number that `safe` gives, and leases the
    rest anew before their time is over. Holds the messages that wait, and an id of all that are
    held or were held within 10 minutes: see `Leases`. acknowledged: the number up to which no
    acknowledgement of a batch is left to be sent.
    """

    def __init__(self, address: str, batch_rows: int, safe: Callable[[], int]) -> None:
        self.address, self.batch_rows = address, batch_rows
        self._safe = safe
        self.acknowledged = -(1 << 63)
        self._leases = Leases()
        self._waiting: deque[tuple[float, Message]] = deque()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._wake = threading.Event()
        self._stopped = self._closed = self._answered = False
        self._failure: Exception | None = None
        self._pull_trouble, self._keep_trouble = _Trouble(address), _Trouble(address)
        self._puller = Service(address, self._pull_trouble.tell)
        self._keeper = Service(address)
        self._threads = [
            threading.Thread(target=self._run, args=[work], name=f"pubsub {name}", daemon=True)
            for name, work in (("pull", self._pull), ("keep", self._keep))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def again(self) -> int:
        """How many messages were delivered that had been delivered before."""
        return self._leases.again

    @property
    def held(self) -> int:
        """How many messages are not acknowledged."""
        return self._leases.held

    @property
    def ready(self) -> bool:
        """Whether a full batch waits."""
        rows, size = len(self._waiting), self._waiting_bytes
        return rows >= self.batch_rows or size >= BATCH_BYTES

    @property
    def idle(self) -> bool:
        """Whether there are no messages, as far as the service can be asked."""
        reached = self._answered and not self._pull_trouble.on
        return reached and not self._waiting and self._has_room()

    def take(self, batch_us: int, patience_s: float) -> list[Message]:
        """The next batch: a full one, or what there is `batch_us` after the first of it came.

        Nothing where nothing comes for so long. Raises InputReadError for what will not pass.
        """
        end = time.monotonic() + patience_s
        with self._lock:
            while not (self.ready or STOP.is_set() or self._stopped or self._failure):
                due = self._waiting[0][0] + batch_us / 1e6 if self._waiting else end
                left = due - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, _TICK_S))
            if self._failure is not None:
                raise InputReadError(f"{self.address}: {self._failure}") from self._failure
            return list(self._batch())

    def give_back(self, messages: list[Message]) -> None:
        """Let messages wait again, before all others."""
        with self._lock:
            now = time.monotonic()
            self._waiting.extendleft((now, message) for message in reversed(messages))
            self._waiting_bytes += sum(len(message.data) for message in messages)

    def expect(self, number: int, ids: Sequence[str]) -> None:
        """Say which messages another reader has read, and what batch they became there."""
        with self._lock:
            self._leases.expect(number, ids)

    def give_out(self, number: int, messages: list[Message]) -> None:
        """Say what batch messages became; numbers only grow."""
        with self._lock:
            self._leases.give_out(number, messages)

    def look(self) -> None:
        """Ask what is safe now, rather than within a tenth of a second."""
        self._wake.set()

    def stop(self) -> None:
        """Pull no more; what was pulled is still given out."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            self._changed.notify_all()
        self._puller.close()

    def close(self, *, all_safe: bool) -> None:
        """Acknowledge what is safe, have the rest delivered anew at once, and end."""
        self.stop()
        self._closed = True
        self._wake.set()
        for thread in self._threads:
            thread.join(_END_S)
        up_to, now = 1 << 62 if all_safe else self._safe(), time.monotonic()
        with self._lock:
            safe = self._leases.settle(up_to, now)
            unsafe = self._leases.give_up()
        try:
            self._keeper.acknowledge(safe, _END_S)
            self._keeper.extend(unsafe, 0, _END_S)
        except Exception as error:  # noqa: BLE001 - the service delivers them again by itself
            text = f"{self.address}: messages may be delivered again: {error}"
            notify(text, logging.WARNING)
        self._keeper.close()

    def _batch(self) -> Iterable[Message]:
        size = 0
        for _ in range(min(self.batch_rows, len(self._waiting))):
            message = self._waiting[0][1]
            if size and size + len(message.data) > BATCH_BYTES:
                break
            self._waiting.popleft()
            size += len(message.data)
            yield message
        self._waiting_bytes -= size
        self._changed.notify_all()

    def _has_room(self) -> bool:
        held = self._leases.held < _HELD and self._leases.held_bytes < _HELD_BYTES
        few = len(self._waiting) < 2 * self.batch_rows and self._waiting_bytes < _WAITING_BYTES
        return held and few

    def _pull(self) -> None:
        while not self._stopped:
            with self._lock:
                if not self._changed.wait_for(self._has_room, _TICK_S):
                    continue
            messages = self._puller.pull()
            self._pull_trouble.over()
            self._answered, now = True, time.monotonic()
            with self._lock:
                self._leases.answer(each for each in messages if is_blank(each.data))
                records = (each for each in messages if not is_blank(each.data))
                fresh = self._leases.take_in(records, now)
                self._waiting.extend((now, each) for each in fresh)
                self._waiting_bytes += sum(len(each.data) for each in fresh)
                self._changed.notify_all()

    def _keep(self) -> None:
        while not self._closed:
            self._wake.wait(_TICK_S)
            self._wake.clear()
            safe, now = self._safe(), time.monotonic()
            with self._lock:
                answered = self._leases.settle(safe, now)
                due = self._leases.extend(now)
                self._changed.notify_all()
            try:
                self._keeper.acknowledge(answered)
                answered, self.acknowledged = [], safe
                self._keeper.extend(due, LEASE_S)
                self._keep_trouble.over()
            except Exception as error:  # noqa: BLE001 - then they come again, and are known
                self._keep_trouble.tell(error)
                if isinstance(error, RetryError):  # it may pass later; what does not would stay
                    with self._lock:
                        self._leases.owe(answered)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - `take` raises it
            with self._lock:
                if not self._stopped:  # else it is only that the connection was closed
                    self._failure = self._failure or error
                self._changed.notify_all()
