"""The steps of a stream, one after the other in this process, and what each is asked and gives."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import event_lines
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.utils.timestamp import Timestamp

from pipelines.gather_messages import Gather
from pipelines.inputs import Block
from rates import RateBook, load_rates
from transforms.arrow_coder import to_bytes
from transforms.block_reader import BlockReader
from transforms.catalog import Catalog
from transforms.catalog_file import load_catalog
from transforms.deduplicate_live import FirstProcessed
from transforms.live import Live
from transforms.measure import Measurer
from transforms.price import Pricer
from transforms.revise import CutWindows, Revise
from transforms.run import Run
from transforms.running_ledger import CountBundle
from transforms.scope import Scope

HERE = Path(__file__).parent
SPAN_US = 1_800_000_000
NOW_US = event_lines.FIRST_US + SPAN_US  # half past an hour: its window is open
NOW = Timestamp(micros=NOW_US)


@dataclass
class State:
    """A cell, a bag or a timer of one key in this process; `uses` counts what is asked of it."""

    kind: str
    uses: Counter[str]
    values: list[bytes] = field(default_factory=list)

    def read(self) -> Any:
        """Everything, or the one value."""
        self.uses["reads"] += 1
        if self.kind == "cell":
            return self.values[0] if self.values else None
        return self.values

    def add(self, value: bytes) -> None:
        """One more."""
        self.uses["writes"] += 1
        self.uses["bytes"] += len(value)
        self.values.append(value)

    def write(self, value: bytes) -> None:
        """Instead of the one before."""
        self.values.clear()
        self.add(value)

    def clear(self) -> None:
        """Nothing is left."""
        self.uses["writes"] += 1
        self.values = []

    def set(self, _: Any) -> None:
        """A timer is not kept."""
        self.uses["timers"] += 1


@dataclass
class States:
    """The states of a step, those of a key made when they are first used."""

    kinds: str
    uses: Counter[str] = field(default_factory=Counter)
    of: dict[Any, list[State]] = field(default_factory=dict)

    def __getitem__(self, key: Any) -> list[State]:
        if key not in self.of:
            self.of[key] = [State(kind, self.uses) for kind in self.kinds.split()]
        return self.of[key]


class Second:
    """A second of a stream through all steps, and what each took."""

    def __init__(self, buckets: int, series: int) -> None:
        catalog, book = _catalog(), _book(_catalog())
        run = Run("live", NOW_US)
        self.gather = Gather("projects/p/subscriptions/s", 1 << 30, None)
        self.read = BlockReader(run, catalog, "native", buckets)
        self.dedup = FirstProcessed(run, catalog)
        scope = Scope(as_streamed=True)
        self.measure = Measurer(run, catalog, book, scope, series, rated=True)
        self.cut, self.revise = CutWindows(catalog), Revise(Live())
        self.cut.setup()
        self.price = Pricer(run, catalog, book)
        self.seen, self.totals = States("cell bag bag timer"), States("bag bag timer timer timer")
        self.bytes: Counter[str] = Counter()
        self.elements: Counter[str] = Counter()
        self.cpu: dict[str, float] = {}
        self.usage_rows = 0

    def batch(self, messages: list[bytes]) -> None:
        """A micro-batch, up to what waits to be shown."""
        block = self._timed("gather", lambda: self._gathered(messages))
        read = self._timed("validate", lambda: list(self.read(block)))
        self._count(read)
        for tag, value in read:
            if tag == "readings":
                self._shuffled("readings", value[1])
                deltas = self._timed("dedup and measure", lambda value=value: self._bucket(value))
                self._timed("revise", lambda deltas=deltas: self._wait(deltas))

    def _gathered(self, messages: list[bytes]) -> Block:
        """Messages as Dataflow hands them to Python, one by one, made a block."""
        self.gather.start_bundle()
        for each in messages:
            message = PubsubMessage._from_proto_str(each)  # noqa: SLF001 - what Beam's source calls
            for _ in self.gather.process(message, NOW):
                raise ValueError("a micro-batch is larger than a block may be")
        (block,) = self.gather.finish_bundle()
        return block.value

    def _bucket(self, element: tuple[int, bytes]) -> list[Any]:
        """One bucket's readings: a bundle."""
        counts: list[tuple[str, Any]] = []
        self.cut.start_bundle()
        for each in self.dedup.process(element, NOW, *self.seen[element[0]]):
            if each.tag != "accepted":
                counts.append((each.tag, each.value))
                continue
            for tag, value in self.measure(each.value):
                if tag == "partials":
                    self.cut.process(value, NOW)
                else:
                    counts.append((tag, value))
        self._count(counts)
        return [each.value for each in self.cut.finish_bundle()]

    def _wait(self, deltas: list[Any]) -> None:
        self.revise.start_bundle()
        for window, delta in deltas:
            self._shuffled("deltas", delta)
            list(self.revise.process((window, delta), NOW, *self.totals[window]))
        self.revise.finish_bundle()

    def show(self) -> None:
        """What waits is shown, and priced."""
        self._timed("show and price", self._show)

    def _show(self) -> None:
        for window, (recent, older, *_) in self.totals.of.items():
            for changed in self.revise.show_early(window, recent, older):
                for tag, value in self.price(changed):
                    if tag == "usage":
                        self.usage_rows += value.num_rows

    def _count(self, results: list[tuple[str, Any]]) -> None:
        """The counts of a bundle on their way to the ledger."""
        bundle = CountBundle()
        bundle.start_bundle()
        for tag, value in results:
            if tag == "counts":
                bundle.process(value, NOW)
            elif tag == "rejects":
                self._shuffled("rejects", to_bytes(value))
        for each in bundle.finish_bundle():
            self._shuffled("counts", each.value[1])

    def _shuffled(self, what: str, element: bytes) -> None:
        self.bytes[what] += len(element)
        self.elements[what] += 1

    def _timed(self, step: str, work: Callable[[], Any]) -> Any:
        begun = time.process_time()
        done = work()
        self.cpu[step] = self.cpu.get(step, 0.0) + time.process_time() - begun
        return done


def _catalog() -> Catalog:
    return load_catalog("catalog.yaml", (HERE / "catalog.yaml").read_bytes())


def _book(catalog: Catalog) -> RateBook:
    dimensions = {each.name: tuple(name for name, _ in each.dimensions) for each in catalog.meters}
    return load_rates([("rates.csv", (HERE / "rates.csv").read_bytes())], dimensions)
