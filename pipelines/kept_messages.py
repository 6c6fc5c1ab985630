"""Messages that a worker gave out, until the engine keeps what came of them.

An engine may go back: to a checkpoint, and to another worker. What it says of a bundle then counts:
Beam's bundle finalization. Flink says it of all bundles that ended when it hears of a checkpoint,
also of those that came after the checkpoint began. So a bundle that was finalized is taken for kept
when one that began later is finalized, too: between the two another checkpoint was made.
"""

import threading
import time

from pipelines.inputs import Block
from pipelines.inputs.messages import Message
from pipelines.read_pubsub import ReadPubSub, Session
from transforms.timestamps import FIRST

_PATIENCE_S = 0.2
_LEFT_S = 60.0  # of silence, after which another worker reads
NOTHING = FIRST // 1000 - 1


class Keeping:
    """What reading a subscription needs in one worker, from call to call.

    given: the last batch that was given out; finalized: the last of which the engine said so;
    kept: the last for which it will not ask again.
    """

    def __init__(self, source: ReadPubSub, start: int, watermark_us: int) -> None:
        self.given = self.finalized = self.kept = max(start - 1, NOTHING)
        self._source, self._called_s, self._left = source, time.monotonic(), False
        self._session = Session(source, self._safe)
        self._session.clock.resume(self.given, watermark_us)

    def goes_on(self, start: int) -> bool:
        """Whether a call that begins with this number follows on what was given out."""
        self._called_s = time.monotonic()
        return max(start - 1, NOTHING) == self.given and not self._left

    def take(self) -> list[Message]:
        """The next messages; none where none come for a moment."""
        return self._session.pulling.take(self._source.batch_us, _PATIENCE_S)

    def batch(self, messages: list[Message]) -> tuple[int, Block]:
        """A block of messages, and its number."""
        return self._session.batch(messages)

    def give_out(self, number: int, messages: list[Message]) -> None:
        """Messages became a batch, which the engine takes."""
        self.given = number
        self._session.pulling.give_out(number, messages)

    def give_back(self, messages: list[Message]) -> None:
        """They did not."""
        self._session.pulling.give_back(messages)

    def watermark_us(self) -> int:
        """See `Session`."""
        return self._session.watermark_us()

    def finalize(self, before: int, last: int) -> None:
        """A bundle is finalized: `before` was when it began, and `last` the last batch by its end.

        Any thread may call it, in any order.
        """
        with _opening:
            self.kept = max(self.kept, before)
            self.finalized = max(self.finalized, last)
        self._session.pulling.look()

    def leave(self) -> None:
        """Reads no more, and gives back what is not acknowledged."""
        self._left = True
        self._session.pulling.close(all_safe=False)

    def _safe(self) -> int:
        silent = time.monotonic() > self._called_s + _LEFT_S
        if silent and not self._left:
            self._left = True
            threading.Thread(target=self.leave, name="pubsub leave", daemon=True).start()
        return self.kept


_keepings: dict[str, Keeping] = {}
_opening = threading.Lock()


def keeping(source: ReadPubSub, start: int, watermark_us: int) -> Keeping:
    """That of this process for a call that begins with this number, and this watermark.

    A new one, when the engine has gone back behind what the one before gave out. Its watermark goes
    on from the engine's, which takes none that is behind.
    """
    before = _keepings.get(source.session)  # calls of one source never overlap
    if before and before.goes_on(start):
        return before
    if before:
        before.leave()
    _keepings[source.session] = Keeping(source, start, watermark_us)
    return _keepings[source.session]
