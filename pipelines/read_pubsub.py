"""The source of messages: a Pub/Sub subscription, in micro-batches as blocks."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Duration, Timestamp

import pipelines.read  # noqa: F401 - registers the coder for blocks
from pipelines.arrival_clock import ArrivalClock
from pipelines.inputs import Block
from pipelines.inputs.arrivals import Arrivals
from pipelines.inputs.messages import Message, Rates, block_of
from pipelines.inputs.pulling import Pulling
from pipelines.inputs.subscription import check_subscription, find_subscription
from pipelines.inputs.tail_watch import Moment
from pipelines.stopping import STOP
from pipelines.unbounded import END, STAMPED_BATCHES, WATERMARK
from transforms.flow import FLOW
from transforms.timestamps import FIRST, SECOND

__all__ = [
    "PubSubProgress",
    "ReadPubSub",
    "check_subscription",
    "close_subscriptions",
    "find_subscription",
    "progress",
]

_SLICE_S, _PATIENCE_S, _POLL_S = 0.2, 0.2, 0.002
_DISORDER_US = SECOND  # how long a message may take to come, before the watermark passes it

safe_batches: Callable[[], int] | None = None
"""Tells up to which batch nothing waits to be written.

To be set, before the pipeline runs, by who writes events and rejects. A batch has its stamp (ms) as
its number, and so do all elements that come of it; the answer is one less than the least stamp that
waits, and anything large where none does. It is asked ten times a second, by another thread, and
only of batches that the engine has taken, with what was fused to the source. None: these are safe.
"""


@dataclass
class ReadPubSub(beam.PTransform):
    """Messages of a subscription → blocks of at most `batch_rows` messages and 8 MiB.

    A block is given out `batch_us` after its first message came, or when it is full. It is stamped
    with its first arrival, in whole milliseconds that grow strictly: `arrivals` tells it where the
    records say so, else it is when the service took the message in; see `ArrivalClock`.

    What holds, for a run whose worker is in the process of the command:

    - A message is kept from other readers until its batch is safe, as `safe_batches` says, and then
      acknowledged; so none is lost, whatever happens to this process. Where nothing says it, that
      is when the engine has it: what the engine has in memory is lost with it.
    - The service may deliver a message more than once. One that comes again, under the same id,
      while it is held or within 10 minutes after it was acknowledged, is acknowledged and not given
      out. The ids of a million messages are remembered, in memory: one that comes later, or to
      another process, is given out again, and found by its event's key.
    - An event that was published twice is two messages. Attributes of messages are not looked at.
    - While what was given out before is on its way through this process's graph (see `Flow`), no
      more is: it waits, here and then at the service, and goes as one.
    - On `STOP` it pulls no more, gives out what was pulled and ends. Then `close_subscriptions`
      is to be called: it acknowledges what is safe by then and gives back the rest.
    - Messages that hold nothing but white space are no records: acknowledged, not given out.

    Engines elsewhere read in another way: see pipelines/read_far.py.

    session: names what this source holds in its process.
    """

    subscription: str
    batch_rows: int
    batch_us: int
    arrivals: Arrivals
    rates: Rates | None = None
    session: str = field(default_factory=lambda: uuid.uuid4().hex)

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        """Wires the reading step."""
        start = pbegin | "Once" >> beam.Impulse()
        return start | "Batches" >> beam.ParDo(_Pull(self)).with_output_types(Block)


class PubSubProgress(NamedTuple):
    """How far the source of this process has come.

    held: messages that are not acknowledged; again: deliveries of messages that had come before;
    last_arrival_us and watermark_us: None before the first.
    """

    held: int
    again: int
    last_arrival_us: int | None
    watermark_us: int | None


def progress() -> PubSubProgress | None:
    """How far it is now, for any thread that asks; None where there is none."""
    for session in tuple(_sessions.values()):
        pulling, clock = session.pulling, session.clock
        latest_us = None if clock.latest_us is None else clock.latest_us + _DISORDER_US
        watermark_us = None if clock.watermark_us == FIRST else clock.watermark_us
        return PubSubProgress(pulling.held, pulling.again, latest_us, watermark_us)
    return None


def close_subscriptions(*, all_safe: bool) -> None:
    """Ends what sources of this process still do, when their pipelines have ended.

    Where `all_safe`, as after a job that ended well and wrote all it had, everything given out is
    acknowledged; else what `safe_batches` says. The rest is given back, to be delivered anew.
    """
    with _opening:
        sessions = list(_sessions.values())
        _sessions.clear()
    for session in sessions:
        session.pulling.close(all_safe=all_safe)


class Session:
    """What reading a subscription needs from slice to slice; it is in this process alone.

    `safe` tells up to which batch messages can be acknowledged.
    """

    def __init__(self, source: ReadPubSub, safe: Callable[[], int]) -> None:
        self.source = source
        self.clock = ArrivalClock(source.arrivals.recorded)
        self.pulling = Pulling(source.subscription, source.batch_rows, safe)

    def batch(self, messages: list[Message]) -> tuple[int, Block]:
        """A block of messages, at the rates of now, and its stamp (ms), which is its number."""
        clock_us, rates = Moment.now().clock_us, self.source.rates
        version = rates.current() if rates else None
        block = block_of(self.source.subscription, messages, clock_us, version)
        first, last = self._arrivals(messages, block, clock_us)
        number = self.clock.stamp(first, first or clock_us)
        before = None if last is None else last - _DISORDER_US
        self.clock.given(before, None, before or clock_us)
        return number, block

    def watermark_us(self) -> int:
        """The watermark of now; where nothing comes, it goes with the clock."""
        now = Moment.now()
        if self.pulling.idle:
            self.clock.idle(now.clock_us - _DISORDER_US, now.steady_us)
        else:
            self.clock.busy(now.steady_us)
        return self.clock.watermark_us

    def _arrivals(
        self, messages: list[Message], block: Block, clock_us: int
    ) -> tuple[int | None, int | None]:
        """When the first and the last of some messages arrived, as far as that is known."""
        if self.clock.recorded:
            peek = self.source.arrivals
            return peek.first(block.data, clock_us), peek.last(block.data, clock_us)
        published = [message.published_us for message in messages]
        return min(published), max(published)


class _OwnSession(Session):
    """That of a stream whose sinks are in this process, too."""

    def __init__(self, source: ReadPubSub) -> None:
        self.taken = ArrivalClock(source.arrivals.recorded).stamp_ms  # what the engine has
        super().__init__(source, self._safe)

    def _safe(self) -> int:
        taken = self.taken  # looked at first: what is taken after that may wait
        return taken if safe_batches is None else min(taken, safe_batches())

    def resumed(self) -> None:
        """The engine goes on, so it has what was given out before."""
        if self.taken < self.clock.stamp_ms:
            self.taken = self.clock.stamp_ms
            self.pulling.look()


_sessions: dict[str, _OwnSession] = {}
_opening = threading.Lock()


def _session(source: ReadPubSub) -> _OwnSession:
    with _opening:
        if source.session not in _sessions:
            _sessions[source.session] = _OwnSession(source)
        return _sessions[source.session]


def _has_room(until_s: float) -> bool:
    """Waits until so much of what was given out is through that there is room for more.

    Nothing where there is none until then: messages wait meanwhile, and are acknowledged as ever.
    """
    while FLOW.full:
        if time.monotonic() > until_s:
            return False
        time.sleep(_POLL_S)
    return True


@dataclass
class _Pull(beam.DoFn):
    source: ReadPubSub

    @beam.DoFn.unbounded_per_element()
    def process(
        self, _element: bytes, batches: Any = STAMPED_BATCHES, watermark: Any = WATERMARK
    ) -> Iterator[TimestampedValue]:
        """Gives out what there is, or waits a little for it, and asks to be called again."""
        session, until = _session(self.source), time.monotonic() + _SLICE_S
        pulling = session.pulling
        session.resumed()
        if ending := STOP.is_set():
            pulling.stop()
        messages = None  # unless they were asked for
        while _has_room(until) and (messages := pulling.take(self.source.batch_us, _PATIENCE_S)):
            number, block = session.batch(messages)
            if not batches.try_claim(number):
                pulling.give_back(messages)
                return
            pulling.give_out(number, messages)
            FLOW.given(number)
            yield TimestampedValue(block, Timestamp(micros=1000 * number))
            # what was given out goes on its way when this call is over
            if FLOW.full or not pulling.ready or time.monotonic() > until:
                break
        if ending and messages == []:
            watermark.set_watermark(MAX_TIMESTAMP)
            batches.try_claim(END)
            return
        watermark.set_watermark(Timestamp(micros=session.watermark_us()))
        batches.defer_remainder(Duration())
