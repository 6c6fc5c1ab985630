"""What is on its way holds the source back, and nothing holds it for ever."""

from dataclasses import dataclass

import pyarrow as pa
import pytest
from apache_beam.utils.timestamp import Timestamp

from transforms import revise
from transforms.catalog_file import load_catalog
from transforms.flow import Flow
from transforms.partials import partial_batch
from transforms.revise import CutWindows
from transforms.timestamps import HOUR

CATALOG = load_catalog(
    "catalog.yaml",
    b"""
version: 1
meters:
  - {name: calls, event_type: call, aggregation: count}
""",
)


@dataclass
class Clock:
    """Seconds, as set."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flow(clock: Clock) -> Flow:
    return Flow(clock)


def test_a_batch_is_on_its_way_until_deduplicate_has_seen_it(flow: Flow) -> None:
    assert not flow.full
    flow.given(7)
    assert flow.full
    flow.through(6)
    assert flow.full
    flow.through(7)
    assert not flow.full


def test_a_batch_of_which_nothing_came_is_through(flow: Flow) -> None:
    flow.given(7)
    flow.through()
    assert not flow.full
    flow.through()
    assert not flow.full


def test_what_came_of_a_batch_is_on_its_way_until_all_of_it_is_shown(flow: Flow) -> None:
    flow.given(7)
    flow.changing(7, 2)
    flow.through(7)
    assert flow.full
    flow.shown(7)
    assert flow.full
    flow.shown(7)
    assert not flow.full


def test_the_source_goes_on_after_a_second_in_which_nothing_moved(flow: Flow, clock: Clock) -> None:
    flow.given(7)
    flow.changing(7)
    clock.seconds += 0.9
    flow.given(8)
    clock.seconds += 0.9
    assert flow.full
    clock.seconds += 0.2
    assert not flow.full
    flow.shown(7)
    assert not flow.full


def test_there_is_no_gap_between_a_partial_and_its_windows(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revise, "FLOW", flow)
    flow.given(5)
    flow.through(5)
    keys = {"customer_id": pa.array(["a", "a"]).dictionary_encode()}
    keys["rate_at"] = pa.array([0, HOUR])
    partial = partial_batch(keys, {"events": pa.array([1, 2])}, "count")
    cut = CutWindows(CATALOG)
    cut.setup()
    cut.start_bundle()
    cut.process((("calls", 0), partial), Timestamp(micros=5000))
    assert flow.full
    windows = list(cut.finish_bundle())
    assert len(windows) == 2
    for window in windows:
        assert flow.full
        flow.shown(window.timestamp.micros // 1000)
    assert not flow.full


def test_a_process_without_a_source_keeps_nothing(flow: Flow) -> None:
    for stamp_ms in range(10):
        flow.changing(stamp_ms)
    assert not flow.full
