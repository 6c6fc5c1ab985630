"""The steps of a batch run by hand: what each takes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from counted.counter import StepCounter
from pipelines.inputs import Block, InputFile, find_inputs, read_blocks, split_into_pieces
from pipelines.settings import check_files
from transforms.block_reader import BlockReader
from transforms.deduplicate import Deduplicator
from transforms.measure import Measurer
from transforms.partials import CombinePartials, Gathered, GatheredCoder, merge
from transforms.price import Pricer
from transforms.run import Run
from transforms.scope import Scope
from transforms.slots import Slots

BLOCK_BYTES = 1 << 20
BUCKETS = 4
PIECES = "pieces in all"
RUN = Run("counted", 1_769_000_000_000_000)  # after the days of the events


@dataclass
class BatchSteps:
    """Each step over the whole file, and what went from one to the next."""

    catalog: Path
    rates: Path
    events: Path
    count: StepCounter = field(default_factory=lambda: StepCounter([PIECES]))

    def __post_init__(self) -> None:
        self.model, self.book = check_files(str(self.catalog), str(self.rates))
        self.file: InputFile = find_inputs([str(self.events)])[0]

    def take(self) -> None:
        """Counts them all."""
        readings = self._grouped(self._validated(self._read()))
        first = Deduplicator(RUN, Slots.of(self.model))
        accepted = self._done("Deduplicate", first, readings.items(), "accepted")
        scope = Scope()
        measure = Measurer(RUN, self.model, self.book, scope, BUCKETS)
        partials = self._done("Measure", measure, accepted, "partials")
        groups = [(key, self._gather(each)) for key, each in self._grouped(partials).items()]
        self._done("Price", Pricer(RUN, self.model, self.book), groups, "usage")

    def _read(self) -> list[Block]:
        with self.count.step("Read"):
            pieces = split_into_pieces(self.file, BLOCK_BYTES)
            return [block for piece in pieces for block in read_blocks(piece, BLOCK_BYTES)]

    def _validated(self, blocks: Sequence[Block]) -> list[tuple[int, bytes]]:
        reader = BlockReader(RUN, self.model, "native", BUCKETS)
        return self._done("Validate", reader, blocks, "readings")

    def _done(self, step: str, kernel: Any, elements: Iterable[Any], tag: str) -> list[Any]:
        """What a kernel gives for one of its outputs."""
        passed = []
        for element in elements:
            with self.count.step(step):
                results = list(kernel(element))
            passed += [value for name, value in results if name == tag]
        return passed

    def _grouped(self, keyed: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
        groups: dict[Any, list[Any]] = defaultdict(list)
        for key, value in keyed:
            groups[key].append(value)
        return groups

    def _gather(self, partials: Sequence[Any]) -> Any:
        combine, coder = CombinePartials(), GatheredCoder()
        with self.count.step("Aggregate"):
            halves = [self._half(partials[at::2]) for at in range(2)]
            halves = [coder.decode(coder.encode(half)) for half in halves]
            return merge(combine.extract_output(combine.merge_accumulators(halves)))

    def _half(self, partials: Sequence[Any]) -> Gathered:
        combine = CombinePartials()
        half = combine.create_accumulator()
        for each in partials:
            half = combine.add_input(half, each)
        return half
