"""The source of a stream on other machines: who reads the subscription depends on the engine."""

import time
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
from pipelines.kept_messages import Keeping, keeping
from pipelines.message_plan import PLANS
from pipelines.read_pubsub import ReadPubSub
from pipelines.settings import Settings
from pipelines.stream_settings import Stream
from pipelines.unbounded import WATERMARK

_SLICE_S, _PATIENCE_S = 0.5, 0.2
_MOST_BYTES = 64 << 20  # that wait to be kept


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

    One worker reads. A batch is given out when the engine has it in its state for good (Beam's
    bundle finalization: on Flink when three checkpoints were made, so it has to make some), and its
    messages are acknowledged when that is done. So when a worker dies or the engine goes back to a
    checkpoint, the same batches come again in the same order, and say what they said in the attempt
    that came to nothing. What was read and is in no checkpoint is delivered again when its lease is
    over. See `Plan` and `Keeping`.

    Holds 64 MiB of messages that wait, and a batch.
    """

    source: ReadPubSub

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        """Wires the reading step."""
        start = pbegin | "Once" >> beam.Impulse()
        return start | "Batches" >> beam.ParDo(Pull(self.source)).with_output_types(Block)


@dataclass
class Pull(beam.DoFn):
    """The reading step: from call to call it leaves a plan to the engine."""

    source: ReadPubSub

    @beam.DoFn.unbounded_per_element()
    def process(
        self,
        _element: bytes,
        finalizer: Any = beam.DoFn.BundleFinalizerParam,  # the next two are given by name
        plans: Any = PLANS,
        watermark: Any = WATERMARK,
    ) -> Iterator[TimestampedValue]:
        """Gives out what is kept, reads for a moment, and asks to be called again."""
        kept = keeping(self.source, plans.current_restriction())
        before = kept.heard
        while (plan := plans.current_restriction()).waiting:
            first = plan.waiting[0]
            if first.number > kept.kept or not plans.try_claim(plan.without_first()):
                break
            yield TimestampedValue(first.block, Timestamp(micros=1000 * first.number))
        more = _read(kept, plans)
        plan = kept.left(plans.current_restriction())
        if not plans.try_claim(plan):
            return
        finalizer.register(partial(kept.finalize, before, plan.read))
        held_us = [1000 * each.number for each in plan.waiting[:1]]
        watermark.set_watermark(Timestamp(micros=min([plan.watermark_us, *held_us])))
        plans.defer_remainder(Duration(seconds=0 if more else kept.pause_s))


def _read(kept: Keeping, plans: Any) -> bool:
    """Reads for a moment, as long as something comes and there is room; whether there is more."""
    until = time.monotonic() + _SLICE_S
    while (plan := plans.current_restriction()).bytes_waiting < _MOST_BYTES:
        messages = kept.take(_PATIENCE_S)
        if not messages:
            break
        number, block = kept.batch(messages)
        if not plans.try_claim(plan.with_batch(number, block, [each.id for each in messages])):
            kept.give_back(messages)
            break
        kept.take_in(number, messages)
        if time.monotonic() > until:
            return True
    if plan.waiting:
        kept.look_for_checkpoints()
    return False
