"""The graph on the engine that streams run on, where a source counts on what its bundle holds."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from live_rows import live_store
from pubsub_desk import LONG_S, call, meter

from pipelines.inputs import Block
from pipelines.live_tables import LiveTables

PUT: list[tuple[str, int]] = []
SEEN: list[list[tuple[str, int]]] = []


@dataclass
class Blocks(beam.DoFn):
    """Gives out lines, a block each, and sees what was put into tables by then."""

    lines: list[bytes]

    def process(self, _: bytes) -> Iterator[Block]:
        for i, line in enumerate(self.lines):
            # what is fused to this step has had the block when it goes on after it
            yield Block("f", line + b"\n", i, clock_us=time.time_ns() // 1000)
            SEEN.append(PUT.copy())


@dataclass
class Read(beam.PTransform):
    """The same, once."""

    lines: list[bytes]

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        lines = beam.ParDo(Blocks(self.lines)).with_output_types(Block)
        return pbegin | "Once" >> beam.Impulse() | "Lines" >> lines


def test_what_validate_rejects_is_put_in_the_bundle_that_reads_it(
    options: PipelineOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = LiveTables.put

    def noted(
        self: LiveTables, table: str, batch: pa.RecordBatch, stamp_ms: int, *, last: bool = False
    ) -> None:
        put(self, table, batch, stamp_ms, last=last)
        PUT.append((table, batch.num_rows))

    PUT.clear()
    SEEN.clear()
    monkeypatch.setattr(LiveTables, "put", noted)
    out = live_store(tmp_path / "out").out
    pauses_s = dict.fromkeys(("events", "rejects", "usage", "ledger"), 0.01)
    with LiveTables(out, "r", pauses_s, grace_s=0):
        result = meter(options, Read([b"broken", call(1)]), out)
        assert result.wait_until_finish(LONG_S * 1000) == "DONE"
    assert SEEN == [[("rejects", 1)], [("rejects", 1), ("events", 1)]]
