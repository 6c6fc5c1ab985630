"""Messages that a worker reads, until the engine keeps them and they are acknowledged.

An engine may go back: to a checkpoint, and to another worker. What it says of a bundle then counts:
Beam's bundle finalization. Flink says it of all bundles that ended when it hears of a checkpoint,
also of those that came after the checkpoint began. So what a call left is taken for kept when the
engine has finalized a call that began after that one was finalized: between the two another
checkpoint was made. It is asked for once more, as that other one may have begun before the worker
heard of the first, which happens where the machine has much to do.
"""

import logging
import secrets
import threading
import time
from dataclasses import replace

from pipelines.inputs import Block
from pipelines.inputs.leases import REMEMBERED_S
from pipelines.inputs.messages import Message
from pipelines.message_plan import NOTHING, Known, Plan
from pipelines.read_pubsub import ReadPubSub, Session

_LOG = logging.getLogger(__name__)
_LEFT_S = 60.0  # of silence, after which another worker reads
_NO_CHECKPOINT_S = 60.0
_AT_ONCE_S = 0.1  # what is finalized within is of one checkpoint
_PAUSES_S = 0.2, 10.0

Heard = tuple[int, ...]
"""The last batch of a call that was finalized; that of one before which such a call was; and so on.

The last of them is kept.
"""
CHECKPOINTS = 3


class Keeping:
    """What reading a subscription needs in one worker, from call to call.

    heard: of which batches the engine said that it has them; kept: the last that it will not ask to
    be read again, so that it can be given out. When the call that gave a batch out has ended, its
    messages are acknowledged: then its events and rejects are where they go, whatever becomes of
    the job.
    """

    def __init__(self, source: ReadPubSub, plan: Plan) -> None:
        self.heard: Heard = (NOTHING,) * CHECKPOINTS
        self._given = plan.given
        self._others = plan.read  # up to that another reader has read
        self._turn: bytes | None = None
        self._called_s = self._finalized_s = time.monotonic()
        self._between_s = 0.0  # two checkpoints
        self._left = self._told = False
        self._lock = threading.Lock()
        self._session = Session(source, self._safe)
        self._session.clock.resume(plan.read, plan.watermark_us)
        for each in plan.known:
            self._session.pulling.expect(each.number, each.ids)

    def goes_on(self, plan: Plan) -> bool:
        """Whether this is what was left here last."""
        self._called_s = time.monotonic()
        turn, self._turn = self._turn, None  # until this call has left something
        if plan.turn != turn or self._left:
            return False
        self._given = plan.given
        self._session.pulling.look()
        return True

    def take(self, patience_s: float) -> list[Message]:
        """The next messages; none where none come for so long."""
        return self._session.pulling.take(self._session.source.batch_us, patience_s)

    def batch(self, messages: list[Message]) -> tuple[int, Block]:
        """A block of messages, and its number."""
        return self._session.batch(messages)

    def take_in(self, number: int, messages: list[Message]) -> None:
        """Messages became a batch of the plan."""
        self._session.pulling.give_out(number, messages)

    def give_back(self, messages: list[Message]) -> None:
        """They did not."""
        self._session.pulling.give_back(messages)

    def left(self, plan: Plan) -> Plan:
        """What this call leaves to the engine: what is acknowledged is not known any more.

        What another reader read may come again when its leases are over, and is known so long.
        """
        now, done = time.time(), self._session.pulling.acknowledged
        self._turn = secrets.token_bytes(16)
        known = [self._until(each, now) for each in plan.known]
        return replace(
            plan,
            known=tuple(
                each
                for each in known
                if (each.number > done if each.until_s is None else each.until_s > now)
            ),
            watermark_us=self._session.watermark_us(),
            turn=self._turn,
        )

    def finalize(self, before: Heard, read: int) -> None:
        """A call is finalized: what was heard when it began, and the last batch by its end.

        Any thread may call it, in any order.
        """
        with self._lock:
            self.heard = tuple(map(max, self.heard, (read, *before)))
            since, self._finalized_s = self._finalized_s, time.monotonic()
            if self._finalized_s > since + _AT_ONCE_S:
                self._between_s = self._finalized_s - since

    @property
    def kept(self) -> int:
        """The last batch that the engine has for good."""
        return self.heard[-1]

    @property
    def pause_s(self) -> float:
        """How long the next call can wait: nothing is given out before the next checkpoint.

        Each call leaves something in the state of some engines.
        """
        least, most = _PAUSES_S
        return min(max(self._between_s / 4, least), most)

    def leave(self) -> None:
        """Reads no more, and gives back what is not acknowledged."""
        self._left = True
        self._session.pulling.close(all_safe=False)

    def look_for_checkpoints(self) -> None:
        """Tells once, in the log, that nothing is kept: then nothing is given out either."""
        if not self._told and time.monotonic() > self._finalized_s + _NO_CHECKPOINT_S:
            self._told = True
            _LOG.warning(
                "%s: messages wait until the engine has made %d checkpoints, and it has made none"
                " for a minute: see --checkpointing_interval",
                self._session.source.subscription,
                CHECKPOINTS,
            )

    def _until(self, known: Known, now: float) -> Known:
        if known.until_s is None and known.number <= self._others:
            return replace(known, until_s=now + REMEMBERED_S)
        return known

    def _safe(self) -> int:
        silent = time.monotonic() > self._called_s + _LEFT_S
        if silent and not self._left:
            self._left = True
            threading.Thread(target=self.leave, name="pubsub leave", daemon=True).start()
        return self._given


KEEPINGS: dict[str, Keeping] = {}
"""Those of this process, by the session of their source."""


def keeping(source: ReadPubSub, plan: Plan) -> Keeping:
    """That of this process for a call with this plan; a new one, when the engine has gone back."""
    before = KEEPINGS.get(source.session)  # calls of one source never overlap
    if before and before.goes_on(plan):
        return before
    if before:
        before.leave()
    KEEPINGS[source.session] = Keeping(source, plan)
    return KEEPINGS[source.session]
