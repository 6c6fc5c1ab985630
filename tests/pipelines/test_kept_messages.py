"""Messages on an engine that goes back to a checkpoint: the same batches, and each message once.

The engine is played by the tests, call by call, with Beam's own parts of it.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.runners.sdf_utils import (
    RestrictionTrackerView,
    ThreadsafeRestrictionTracker,
    ThreadsafeWatermarkEstimator,
)
from apache_beam.transforms.core import _BundleFinalizerParam
from pubsub_desk import call, source

from pipelines.kept_messages import KEEPINGS
from pipelines.message_plan import PLANS, Plan
from pipelines.read_far import Pull
from pipelines.read_pubsub import ReadPubSub
from pubsub_emulator import Emulator
from stream_desk import until

Call = tuple[int, bytes]
Checkpoint = tuple[bytes, Any, int]


class Engine:
    """Calls the reading step; `given` has the stamp (µs) and the records of what came of it."""

    def __init__(self, read: ReadPubSub) -> None:
        self.step = Pull(read)
        self.provider = PLANS.restriction_provider
        self.coder = self.provider.restriction_coder()
        self.plan = self.coder.encode(self.provider.initial_restriction(b""))
        self.given: list[Call] = []
        self.ended: list[_BundleFinalizerParam] = []
        self.watermark: Any = None

    def call(self) -> None:
        """One call, and what it leaves."""
        left = self._process()
        self.plan, self.watermark = self.coder.encode(left), self._estimator.current_watermark()

    def fail(self) -> bool:
        """A call of which nothing is taken; whether it had read something."""
        waiting = self._process().waiting
        self.ended.pop()
        return bool(waiting)

    def _process(self) -> Plan:
        tracker = ThreadsafeRestrictionTracker(self.provider.create_tracker(self.left))
        self._estimator = ThreadsafeWatermarkEstimator(ManualWatermarkEstimator(self.watermark))
        self.ended.append(_BundleFinalizerParam())
        view = RestrictionTrackerView(tracker)
        for stamped in self.step.process(b"", self.ended[-1], view, self._estimator):
            assert self.watermark is None or stamped.timestamp >= self.watermark
            self.given.append((stamped.timestamp.micros, stamped.value.data))
        residual, _ = tracker.deferred_status() or (Plan(), None)
        return residual

    def checkpoint(self) -> Checkpoint:
        """What the engine would go back to. It says of all calls that they are over."""
        begun = self.begun()
        self.hear()
        return begun

    def begun(self) -> Checkpoint:
        """A checkpoint of which the worker has not heard yet."""
        return self.plan, self.watermark, len(self.given)

    def hear(self) -> None:
        """The worker hears of a checkpoint: it is said of all calls that are over."""
        for bundle in self.ended:
            bundle.finalize_bundle()
        self.ended.clear()

    def go_back(self, checkpoint: Checkpoint) -> list[Call]:
        """Goes on from there; gives what was given out since."""
        self.plan, self.watermark, count = checkpoint
        self.ended.clear()
        undone = self.given[count:]
        del self.given[count:]
        return undone

    @property
    def left(self) -> Plan:
        plan: Plan = self.coder.decode(self.plan)
        return plan

    @property
    def records(self) -> list[bytes]:
        return [line for _, data in self.given for line in data.splitlines()]


@pytest.fixture
def begin() -> Iterator[Callable[[str], Engine]]:
    """Engines that read a subscription, ten messages a batch; in the end nobody reads."""
    yield lambda address: Engine(source(address, batch_rows=10))
    goes()


def goes() -> None:
    """A worker is gone."""
    for each in KEEPINGS.values():
        each.leave()
    KEEPINGS.clear()


def until_read(engine: Engine, count: int) -> None:
    def enough() -> bool:
        engine.call()
        return sum(len(each.block.origins) for each in engine.left.waiting) >= count

    until(enough)


def until_given(engine: Engine, count: int) -> None:
    def enough() -> bool:
        engine.call()
        engine.checkpoint()
        return len(engine.records) >= count

    until(enough)


def test_nothing_is_given_out_until_three_checkpoints_were_made(
    service: Emulator, begin: Callable[[str], Engine]
) -> None:
    engine = begin(address := service.subscribe("three"))
    service.publish(address, [call(1)])
    until_read(engine, 1)
    for _ in range(2):
        engine.checkpoint()
        engine.call()
        assert not engine.given
    engine.checkpoint()
    engine.call()
    assert len(engine.given) == 1


def test_nothing_is_given_out_that_came_after_a_checkpoint_which_began_before_the_last_was_heard_of(
    service: Emulator, begin: Callable[[str], Engine]
) -> None:
    engine = begin(address := service.subscribe("overtakes"))
    engine.call()
    second = engine.begun()  # the first has ended, and nobody has told the worker
    service.publish(address, [call(1)])
    until_read(engine, 1)
    for _ in range(2):  # of the first, then of the second, which has nothing of the message
        engine.hear()
        engine.call()
    assert not engine.go_back(second)
    until_given(engine, 1)
    assert len(engine.records) == 1


def test_an_engine_that_goes_back_gets_the_same_batches_in_the_same_order(
    service: Emulator, begin: Callable[[str], Engine]
) -> None:
    engine = begin(address := service.subscribe("same"))
    since = datetime.now(UTC)
    service.publish(address, payloads := [call(number) for number in range(35)])
    until_read(engine, 35)
    checkpoint = engine.checkpoint()
    until_given(engine, 35)
    undone = engine.go_back(checkpoint)
    goes()
    service.publish(address, [b"later"])
    service.deliver_again(address, since)  # also what is acknowledged
    until_given(engine, 36)
    assert engine.given[: len(undone)] == undone
    assert sorted(engine.records) == sorted([*payloads, b"later"])
    engine.call()
    assert not left_over(service, address)


def test_what_is_in_no_checkpoint_is_delivered_again(
    service: Emulator, begin: Callable[[str], Engine]
) -> None:
    engine = begin(address := service.subscribe("again"))
    engine.call()
    checkpoint = engine.checkpoint()
    service.publish(address, payloads := [call(number) for number in range(15)])
    until_read(engine, 15)
    engine.go_back(checkpoint)  # in the same worker, which gives back what it has
    until_given(engine, 15)
    assert sorted(engine.records) == sorted(payloads)
    engine.call()
    assert not left_over(service, address)


def test_a_message_is_acknowledged_when_the_call_that_gave_it_out_has_ended(
    service: Emulator, begin: Callable[[str], Engine]
) -> None:
    engine = begin(address := service.subscribe("acknowledged"))
    service.publish(address, [call(1)])
    until_given(engine, 1)
    engine.call()
    assert not left_over(service, address)


def test_a_message_is_not_acknowledged_in_the_call_that_gives_it_out(
    service: Emulator, begin: Callable[[str], Engine]
) -> None:
    engine = begin(address := service.subscribe("kept"))
    service.publish(address, [payload := call(1)])
    until_given(engine, 1)
    goes()
    assert service.pull_all(address, 1) == [payload]


def test_what_a_call_had_read_that_failed_comes_again(
    service: Emulator, begin: Callable[[str], Engine]
) -> None:
    engine = begin(address := service.subscribe("fails"))
    engine.call()
    checkpoint = engine.checkpoint()
    service.publish(address, [call(1)])
    until(engine.fail)
    engine.go_back(checkpoint)
    until_given(engine, 1)
    assert len(engine.records) == 1
    engine.call()
    assert not left_over(service, address)


def left_over(service: Emulator, address: str) -> int:
    """How many messages are left for others when the reader goes."""
    goes()
    return len(service.pull(address))
