"""Gives out the micro-batches of followed folders by number: each the same, however often asked.

What was given out is in the journal, so a batch is either one of the journal or the next new one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

from pipelines.arrival_clock import ArrivalClock
from pipelines.earlier_batches import EarlierBatches, content_of
from pipelines.inputs.arrivals import Arrivals
from pipelines.inputs.block import Block
from pipelines.inputs.tail import Fresh, TailFolders
from pipelines.inputs.tail_watch import Moment
from pipelines.journal import Entry, Journal
from pipelines.notices import notify
from pipelines.problems import UserError
from pipelines.stopping import STOP
from transforms.catalog import Source
from transforms.lines import Lines
from transforms.timestamps import FIRST


class RateVersions(Protocol):
    """Says which version of the rates holds for events that are read now."""

    def current(self) -> str | None:
        """Its name; None for a run without rates."""
        ...


@dataclass(frozen=True)
class Tail:
    """What is followed, and for which run.

    folders: absolute paths. A batch is given out when it has `batch_rows` lines, or `batch_us`
    after its first was seen. source: how records say when they arrived; one of more than
    `tolerance_us` after the clock is not believed.
    """

    folders: Sequence[str | Path]
    out: str | Path
    run_id: str
    source: Source
    tolerance_us: int
    batch_rows: int
    batch_us: int
    rates: RateVersions

    @property
    def journal(self) -> Path:
        """The folder of its journal."""
        return Path(self.out) / f".stream-{self.run_id}"


class Batch(NamedTuple):
    """A micro-batch, its stamp (ms), and the watermark (µs) behind it."""

    block: Block
    stamp_ms: int
    watermark_us: int


@dataclass(frozen=True)
class TailProgress:
    """How far streams of this process have come.

    files: followed; behind_bytes: seen and not given out; last_arrival_us and watermark_us: None
    before the first; lost: files that could not be read to their end; replayed: batches given out
    again, of `journalled` that there were at the start.
    """

    files: int = 0
    behind_bytes: int = 0
    last_arrival_us: int | None = None
    watermark_us: int | None = None
    lost: int = 0
    replayed: int = 0
    journalled: int = 0


class TailReader:
    """Reads for one run, in one process, a batch at a time.

    Opening it reads the origins of the run's events, to know which are in the table already. Raises
    UserError where records that were given out before are nowhere any more, InputReadError where a
    table cannot be read, and OSError where the journal cannot be written. abandoned: whether it was
    stopped before it had given out again what the journal had.
    """

    def __init__(self, tail: Tail, now: Callable[[], Moment] = Moment.now) -> None:
        arrivals = Arrivals(tail.source, tail.tolerance_us)
        self._now, self._rates, self._folder = now, tail.rates, tail.journal
        self._journal = Journal(tail.journal)
        self._earlier = EarlierBatches(self._journal, Path(tail.out), tail.run_id)
        self._clock = ArrivalClock(arrivals.recorded)
        self._clock_us, self._replayed = 0, 0
        self.finished = self.abandoned = False
        if len(self._journal):
            last = self._journal.entry(len(self._journal) - 1)
            self._clock.resume(last.stamp_ms, last.watermark_us)
            self._clock_us = last.clock_us
        self._folders = TailFolders(
            [str(folder) for folder in tail.folders],
            batch_lines=tail.batch_rows,
            batch_us=tail.batch_us,
            arrivals=arrivals,
            left=self._earlier.files,
            report=notify,
        )

    @property
    def watermark_us(self) -> int:
        """No new batch will have a stamp before it. Those in the journal may."""
        return self._clock.watermark_us

    @property
    def ended(self) -> bool:
        """Whether all batches were given out, or all that a stop leaves."""
        return self.abandoned or self._folders.ended

    @property
    def idle(self) -> bool:
        """Whether no batch is in the making."""
        return self._folders.idle

    @property
    def behind(self) -> bool:
        """Whether the last new batch was full: more comes than goes at once."""
        return self._folders.behind

    @property
    def progress(self) -> TailProgress:
        """How far it has come. Any thread may ask."""
        watermark = self._clock.watermark_us
        return TailProgress(
            self._folders.watch.followed,
            self._folders.behind_bytes,
            self._clock.latest_us,
            None if watermark == FIRST else watermark,
            self._folders.watch.lost,
            self._replayed,
            len(self._earlier),
        )

    def finish(self) -> None:
        """Its stream is over: whoever asks for it from now on begins another one."""
        self.finished = True

    def close(self) -> None:
        """Give the journal back."""
        self._journal.close()

    def had(self, number: int) -> bool:
        """Whether the batch of this number was given out by an earlier process."""
        return number < len(self._earlier)

    def look(self) -> None:
        """See what came, while nothing can be given out: so its waiting begins."""
        self._folders.poll(self._moment())

    def batch(self, number: int) -> Batch | None:
        """The batch of this number: one given out before, or the next; None if none is ready.

        Raises UserError, InputReadError and OSError; then it has to be opened anew.
        """
        if number < len(self._journal):
            return self._again(number)
        if number > len(self._journal):
            raise UserError(f"{self._folder}: the journal ends before batch {number}")
        if STOP.is_set():
            self._folders.close()
        now = self._moment()
        self._folders.poll(now)
        fresh = self._folders.take(now)
        if fresh is not None:
            return self._give(fresh, now)
        if self._folders.idle:
            self._clock.idle(*now)
        else:
            self._clock.busy(now.steady_us)
        return None

    def _moment(self) -> Moment:
        """Now; the clock is never set back."""
        now = self._now()
        self._clock_us = max(self._clock_us, now.clock_us)
        return now._replace(clock_us=self._clock_us)

    def _give(self, fresh: Fresh, now: Moment) -> Batch:
        self._clock.busy(now.steady_us)
        entry = Entry(
            path=fresh.block.path,
            start=fresh.block.start,
            end=fresh.end,
            clock_us=now.clock_us,
            stamp_ms=self._clock.stamp(fresh.first_us, now.clock_us),
            watermark_us=self._clock.given(fresh.last_us, fresh.held_us, now.clock_us),
            rates=self._rates.current(),
            records=len(Lines.of(fresh.block.data)) + len(fresh.block.oversized),
            content=content_of(fresh.block),
        )
        self._journal.append(entry)
        return _batch(fresh.block, entry)

    def _again(self, number: int) -> Batch | None:
        if STOP.is_set() and number < len(self._earlier):
            self.abandoned = True
            return None
        self._replayed = max(self._replayed, min(number + 1, len(self._earlier)))
        return _batch(self._earlier.block(number), self._journal.entry(number))


def _batch(block: Block, entry: Entry) -> Batch:
    pinned = replace(block, clock_us=entry.clock_us, rates=entry.rates)
    return Batch(pinned, entry.stamp_ms, entry.watermark_us)
