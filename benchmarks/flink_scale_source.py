"""A source without an end of events that are all different, which any worker can go on with."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp

import pipelines.read  # noqa: F401 - registers the coder for blocks
from pipelines.inputs import Block
from pipelines.unbounded import BATCHES, WATERMARK

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MODELS, REGIONS, CUSTOMERS = ("large", "mini", "nano"), ("eu", "us", "ap", "sa"), 200
SLICE_S = 1.0
PAUSE_S = 0.5


@dataclass(frozen=True)
class Blocks:
    """Blocks of `rows` events of the kind of live_feed.py, a millisecond apart from `start_us`."""

    start_us: int
    rows: int = 20_000

    def stamp_us(self, number: int) -> int:
        """When the events of a block happened and arrived (µs)."""
        return self.start_us // 1000 * 1000 + 1000 * number

    def block(self, number: int) -> Block:
        """The block of a number, the same each time; no id is in two of them."""
        at = f"{EPOCH + timedelta(microseconds=self.stamp_us(number)):%Y-%m-%dT%H:%M:%S.%fZ}"
        kinds = [
            f'"event_type":"llm","timestamp":"{at}","properties":{{"tokens":{i % 1000},'
            f'"model":"{MODELS[i % 3]}","region":"{REGIONS[i % 4]}"}},'
            f'"metadata":{{"sdk":"py-1.2.3"}},"customer_id":"c{i % CUSTOMERS}"}}\n'
            for i in range(600)
        ]
        first = number * self.rows
        lines = [f'{{"id":"{i:032x}",{kinds[i % 600]}' for i in range(first, first + self.rows)]
        data = "".join(lines).encode()
        return Block("distinct", data, start=number << 32, clock_us=self.stamp_us(number))


@dataclass
class ReadDistinct(beam.PTransform):
    """Blocks, as fast as they are taken, as many as the file `gate` says; then none for a while."""

    blocks: Blocks
    gate: str

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        """One element, whose blocks are its restriction."""
        follow = beam.ParDo(_Follow(self.blocks, self.gate)).with_output_types(Block)
        return pbegin | "Once" >> beam.Impulse() | "Blocks" >> follow


@dataclass
class _Follow(beam.DoFn):
    blocks: Blocks
    gate: str

    @beam.DoFn.unbounded_per_element()
    def process(
        self, _element: bytes, numbers: Any = BATCHES, watermark: Any = WATERMARK
    ) -> Iterator[TimestampedValue]:
        """Gives out blocks for a moment, and asks to be called again: seldom where none may come.

        Each call leaves some kilobytes in Flink's state.
        """
        number = numbers.current_restriction().start
        end = time.monotonic() + SLICE_S
        allowed = int(Path(self.gate).read_text())
        while number < allowed and time.monotonic() < end:
            if not numbers.try_claim(number):
                return
            stamp = Timestamp(micros=self.blocks.stamp_us(number))
            yield TimestampedValue(self.blocks.block(number), stamp)
            watermark.set_watermark(stamp)
            number += 1
        numbers.defer_remainder(Duration(seconds=0 if number < allowed else PAUSE_S))
