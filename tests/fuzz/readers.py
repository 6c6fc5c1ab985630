"""The two readers of each source, and where they do not say the same."""

import logging
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pyarrow as pa

from fuzz.blocks import block, ordinary
from fuzz.rows import rows
from fuzz.samples import SOURCES, catalog
from pipelines.inputs import Block
from transforms.block_reader import BlockReader
from transforms.columnar import MANY, ColumnarReader, as_malformed
from transforms.exact import ExactReader, Verdict
from transforms.fields import fields_from_rows, fields_schema
from transforms.lines import Lines
from transforms.run import Run
from transforms.slots import Slots

BLOCKS = 200
"""Blocks of a seed: its readers go on with the shapes that they have learned."""

_NOW_US = 1_800_000_000_000_000


class DifferentError(AssertionError):
    """The two readers do not say the same of a block, or one of them failed."""


@dataclass
class Readers:
    """The readers of a seed."""

    seed: int
    inputs: int = 0
    _fast: dict[str, ColumnarReader] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._catalog = catalog()
        self._slots = Slots.of(self._catalog)
        self._whole = BlockReader(Run("fuzz", _NOW_US), self._catalog, "native", 2)

    def read(self, number: int) -> None:
        """Reads one block of the seed in both ways; raises DifferentError."""
        random = Random(f"{self.seed}:{number}")  # noqa: S311 - examples, not secrets
        if random.random() < 0.1:
            source, (data, malformed) = "azure", rows(random)
        else:
            source = random.choice(SOURCES)
            data, malformed = block(random, source), frozenset()
        lines = Lines.of(data)
        self.inputs += len(lines)
        self._begin(random, source)
        with _no_failures():
            self._compare(source, lines, np.isin(lines.numbers, list(malformed)))
            if random.random() < 0.2:  # as the whole costs as much again
                self._accounted(Block("f", data, source=source, malformed=malformed), len(lines))

    def _begin(self, random: Random, source: str) -> None:
        """The reader goes on, or is a new one, or has seen ordinary records only."""
        chance = random.random()
        if source in self._fast and chance < 0.4:
            return
        many = random.choice([1, MANY])
        reader = ColumnarReader(ExactReader(self._catalog.source(source), self._slots), many=many)
        if chance < 0.8:
            reader.read(Lines.of(b"\n".join(ordinary(random, source, 30))))
        self._fast[source] = reader

    def _compare(self, source: str, lines: Lines, malformed: np.ndarray) -> None:
        reader = self._fast[source]
        fast, verdicts = reader.read(lines, malformed)
        slow, slow_verdicts = _one_by_one(reader.exact, lines, malformed)
        for i in range(len(lines)):
            if verdicts.get(i) != slow_verdicts.get(i):
                said = f"{verdicts.get(i)} and {slow_verdicts.get(i)}"
                raise DifferentError(f"source {source}, line {i}: {said}: {lines[i][:2000]!r}")
        if not fast.equals(slow):
            _raise_first_difference(source, lines, fast, slow)

    def _accounted(self, whole: Block, records: int) -> None:
        """Every record is an event or a reject, when all steps of Validate take the block."""
        given = [value for name, value in self._whole(whole) if name in {"events", "rejects"}]
        if sum(batch.num_rows for batch in given) != records:
            raise DifferentError(f"not every record of source {whole.source} is accounted for")


def _one_by_one(
    exact: ExactReader, lines: Lines, malformed: np.ndarray
) -> tuple[pa.Table, dict[int, Verdict]]:
    """What `ColumnarReader.read` gives, by the exact reader alone."""
    rows, verdicts = [], {}
    for i in range(len(lines)):
        row = exact.read(lines[i])
        if malformed[i]:
            row = as_malformed(row)
        if isinstance(row, Verdict):
            verdicts[i] = row
        else:
            rows.append(row | {"line": i})
    return fields_from_rows(rows, fields_schema(exact.slots)), verdicts


def _raise_first_difference(source: str, lines: Lines, fast: pa.Table, slow: pa.Table) -> None:
    for one, two in zip(fast.to_pylist(), slow.to_pylist(), strict=True):
        if one != two:
            names = [name for name in one if one[name] != two[name]]
            said = ", ".join(f"{name}: {one[name]!r} and {two[name]!r}" for name in names)
            at = two["line"]
            raise DifferentError(f"source {source}, line {at}: {said}: {lines[at][:2000]!r}")
    raise DifferentError(f"source {source}: tables of other types")


class _no_failures(logging.Handler):  # noqa: N801 - a context, not a handler to its users
    """A failure that the readers would hide, by reading line by line, is a difference too."""

    def __enter__(self) -> None:
        self._log = logging.getLogger("transforms")
        self._log.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._log.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Raises what is told as an error."""
        if record.levelno >= logging.ERROR:
            raise DifferentError(record.getMessage())
