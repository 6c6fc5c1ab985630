"""Beam's steps without the thread that measures them."""

import threading

import apache_beam as beam

from pipelines.no_sampler import without_sampler
from transforms.whereabouts import place

SEEN: list[tuple[str | None, bool]] = []
EARLIER: set[threading.Thread] = set()


class Look(beam.DoFn):
    """Notes the step that it is in, and whether a thread samples it."""

    def process(self, _element: int) -> None:
        begun = {*threading.enumerate()} - EARLIER
        SEEN.append((place().step, any(thread.name.endswith("(run)") for thread in begun)))


def seen() -> list[tuple[str | None, bool]]:
    SEEN.clear()
    EARLIER.update(threading.enumerate())  # other tests may have left some
    with beam.Pipeline("FnApiRunner") as pipeline:
        pipeline | beam.Create([1]) | "Look" >> beam.ParDo(Look())
    return [*SEEN]


def test_a_step_knows_its_name_and_no_thread_is_waited_for() -> None:
    with without_sampler():
        assert seen() == [("Look", False)]


def test_beam_measures_its_steps_again_afterwards() -> None:
    with without_sampler():
        pass
    assert seen() == [("Look", True)]
