"""Stamps and watermarks: in order, never backwards, and on the move when nothing comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.arrival_clock import ArrivalClock
from transforms.timestamps import FIRST, SECOND

NOON = 1_768_478_400 * SECOND

arrivals = st.none() | st.integers(NOON - 100 * SECOND, NOON + 100 * SECOND)
batches = st.tuples(arrivals, arrivals, arrivals)
steps = st.lists(batches | st.integers(0, 3 * SECOND), max_size=40)


@given(st.booleans(), steps)
def test_stamps_grow_and_none_is_before_the_watermark(recorded: bool, taken: list) -> None:
    clock = ArrivalClock(recorded)
    now = 0
    stamp, watermark, latest = -(10**18), FIRST, FIRST
    for step in taken:
        if isinstance(step, int):
            now += step
            clock.idle(NOON + now, now)
        else:
            first, last, held = step
            clock.busy(now)
            given_stamp = clock.stamp(first, NOON + now)
            assert given_stamp > stamp
            assert 1000 * given_stamp >= watermark
            stamp = given_stamp
            arrived = last if recorded else NOON + now
            latest = latest if arrived is None else max(latest, arrived)
            safe = held if recorded and held is not None else latest
            assert clock.given(last, held, NOON + now) == max(watermark, safe)
        assert clock.watermark_us >= watermark
        watermark = clock.watermark_us


def test_a_batch_is_stamped_with_its_first_arrival() -> None:
    clock = ArrivalClock(recorded=True)
    assert clock.stamp(NOON + 1999, NOON + SECOND) == NOON // 1000 + 1
    assert clock.stamp(NOON + 5000, NOON + SECOND) == NOON // 1000 + 5
    assert clock.stamp(NOON + 5000, NOON + SECOND) == NOON // 1000 + 6
    assert clock.stamp(None, NOON + SECOND) == NOON // 1000 + 7


def test_a_batch_without_arrivals_is_stamped_with_the_clock() -> None:
    clock = ArrivalClock(recorded=False)
    assert clock.stamp(None, NOON + 1999) == NOON // 1000 + 1
    assert clock.given(None, None, NOON + 1999) == NOON + 1999


def test_the_watermark_waits_for_what_is_unread() -> None:
    clock = ArrivalClock(recorded=True)
    clock.stamp(NOON, NOON)
    assert clock.given(NOON + 9, NOON + 2, NOON) == NOON + 2
    assert clock.given(NOON + 5, None, NOON) == NOON + 9
    assert clock.given(None, None, NOON) == NOON + 9


@pytest.mark.parametrize("recorded", [True, False])
def test_the_watermark_goes_on_after_half_a_second_of_nothing(*, recorded: bool) -> None:
    clock = ArrivalClock(recorded)
    clock.busy(0)
    clock.stamp(NOON, NOON)
    clock.given(NOON, None, NOON)
    clock.idle(NOON + 499_999, 499_999)
    assert clock.watermark_us == NOON
    for at in (500_000, 700_000, 1_600_000):
        clock.idle(NOON + at, at)
        assert clock.watermark_us == NOON + (at if recorded else at - 100_000)


def test_where_arrivals_are_recorded_there_is_no_watermark_before_the_first() -> None:
    clock = ArrivalClock(recorded=True)
    clock.busy(0)
    for seconds in (1, 2, 3600):
        clock.idle(NOON + seconds * SECOND, seconds * SECOND)
        assert clock.watermark_us == FIRST
    assert clock.stamp(NOON, NOON) == NOON // 1000
    assert clock.given(NOON, None, NOON) == NOON
    clock.idle(NOON + 3601 * SECOND, 3601 * SECOND)
    assert clock.watermark_us == NOON + SECOND


def test_of_a_pause_of_the_process_a_second_counts() -> None:
    clock = ArrivalClock(recorded=True)
    clock.busy(0)
    clock.given(NOON, None, NOON)
    clock.idle(NOON + 3600 * SECOND, 3600 * SECOND)
    assert clock.watermark_us == NOON + SECOND


def test_it_goes_on_behind_what_was_given_out_before() -> None:
    clock = ArrivalClock(recorded=True)
    clock.resume(NOON // 1000, NOON + 2500)
    assert clock.stamp(NOON - SECOND, NOON) == NOON // 1000 + 3
