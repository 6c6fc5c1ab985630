"""The step of dedup_state.py on Prism: every micro-batch waits for the one before."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.window import TimestampedValue
from apache_beam.typehints import KV
from apache_beam.utils.timestamp import Duration, Timestamp
from dedup_plan import CATALOG, START, Plan, report

from transforms.deduplicate_live import FirstProcessed
from transforms.held_state import HELD
from transforms.run import Run

END = 1 << 62


class _Tracker(OffsetRestrictionTracker):
    def try_split(self, fraction: float) -> Any:
        return None if fraction else super().try_split(0)

    def is_bounded(self) -> bool:
        return False


class _Whole(RestrictionProvider):
    def initial_restriction(self, _: Any) -> OffsetRange:
        return OffsetRange(0, END)

    def create_tracker(self, restriction: OffsetRange) -> _Tracker:
        return _Tracker(restriction)

    def restriction_size(self, _: Any, __: OffsetRange) -> int:
        return 1

    def truncate(self, _: Any, __: OffsetRange) -> None:
        return None


RANGE = beam.DoFn.RestrictionParam(_Whole())
WATERMARK = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider())
PLANS: dict[int, Iterator[Any]] = {}
SENT: dict[int, tuple[int, float, int]] = {}  # stamp: keys held, when, elements
DONE: dict[int, list[float]] = defaultdict(list)
IN_STEP: dict[int, float] = defaultdict(float)


class Source(beam.DoFn):
    """One micro-batch at a time, each when the one before is through."""

    @beam.DoFn.unbounded_per_element()
    def process(
        self,
        settings: str,
        tracker: Any = RANGE,
        watermark: Any = WATERMARK,
    ) -> Iterator[Any]:
        """Elements of `Plan`."""
        at = tracker.current_restriction().start
        waiting = [stamp for stamp, (_, _, all_of) in SENT.items() if len(DONE[stamp]) < all_of]
        if not waiting:
            plan = PLANS.setdefault(0, Plan(**json.loads(settings)).all())
            batch = next(plan, None)
            if batch is None:
                watermark.set_watermark(Timestamp(micros=START + 10**10))
                tracker.try_claim(END)
                return
            if not tracker.try_claim(at):
                return
            size, stamp, elements = batch
            SENT[stamp] = size, time.perf_counter(), len(elements)
            for element in elements:
                yield TimestampedValue(element, Timestamp(micros=stamp))
            watermark.set_watermark(Timestamp(micros=stamp))
        tracker.defer_remainder(Duration(micros=2_000))


class Timed(FirstProcessed):
    """Also says how long it took."""

    def process(  # noqa: PLR0917 - the states are a DoFn's
        self,
        element: tuple[int, bytes],
        stamp: Any = beam.DoFn.TimestampParam,
        mark: Any = beam.DoFn.StateParam(FirstProcessed.MARK),
        recent: Any = beam.DoFn.StateParam(FirstProcessed.RECENT),
        older: Any = beam.DoFn.StateParam(FirstProcessed.OLDER),
        timer: Any = beam.DoFn.TimerParam(FirstProcessed.EXPIRY),
    ) -> Iterator[Any]:
        """The same results."""
        begin = time.perf_counter()
        results = list(super().process(element, stamp, mark, recent, older, timer))
        IN_STEP[stamp.micros] += time.perf_counter() - begin
        DONE[stamp.micros].append(time.perf_counter())
        yield from results


def on_prism(plan: Plan, prism: str) -> None:
    """The step on Prism: every micro-batch waits for the one before."""
    options = PipelineOptions(
        [
            "--runner=PrismRunner",
            f"--prism_location={prism}",
            "--prism_log_level=error",
            "--environment_type=LOOPBACK",
            "--streaming",
            "--experiments=prism_disable_sdf_split",
        ]
    )
    settings = json.dumps({"sizes": plan.sizes, "buckets": plan.buckets})
    with beam.Pipeline(options=options) as pipeline:
        source = beam.ParDo(Source()).with_output_types(KV[int, bytes])
        read = pipeline | beam.Create([settings]) | "Source" >> source
        done = read | "First wins" >> beam.ParDo(Timed(Run("bench", START), CATALOG)).with_outputs()
        done.accepted.element_type = pa.RecordBatch
        done.accepted | beam.Map(lambda _: None)
    through: dict[int, list[float]] = defaultdict(list)
    inside: dict[int, list[float]] = defaultdict(list)
    for stamp, (size, sent, _) in SENT.items():
        through[size].append(max(DONE[stamp]) - sent)
        inside[size].append(IN_STEP[stamp])
    for size in plan.sizes:
        report(f"Prism, {plan.buckets} buckets, inside", size, inside[size])
        report(f"Prism, {plan.buckets} buckets, through", size, through[size])
    print(f"state read again: {HELD.reloaded}")
