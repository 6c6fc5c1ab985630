"""Messages on Dataflow: Beam's own source reads them, and bundles become blocks."""

from datetime import UTC, datetime, timedelta

import apache_beam as beam
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.dataflow import DataflowRunner
from apache_beam.utils.timestamp import Timestamp

from pipelines.gather_messages import Gather, ReadOnDataflow
from pipelines.inputs import Block

ADDRESS = "pubsub://project/calls"
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


class Version:
    """Rates that never change."""

    def current(self) -> str:
        return "r1"


def test_on_dataflow_beam_reads() -> None:
    pipeline = beam.Pipeline(options=PipelineOptions(["--streaming"]))
    pipeline.runner = DataflowRunner()  # named in the options, it would ask for credentials now
    blocks = pipeline | ReadOnDataflow(ADDRESS, 2, Version())
    assert blocks.element_type is Block
    graph = str(pipeline.to_runner_api())
    assert "ReadFromPubSub" in graph
    assert "Impulse" not in graph


def test_messages_of_beams_own_source_are_gathered_by_bundle() -> None:
    gather = Gather(ADDRESS, 2, Version())

    def message(i: int, data: bytes) -> PubsubMessage:
        at = NOON + timedelta(milliseconds=i)
        return PubsubMessage(data, {}, message_id=f"m{i}", publish_time=at)

    gather.start_bundle()
    given = []
    for i, data in enumerate([b'{"n":0}', b" ", b'{"n":2}', b'{"n":3}']):
        given += gather.process(message(i, data), Timestamp(10 - i))
    given += gather.finish_bundle()
    assert [each.timestamp for each in given] == [Timestamp(8), Timestamp(7)]
    first, last = (each.value for each in given)
    assert first.data == b'{"n":0}\n{"n":2}\n'
    assert first.origins.to_pylist() == ["m0", "m2"]
    assert first.published.tolist() == [1_768_478_400_000_000, 1_768_478_400_002_000]
    assert (first.path, first.rates) == (ADDRESS, "r1")
    assert last.data == b'{"n":3}\n'
    assert not list(gather.finish_bundle())
