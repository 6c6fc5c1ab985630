"""A stream of recorded blocks on a cluster: a source that any worker can go on with.

The product's own sources keep what they hold in the command's process; this one has it in files,
and what it has given out in its restriction, which Flink keeps in its checkpoints.
"""

import pickle
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp

import pipelines.read  # noqa: F401 - registers the coder for blocks
from pipelines.inputs import Block
from pipelines.unbounded import BATCHES, WATERMARK

_SLICE_S = 0.2


@dataclass
class ReadRecorded(beam.PTransform):
    """Files with a pickled block each → blocks, one each `pause_s`, and then none, without an end.

    A block is stamped with its clock. given: a file to which the number of each is appended that is
    given out. gate: a file that says how many may be.
    """

    blocks: Sequence[str]
    pause_s: float
    given: str
    gate: str

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        """One element, whose blocks are its restriction."""
        follow = beam.ParDo(_Follow(self.blocks, self.pause_s, self.given, self.gate))
        return pbegin | "Once" >> beam.Impulse() | "Blocks" >> follow.with_output_types(Block)


@dataclass
class _Follow(beam.DoFn):
    blocks: Sequence[str]
    pause_s: float
    given: str
    gate: str

    @beam.DoFn.unbounded_per_element()
    def process(
        self, _element: bytes, numbers: Any = BATCHES, watermark: Any = WATERMARK
    ) -> Iterator[TimestampedValue]:
        """Gives out blocks for a moment, and asks to be called again."""
        number = numbers.current_restriction().start
        until = time.monotonic() + _SLICE_S
        allowed = min(int(Path(self.gate).read_text()), len(self.blocks))
        while number < allowed and time.monotonic() < until:
            if not numbers.try_claim(number):
                return
            block = pickle.loads(Path(self.blocks[number]).read_bytes())  # noqa: S301 - the test's
            with Path(self.given).open("a") as file:
                file.write(f"{number}\n")
            stamp = Timestamp(micros=block.clock_us // 1000 * 1000)
            yield TimestampedValue(block, stamp)
            watermark.set_watermark(stamp)
            number += 1
            time.sleep(self.pause_s)
        numbers.defer_remainder(Duration(seconds=self.pause_s))
