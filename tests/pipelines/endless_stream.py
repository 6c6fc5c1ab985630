"""A program with a stream that runs until it is asked to stop; run by the tests as a command.

With the argument `deaf` it does not listen to that. It prints `running` when the first element is
through, and how the stream ended.
"""

import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.utils.timestamp import Duration

from pipelines.engine import run_graph
from pipelines.live_view import LiveView
from pipelines.prism import get_prism
from pipelines.signals import stopped_by_signals
from pipelines.stopping import STOP

_END = 1 << 40
RUNNING = threading.Event()


class _Tracker(OffsetRestrictionTracker):
    def try_split(self, fraction: float) -> Any:
        return super().try_split(0) if fraction == 0 else None

    def is_bounded(self) -> bool:
        return False


class _Numbers(RestrictionProvider):
    def initial_restriction(self, _element: Any) -> OffsetRange:
        return OffsetRange(0, _END)

    def create_tracker(self, restriction: OffsetRange) -> _Tracker:
        return _Tracker(restriction)

    def restriction_size(self, _element: Any, _restriction: OffsetRange) -> int:
        return 1

    def truncate(self, _element: Any, _restriction: OffsetRange) -> None:
        return None


_NUMBERS = _Numbers()


class Count(beam.DoFn):
    """Gives a number each few milliseconds."""

    def __init__(self, *, deaf: bool = False) -> None:
        self._deaf = deaf

    @beam.DoFn.unbounded_per_element()
    def process(
        self, _element: Any, tracker: Any = beam.DoFn.RestrictionParam(_NUMBERS)
    ) -> Iterator[int]:
        at = tracker.current_restriction().start
        if STOP.is_set() and not self._deaf:
            tracker.try_claim(_END)
        elif tracker.try_claim(at):
            yield at
            tracker.defer_remainder(Duration(micros=5000))


def note_running(_number: int) -> None:
    """Notes that an element is through."""
    RUNNING.set()


def build(pipeline: beam.Pipeline, *, deaf: bool = False) -> None:
    """The graph."""
    numbers = pipeline | beam.Create([0]) | beam.ParDo(Count(deaf=deaf)).with_output_types(int)
    _ = numbers | beam.Map(note_running)


def main() -> None:
    """Runs it."""
    logging.basicConfig(level=logging.CRITICAL)
    options, said = PipelineOptions([]), False

    def poll() -> None:
        nonlocal said
        if RUNNING.is_set() and not said:
            said = True
            sys.stdout.write("running\n")
            sys.stdout.flush()

    with LiveView(), stopped_by_signals():
        try:
            deaf = "deaf" in sys.argv
            state = run_graph(lambda p: build(p, deaf=deaf), options, poll, get_prism(options))
        except KeyboardInterrupt:
            state = "interrupted"
    sys.stdout.write(f"{state}\n")


if __name__ == "__main__":
    from endless_stream import main as importable_main  # Beam wants steps from a module

    importable_main()
