"""Partials become a change for each window, of all meters whose windows are the same."""

import pyarrow as pa
import pytest
from apache_beam.utils.timestamp import Timestamp

from partials_of_events import ONE, Event, partial_of, totals_of
from transforms.catalog_file import load_catalog
from transforms.deltas import from_bytes
from transforms.revise import CutWindows
from transforms.timestamps import DAY, HOUR

CATALOG = load_catalog(
    "catalog.yaml",
    b"""
version: 1
meters:
  - {name: tokens, event_type: use, aggregation: sum, value: n, window: 1h, allowed_lateness: 2h}
  - {name: calls, event_type: use, aggregation: sum, value: n, window: 1h, allowed_lateness: 2h}
  - {name: patient, event_type: use, aggregation: sum, value: n, window: 1h, allowed_lateness: 3h}
  - {name: daily, event_type: use, aggregation: sum, value: n, window: 1d, allowed_lateness: 2h}
""",
)
EVENTS = [Event("c", None, None, ONE, 0)]


@pytest.fixture
def cutter() -> CutWindows:
    cutter = CutWindows(CATALOG)
    cutter.setup()
    cutter.start_bundle()
    return cutter


def test_a_bundle_gives_one_delta_for_each_window_with_the_first_stamp(cutter: CutWindows) -> None:
    both = pa.concat_batches([partial_of(EVENTS, "sum", start) for start in (HOUR, 0)])
    one = partial_of(EVENTS, "sum", HOUR)
    for meter, partial, stamp in (("tokens", both, 7), ("tokens", one, 5), ("calls", one, 8)):
        cutter.process(((meter, 3), partial), Timestamp(micros=stamp))
    elements = list(cutter.finish_bundle())
    assert {element.timestamp for element in elements} == {Timestamp(micros=5)}
    deltas = {element.value[0]: from_bytes(element.value[1]) for element in elements}
    first, second = (0, HOUR, 3 * HOUR, 3), (HOUR, 2 * HOUR, 4 * HOUR, 3)
    counts = {first: {"tokens": 1}, second: {"tokens": 2, "calls": 1}}
    assert {window: set(delta) for window, delta in deltas.items()} == {
        window: set(count) for window, count in counts.items()
    }
    for window, delta in deltas.items():
        for meter, rows in delta.items():
            assert set(rows.column("rate_at").to_pylist()) == {window[0]}
            count = counts[window][meter]
            assert totals_of(rows) == {("c", None, None): (count, count * ONE)}


def test_meters_that_close_at_other_times_have_windows_of_their_own(cutter: CutWindows) -> None:
    for meter in ("tokens", "patient", "daily"):
        cutter.process(((meter, 0), partial_of(EVENTS, "sum", 0)), Timestamp(micros=5))
    windows = {element.value[0] for element in cutter.finish_bundle()}
    assert windows == {(0, HOUR, 3 * HOUR, 0), (0, HOUR, 4 * HOUR, 0), (0, DAY, DAY + 2 * HOUR, 0)}
