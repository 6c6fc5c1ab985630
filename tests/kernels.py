"""The graph's kernels run by hand: any order, any bundling, no runner, so it is fast."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipelines.inputs import Block, InputFile, read_blocks, split_into_pieces
from rates import RateBook
from transforms.block_reader import BlockReader
from transforms.catalog import Catalog
from transforms.deduplicate import Deduplicator
from transforms.measure import Measurer
from transforms.partials import CombinePartials, merge
from transforms.price import Pricer
from transforms.run import Run
from transforms.scope import Scope
from transforms.slots import Slots


@dataclass
class Outputs:
    """What the steps gave, by the name of the output."""

    batches: dict[str, list[pa.RecordBatch]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[tuple[int, str, str, str]] = field(default_factory=Counter)

    def take(self, tag: str, value: Any) -> None:
        """One result of a kernel."""
        if tag == "counts":
            self.counts[value[0]] += value[1]
        else:
            self.batches[tag].append(value)

    def rows(self, tag: str) -> list[dict[str, Any]]:
        """All rows of a table; times as microseconds."""
        rows = []
        for batch in self.batches[tag]:
            columns = [
                c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in batch.columns
            ]
            rows += pa.RecordBatch.from_arrays(columns, batch.schema.names).to_pylist()
        return rows


def blocks_of(files: Sequence[InputFile], block_bytes: int) -> list[Block]:
    """All blocks of some files."""
    pieces = [piece for file in files for piece in split_into_pieces(file, block_bytes)]
    return [block for piece in pieces for block in read_blocks(piece, block_bytes)]


@dataclass
class Steps:
    """Every step by hand, in an order that `seed` decides."""

    run: Run
    catalog: Catalog
    book: RateBook
    source: str
    scope: Scope
    buckets: int = 2
    seed: int = 0
    outputs: Outputs = field(default_factory=Outputs)

    def __post_init__(self) -> None:
        self.shuffle = random.Random(self.seed).shuffle  # noqa: S311 - an order, no secret

    def process(self, blocks: Sequence[Block]) -> Outputs:
        """From blocks to the rows of all tables."""
        blocks = list(blocks)
        self.shuffle(blocks)
        readings = self._grouped(
            BlockReader(self.run, self.catalog, self.source, self.buckets), blocks, "readings"
        )
        first = Deduplicator(self.run, Slots.of(self.catalog))
        accepted = self._passed(first, list(readings.items()), "accepted")
        measure = Measurer(self.run, self.catalog, self.book, self.scope, self.buckets)
        partials = self._grouped(measure, accepted, "partials")
        groups = [(key, merge(self._combined(pieces))) for key, pieces in partials.items()]
        self._passed(Pricer(self.run, self.catalog, self.book), groups, "")
        return self.outputs

    def _passed(self, kernel: Any, elements: Sequence[Any], tag: str) -> list[Any]:
        """What a kernel gives for one output; the rest goes to the outputs."""
        passed = []
        for element in elements:
            for name, value in kernel(element):
                if name == tag:
                    passed.append(value)
                else:
                    self.outputs.take(name, value)
        return passed

    def _grouped(self, kernel: Any, elements: Sequence[Any], tag: str) -> dict[Any, list[Any]]:
        groups: dict[Any, list[Any]] = defaultdict(list)
        for key, value in self._passed(kernel, elements, tag):
            groups[key].append(value)
        for values in groups.values():
            self.shuffle(values)
        return groups

    def _combined(self, pieces: list[pa.RecordBatch]) -> pa.RecordBatch:
        combine = CombinePartials()
        coder = combine.get_accumulator_coder()
        halves = [combine.create_accumulator(), combine.create_accumulator()]
        for i, piece in enumerate(pieces):
            halves[i % 2] = combine.add_input(halves[i % 2], piece)
        halves = [coder.decode(coder.encode(half)) for half in halves]
        return combine.extract_output(combine.merge_accumulators(halves))
