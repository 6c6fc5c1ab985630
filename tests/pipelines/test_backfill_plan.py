"""Windows that are listed make few runs, each over whole windows of all its meters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.backfill_plan import Shape, Window, plan
from transforms.timestamps import DAY, HOUR

SHAPES = {
    "hourly": Shape(HOUR, DAY),
    "daily": Shape(DAY, DAY),
    "six": Shape(6 * HOUR, HOUR),
    "eight": Shape(8 * HOUR, 0),
}
LATER = 1000 * DAY


def window(meter: str, hour: int) -> Window:
    start = hour * HOUR - hour * HOUR % SHAPES[meter].window_us
    return Window(meter, start, start + SHAPES[meter].window_us, "too_late", 1)


def runs(*windows: Window, now_us: int = LATER) -> list[tuple[tuple[str, ...], int, int]]:
    found = plan(windows, SHAPES, now_us)
    return [(each.meters, each.start_us // HOUR, each.end_us // HOUR) for each in found]


@pytest.mark.parametrize(
    ("hours", "expected"), [([1, 2, 5], [(1, 6)]), ([1, 40], [(1, 2), (40, 41)]), ([], [])]
)
def test_near_windows_of_a_meter_are_one_run(
    hours: list[int], expected: list[tuple[int, int]]
) -> None:
    found = runs(*(window("hourly", hour) for hour in hours))
    assert found == [(("hourly",), *each) for each in expected]


def test_a_run_of_several_meters_cuts_no_window_of_any() -> None:
    assert runs(window("hourly", 3), window("daily", 3)) == [(("daily", "hourly"), 0, 24)]
    assert runs(window("six", 7), window("eight", 7)) == [(("eight", "six"), 0, 24)]


def test_an_open_window_that_is_not_listed_is_in_no_run() -> None:
    now_us = 10 * HOUR
    assert runs(window("hourly", 1), window("hourly", 5), now_us=now_us) == [
        (("hourly",), 1, 2),
        (("hourly",), 5, 6),
    ]
    assert runs(window("six", 0), window("hourly", 0), now_us=now_us) == [
        (("hourly",), 0, 1),
        (("six",), 0, 6),
    ]


listed = st.lists(
    st.builds(window, st.sampled_from(sorted(SHAPES)), st.integers(-100, 100)), max_size=20
)


@given(listed, st.integers(-200, 200))
def test_each_window_is_in_one_run_whole_and_no_open_one_is_added(
    windows: list[Window], now_hour: int
) -> None:
    now_us = now_hour * HOUR
    found = plan(windows, SHAPES, now_us)
    assert sorted(map(repr, windows)) == sorted(repr(w) for each in found for w in each.windows)
    own = {(w.meter, w.start_us) for w in windows}
    for each in found:
        for w in each.windows:
            assert w.meter in each.meters
            assert each.start_us <= w.start_us < w.end_us <= each.end_us
        for meter in each.meters:
            shape = SHAPES[meter]
            assert each.start_us % shape.window_us == each.end_us % shape.window_us == 0
            for start in range(each.start_us, each.end_us, shape.window_us):
                closed = start + shape.window_us + shape.allowed_lateness_us <= now_us
                assert closed or (meter, start) in own
