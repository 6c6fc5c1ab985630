"""The source of a stream on other machines: who reads the subscription depends on the engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp

from pipelines.far_engine import FarEngine
from pipelines.fixed_rates import FixedRates
from pipelines.gather_messages import ReadOnDataflow
from pipelines.inputs import Block
from pipelines.inputs.arrivals import Arrivals
from pipelines.kept_messages import keeping
from pipelines.read_pubsub import ReadPubSub
from pipelines.settings import Settings
from pipelines.stream_settings import Stream
from pipelines.unbounded import STAMPED_BATCHES, WATERMARK
from transforms.timestamps import FIRST

_PAUSE = Duration(micros=10_000)  # between two calls where nothing comes


def far_source(engine: FarEngine, settings: Settings, stream: Stream) -> beam.PTransform:
    """The source of a stream's job."""
    rates = FixedRates(settings.book.digest if settings.asked.rates else None)
    subscription = stream.subscription or ""
    if engine.is_dataflow:
        return ReadOnDataflow(subscription, stream.batch_rows, rates)
    arrivals = Arrivals(settings.source, settings.catalog.future_tolerance_us)
    return ReadKept(ReadPubSub(subscription, stream.batch_rows, stream.batch_us, arrivals, rates))


@dataclass
class ReadKept(beam.PTransform):
    """Messages of a subscription → blocks, as `ReadPubSub` gives them, on an engine of its own.

    One worker reads. A message is acknowledged when the engine says that it will not ask for it
    again (Beam's bundle finalization: on Flink when a checkpoint is complete, so it has to make
    some). Until then it is leased; when the worker dies or the engine goes back to a checkpoint,
    what was not acknowledged comes again. See `Keeping`.
    """

    source: ReadPubSub

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        """Wires the reading step."""
        start = pbegin | "Once" >> beam.Impulse()
        return start | "Batches" >> beam.ParDo(_Pull(self.source)).with_output_types(Block)


@dataclass
class _Pull(beam.DoFn):
    source: ReadPubSub

    @beam.DoFn.unbounded_per_element()
    def process(
        self,
        _element: bytes,
        finalizer: Any = beam.DoFn.BundleFinalizerParam,  # the next two are given by name
        batches: Any = STAMPED_BATCHES,
        watermark: Any = WATERMARK,
    ) -> Iterator[TimestampedValue]:
        """Gives out a batch, or waits a little for it, and asks to be called again."""
        reached = watermark.current_watermark()
        reached_us = FIRST if reached is None else reached.micros
        kept = keeping(self.source, batches.current_restriction().start, reached_us)
        before = kept.finalized
        messages = kept.take()
        if messages:
            number, block = kept.batch(messages)
            if not batches.try_claim(number):
                kept.give_back(messages)
                return
            kept.give_out(number, messages)
            yield TimestampedValue(block, Timestamp(micros=1000 * number))
        finalizer.register(partial(kept.finalize, before, kept.given))
        watermark.set_watermark(Timestamp(micros=kept.watermark_us()))
        batches.defer_remainder(Duration() if messages else _PAUSE)
