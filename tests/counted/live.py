"""The steps of a stream by hand, a micro-batch at a time: what each takes for one.

There is no engine: `requests of state` are what one would be asked.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apache_beam.utils.timestamp import Timestamp

from counted.counter import StepCounter
from keyed_step import KeyedStep, values_of
from pipelines.inputs import Block
from pipelines.settings import check_files
from transforms.block_reader import BlockReader
from transforms.deduplicate_live import FirstProcessed
from transforms.live import Live
from transforms.measure import Measurer
from transforms.price import Pricer
from transforms.revise import CutWindows, Revise
from transforms.run import Run
from transforms.running_ledger import CountBundle, RunningLedger
from transforms.scope import Scope

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from live_feed import Feed  # noqa: E402 - after the path

START = datetime(2026, 1, 15, 10, tzinfo=UTC)
BATCHES, ROWS, APART_US = 20, 500, 1000
REQUESTS, TIMERS = "requests of state", "timers set in all"
GIVEN, KEPT, WRITTEN = "bytes given to it", "bytes of state in the end", "batches given out"
WHOLE = (TIMERS, KEPT)


@dataclass
class LiveSteps:
    """Each step over all micro-batches; each micro-batch is a bundle."""

    count: StepCounter = field(default_factory=lambda: StepCounter(WHOLE))

    def __post_init__(self) -> None:
        files = (BENCHMARKS / name for name in ("live_catalog.yaml", "live_rates.csv"))
        catalog, book = check_files(*map(str, files))
        run = Run("counted", round(START.timestamp() * 1e6))
        self.read = BlockReader(run, catalog, "native", 1)
        self.first = KeyedStep(FirstProcessed(run, catalog))
        self.measure = Measurer(run, catalog, book, Scope(as_streamed=True), 1, rated=True)
        self.cut = CutWindows(catalog)
        self.cut.setup()
        self.revise = KeyedStep(Revise(Live(early_us=0)))
        self.price = Pricer(run, catalog, book)
        self.counts = CountBundle()
        self.ledger = KeyedStep(RunningLedger(run.run_id))

    def take(self) -> None:
        """Counts them all."""
        for block, stamp in _batches():
            self.cut.start_bundle()
            self.counts.start_bundle()
            readings = self._done("Validate", self.read, [block], "readings", stamp)
            accepted = self._deduplicated(readings, stamp)
            partials = self._done("Measure", self.measure, accepted, "partials", stamp)
            with self.count.step("Cut windows"):
                for each in partials:
                    self.cut.process(each, Timestamp(micros=stamp))
                deltas = values_of(self.cut.finish_bundle())
            panes = list(self._kept("Revise", self.revise, deltas, stamp))
            self._done("Price", self.price, panes, "usage", stamp)
            self._counted(stamp)
        for name, step in self._stateful():
            self.count.add(name, REQUESTS, step.requests)
            sizes = [len(value) for bag in step.bags.values() for value in bag.content]
            self.count.add(name, KEPT, sum(sizes))
        for name, step in self._stateful()[:2]:  # the ledger's timers go by the clock
            self.count.add(name, TIMERS, step.settings)

    def _stateful(self) -> list[tuple[str, KeyedStep]]:
        return [("Deduplicate", self.first), ("Revise", self.revise), ("Ledger", self.ledger)]

    def _deduplicated(self, readings: Iterable[tuple[int, bytes]], stamp: int) -> list[Any]:
        outputs = list(self._kept("Deduplicate", self.first, readings, stamp))
        return self._passed([(each.tag, each.value) for each in outputs], "accepted", stamp)

    def _kept(
        self, name: str, step: KeyedStep, elements: Iterable[tuple[Any, bytes]], stamp: int
    ) -> Iterator[Any]:
        """What a step with state gives in a bundle of its own."""
        step.end_bundle()
        for element in elements:
            self.count.add(name, GIVEN, len(element[1]))
            with self.count.step(name):
                outputs = step.process(element, stamp)
            yield from outputs

    def _done(
        self, name: str, kernel: Any, elements: Iterable[Any], tag: str, stamp: int
    ) -> list[Any]:
        """What a kernel gives for one of its outputs."""
        passed = []
        for element in elements:
            with self.count.step(name):
                results = list(kernel(element))
            passed += self._passed(results, tag, stamp)
        self.count.add(name, WRITTEN, len(passed))
        return passed

    def _passed(self, results: Iterable[tuple[str, Any]], tag: str, stamp: int) -> list[Any]:
        passed = []
        for name, value in results:
            if name == tag:
                passed.append(value)
            elif name == "counts":
                self.counts.process(value, Timestamp(micros=stamp))
        return passed

    def _counted(self, stamp: int) -> None:
        hourly = values_of(self.counts.finish_bundle())
        list(self._kept("Ledger", self.ledger, hourly, stamp))


def _batches() -> Iterator[tuple[Block, int]]:
    feed, at = Feed(200, START, APART_US), 0
    for number in range(BATCHES):
        data = feed.lines(number * ROWS, (number + 1) * ROWS)
        now_us = round(START.timestamp() * 1e6) + (number + 1) * ROWS * APART_US
        yield Block("f", data, at, clock_us=now_us), now_us
        at += len(data)
