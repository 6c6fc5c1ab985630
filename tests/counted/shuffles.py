"""The graph of a batch run on its runner: how much is brought together, and where."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import execution

from counted.batch import BLOCK_BYTES, BUCKETS, PIECES, RUN, BatchSteps
from counted.counter import StepCounter
from pipelines.inputs import split_into_pieces
from pipelines.metering import Job, build
from pipelines.read import ReadFiles
from transforms.scope import Scope
from transforms.spill import IN_MEMORY

SHUFFLED = "bytes shuffled"


def shuffles(steps: BatchSteps) -> None:
    """Counts what the runner groups, by the place in the graph: bytes and elements."""
    job = Job(
        run=RUN,
        catalog=steps.model,
        book=steps.book,
        books=steps.book,
        scope=Scope(),
        source="native",
        read=ReadFiles(split_into_pieces(steps.file, BLOCK_BYTES), BLOCK_BYTES),
        write=lambda _: beam.Map(len),
        spill=IN_MEMORY,
        key_buckets=BUCKETS,
        series_buckets=BUCKETS,
    )
    with _counting(steps.count):
        pipeline = beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"]))
        build(pipeline, job)
        pipeline.run().wait_until_finish()


@contextmanager
def _counting(count: StepCounter) -> Iterator[None]:
    """While it is open, what goes into the buffers in which the runner groups is counted."""
    manager, group = execution.BundleContextManager, execution.GroupingBuffer
    get, append = manager.get_buffer, group.append
    names: dict[int, str] = {}

    def named(self: Any, buffer_id: bytes, transform_id: str) -> Any:
        buffer = get(self, buffer_id, transform_id)
        names[id(buffer)] = f"shuffle {transform_id.removesuffix('/Write')}"
        return buffer

    def counted(buffer: Any, data: bytes) -> None:
        before = _pieces(buffer)
        append(buffer, data)
        count.add(names[id(buffer)], SHUFFLED, len(data))
        count.add(names[id(buffer)], PIECES, _pieces(buffer) - before)

    manager.get_buffer, group.append = named, counted
    try:
        yield
    finally:
        manager.get_buffer, group.append = get, append


def _pieces(buffer: Any) -> int:
    return sum(map(len, buffer._table.values()))  # noqa: SLF001 - Beam's
