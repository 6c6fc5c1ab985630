"""What a reader of messages leaves to the engine: what is to come next, and which were read.

It is the restriction of the reading step, which the engine keeps in its checkpoints. Batches are in
it from when they are read until they are given out, with their numbers and clocks: so an engine
that goes back gives out the same batches, in the same order, whatever order the service has for
messages that it delivers again.
"""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.transforms.core import RestrictionProvider

from pipelines.inputs import Block
from transforms.timestamps import FIRST

NOTHING = FIRST // 1000 - 1


@dataclass(frozen=True)
class Waiting:
    """A batch that was read, and its number."""

    number: int
    block: Block


@dataclass(frozen=True)
class Known:
    """The ids of the messages of a batch; until: when they may be forgotten (s), if it is known."""

    number: int
    ids: tuple[str, ...]
    until_s: float | None = None


@dataclass(frozen=True)
class Plan:
    """Where reading stands between two calls.

    read: the last batch that was read; waiting: those that were not given out yet; known: messages
    that were read and perhaps not acknowledged; watermark_us: the clock's; turn: of which call this
    is left, so that a reader finds out when the engine has gone back.
    """

    read: int = NOTHING
    waiting: tuple[Waiting, ...] = ()
    known: tuple[Known, ...] = ()
    watermark_us: int = FIRST
    turn: bytes = b""

    @property
    def given(self) -> int:
        """The last batch that was given out."""
        return self.waiting[0].number - 1 if self.waiting else self.read

    @property
    def bytes_waiting(self) -> int:
        """How much is read and not given out."""
        return sum(len(each.block.data) for each in self.waiting)

    def with_batch(self, number: int, block: Block, ids: Sequence[str]) -> "Plan":
        """With a batch more that waits."""
        return replace(
            self,
            read=number,
            waiting=(*self.waiting, Waiting(number, block)),
            known=(*self.known, Known(number, tuple(ids))),
        )

    def without_first(self) -> "Plan":
        """When the first batch that waited is given out."""
        return replace(self, waiting=self.waiting[1:])


class _PlanCoder(beam.coders.Coder):
    """Plans are written and read by workers of one job."""

    def encode(self, value: Plan) -> bytes:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)

    def decode(self, encoded: bytes) -> Plan:
        plan: Plan = pickle.loads(encoded)  # noqa: S301 - written by this job's own workers
        return plan

    def is_deterministic(self) -> bool:
        return False

    def to_type_hint(self) -> type:
        return Plan


class _Tracker(RestrictionTracker):
    """A plan that a call changes, until the rest is put off: to claim is to put another in place.

    It is never shared: what a reader holds is in one process.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan, self._put_off = plan, False

    def current_restriction(self) -> Plan:
        return self._plan

    def current_progress(self) -> RestrictionProgress:
        return RestrictionProgress(fraction=0.0)

    def try_claim(self, position: Plan) -> bool:
        if not self._put_off:
            self._plan = position
        return not self._put_off

    def try_split(self, fraction_of_remainder: float) -> Any:
        if fraction_of_remainder or self._put_off:
            return None
        self._put_off = True
        return Plan(), self._plan

    def check_done(self) -> bool:
        if not self._put_off:
            raise ValueError("a subscription has no end")
        return True

    def is_bounded(self) -> bool:
        return False


class _Plans(RestrictionProvider):
    def initial_restriction(self, element: bytes) -> Plan:  # noqa: ARG002 - Beam's
        return Plan()

    def create_tracker(self, restriction: Plan) -> _Tracker:
        return _Tracker(restriction)

    def restriction_coder(self) -> beam.coders.Coder:
        return _PlanCoder()

    def restriction_size(self, element: bytes, restriction: Plan) -> int:  # noqa: ARG002
        return 1

    def truncate(self, element: bytes, restriction: Plan) -> None:  # noqa: ARG002
        """A job that is drained reads no more."""
        return


PLANS = beam.DoFn.RestrictionParam(_Plans())
