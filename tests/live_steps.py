"""The steps of a stream by hand: any micro-batching, bundling and timing of panes, and no engine.

What an engine may do between two elements is drawn: end a bundle, let one fail, let a timer of the
clock be due, keep elements of different keys in any order.
"""

import random
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from apache_beam.utils.timestamp import Timestamp

from kernels import Outputs
from keyed_step import KeyedStep, values_of
from pipelines.inputs import Block
from rates import RateBook
from transforms.block_reader import BlockReader
from transforms.catalog import Catalog
from transforms.deduplicate_live import FirstProcessed
from transforms.live import Live
from transforms.measure import Measurer
from transforms.price import Pricer
from transforms.revise import CutWindows, Revise
from transforms.run import Run
from transforms.running_ledger import CountBundle, RunningLedger
from transforms.scope import Scope


@dataclass
class LiveSteps:
    """Every step of a stream; `seed` decides what an engine does."""

    run: Run
    catalog: Catalog
    book: RateBook
    source: str
    live: Live
    buckets: int = 2
    seed: int = 0
    outputs: Outputs = field(default_factory=Outputs)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - an order, no secret
        scope = Scope(as_streamed=True)
        self.read = BlockReader(self.run, self.catalog, self.source, self.buckets)
        self.first = KeyedStep(FirstProcessed(self.run, self.catalog))
        self.measure = Measurer(self.run, self.catalog, self.book, scope, self.buckets, rated=True)
        self.cut = CutWindows(self.catalog)
        self.cut.setup()
        self.cut.start_bundle()
        self.revise = KeyedStep(Revise(self.live))
        self.price = Pricer(self.run, self.catalog, self.book)
        self.count = CountBundle()
        self.count.start_bundle()
        self.ledger = KeyedStep(RunningLedger(self.run.run_id))

    def process(self, batches: Sequence[tuple[int, Sequence[Block]]]) -> Outputs:
        """From micro-batches with their stamps (µs) to the rows of all tables, as written."""
        for stamp, blocks in batches:
            self._pass_watermark(stamp)
            for block in blocks:
                self._read(block, stamp)
            if self.chance.random() < 0.7:
                self._flush(stamp)
            for step in (self.first, self.revise, self.ledger):
                if self.chance.random() < 0.5:
                    step.end_bundle()
            self._let_clock_timers_fire(0.3)
        self._flush(batches[-1][0] if batches else 0)
        self._pass_watermark(None)
        self._let_clock_timers_fire(1)
        return self.outputs

    def left(self) -> tuple[int, int]:
        """How much state and how many timers are left of panes and ledger."""
        steps = (self.revise, self.ledger)
        return sum(step.kept for step in steps), sum(len(step.timers) for step in steps)

    def _read(self, block: Block, stamp: int) -> None:
        for tag, value in self.read(block):
            if tag == "readings":
                for tagged in self.first.process(value, stamp):
                    self._take(tagged.tag, tagged.value, stamp)
            else:
                self._take(tag, value, stamp)

    def _take(self, tag: str, value: Any, stamp: int) -> None:
        """One result of a kernel, to where the graph leads it."""
        if tag == "accepted":
            for name, result in self.measure(value):
                self._take(name, result, stamp)
        elif tag == "partials":
            self.cut.process(value, Timestamp(micros=stamp))
        elif tag == "counts":
            self.count.process(value, Timestamp(micros=stamp))
        else:
            self.outputs.take(tag, value)

    def _flush(self, stamp: int) -> None:
        """Ends the bundles in which deltas and counts are gathered."""
        deltas = values_of(self.cut.finish_bundle())
        self.cut.start_bundle()
        counts = values_of(self.count.finish_bundle())
        self.count.start_bundle()
        self.chance.shuffle(deltas)
        for delta in deltas:
            if self.chance.random() < 0.1:
                with self.revise.failing_bundle():
                    self.revise.process(delta, stamp)
            self._price(self.revise.process(delta, stamp))
        for hourly in counts:
            self._write_ledger(self.ledger.process(hourly, stamp))

    def _pass_watermark(self, watermark: int | None) -> None:
        """Lets timers of event time be due, the first one first; None is the end of time."""
        for step in (self.first, self.revise, self.ledger):
            done = deque(maxlen=1000)  # a step that sets timers for ever would not end
            while (due := step.event_timers(watermark)) and len(done) < 1000:
                done.append(due[0])
                self._fire(step, due[0])

    def _let_clock_timers_fire(self, share: float) -> None:
        for step in (self.revise, self.ledger):
            for timer in step.clock_timers():
                if self.chance.random() < share:
                    self._fire(step, timer)

    def _fire(self, step: KeyedStep, timer: Any) -> None:
        outputs = step.fire(timer)
        if step is self.revise:
            self._price(outputs)
        elif step is self.ledger:
            self._write_ledger(outputs)

    def _price(self, panes: Sequence[Any]) -> None:
        for pane in panes:
            for tag, rows in self.price(pane):
                self.outputs.take(tag, rows)

    def _write_ledger(self, rows: Sequence[Any]) -> None:
        for batch in rows:
            self.outputs.take("ledger", batch)


@dataclass(frozen=True)
class Line:
    """A record where it stood, with its line end."""

    path: str
    offset: int
    data: bytes
    oversized: bool = False


def lines_of(blocks: Sequence[Block]) -> Iterator[Line]:
    """The records of blocks of line files, one by one."""
    for block in blocks:
        at = block.start
        for data in BytesIO(block.data):  # lines end with a line feed, and with nothing else
            yield Line(block.path, at, data)
            at += len(data)
        for offset, first in block.oversized:
            yield Line(block.path, offset, first, oversized=True)


def block_of(lines: Sequence[Line], clock_us: int) -> Block:
    """Records of one path as read by a clock; only the last may lack its line end."""
    plain = [line for line in lines if not line.oversized]
    return Block(
        lines[0].path,
        b"".join(line.data for line in plain),
        offsets=np.array([line.offset for line in plain], np.int64),
        oversized=tuple((line.offset, line.data) for line in lines if line.oversized),
        clock_us=clock_us,
    )


def latest(
    rows: Sequence[dict[str, Any]], identity: Sequence[str], by: str
) -> list[dict[str, Any]]:
    """Of the rows of one identity the one with the greatest count, as the views have it."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        group = tuple(row[name] for name in identity)
        found[group] = max(found.get(group, row), row, key=lambda each: each[by])
    return list(found.values())


def counts_of(rows: Sequence[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    """Rows of the ledger as batch counts them."""
    names = ("period_start", "meter", "outcome", "reason")
    return Counter(
        {
            tuple(row[n] or ("" if n != "period_start" else 0) for n in names): row["events"]
            for row in rows
        }
    )
