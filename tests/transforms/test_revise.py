"""Panes come when they should, with what changed, and leave nothing behind."""

from typing import Any

import pyarrow as pa
import pytest

from keyed_step import KeyedStep
from partials_of_events import ONE, Event, partial_of, totals_of
from transforms.deltas import to_bytes
from transforms.live import Live
from transforms.partials import pane_of
from transforms.revise import Revise
from transforms.timestamps import DAY, HOUR, SECOND
from transforms.window_log import HeldTotals

WINDOW = (0, HOUR, 3 * HOUR, 0)
OTHER = (HOUR, 2 * HOUR, 4 * HOUR, 0)
CLOSES = HOUR + 2 * HOUR + HOUR  # with the slack
Pane = tuple[str, dict[str, tuple[int, int]]]


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> HeldTotals:
    fresh = HeldTotals()
    monkeypatch.setattr("transforms.revise.HELD", fresh)
    return fresh


def revise(early_us: int) -> KeyedStep:
    return KeyedStep(Revise(Live(early_us, slack_us=HOUR)))


def delta(*values: int, customer: str = "c") -> bytes:
    return to_bytes({"tokens": added(*values, customer=customer)})


def added(*values: int, customer: str = "c") -> pa.RecordBatch:
    return partial_of([Event(customer, None, None, v * ONE, 0) for v in values], "sum")


def shown(outputs: list[Any]) -> list[Pane]:
    """Panes with the events and the quantity of each customer."""
    return [
        (pane_of(rows), {group[0]: (n, q // ONE) for group, (n, q) in totals_of(rows).items()})
        for _, rows in outputs
    ]


def named(step: KeyedStep, family: str) -> Any:
    (timer,) = [name for name in step.timers if name[1] == family]
    return timer


def test_without_a_wait_each_delta_is_shown_at_once() -> None:
    step = revise(0)
    assert shown(step.process((WINDOW, delta(1)), 5)) == [("early", {"c": (1, 1)})]
    assert shown(step.process((WINDOW, delta(2, 3)), 6)) == [("early", {"c": (3, 6)})]


def test_only_groups_that_changed_are_shown() -> None:
    step = revise(0)
    step.process((WINDOW, delta(1, customer="c")), 5)
    assert shown(step.process((WINDOW, delta(2, customer="d")), 6)) == [("early", {"d": (1, 2)})]


def test_windows_have_nothing_to_do_with_each_other() -> None:
    step = revise(0)
    step.process((WINDOW, delta(1)), 5)
    assert shown(step.process((OTHER, delta(2)), 6)) == [("early", {"c": (1, 2)})]


def test_deltas_wait_for_the_early_timer_and_are_shown_as_one() -> None:
    step = revise(SECOND)
    assert step.process((WINDOW, delta(1)), 5) == []
    assert step.process((WINDOW, delta(2)), 6) == []
    assert shown(step.fire(named(step, "early"))) == [("early", {"c": (2, 3)})]
    step.process((WINDOW, delta(4)), 7)
    assert shown(step.fire(named(step, "early"))) == [("early", {"c": (3, 7)})]


def test_the_early_timer_is_not_put_off_by_later_deltas() -> None:
    step = revise(SECOND)
    step.process((WINDOW, delta(1)), 5)
    due = step.timers[named(step, "early")]
    step.end_bundle()
    step.process((WINDOW, delta(1)), 6)
    assert step.timers[named(step, "early")] == due


@pytest.mark.parametrize("order", [("early", "on_time"), ("on_time", "early")])
def test_of_two_timers_that_are_due_the_first_shows_what_waits(order: tuple[str, str]) -> None:
    step = revise(SECOND)
    step.process((WINDOW, delta(1)), 5)
    panes = [shown(step.fire(named(step, family))) for family in order]
    assert panes == [[(order[0], {"c": (1, 1)})], []]


def test_the_on_time_timer_is_due_when_the_window_ends() -> None:
    step = revise(SECOND)
    step.process((WINDOW, delta(1)), 5)
    assert [name for _, name, _ in step.event_timers(HOUR)] == ["on_time"]
    assert step.event_timers(HOUR - 1) == []


def test_a_late_delta_is_shown_at_once_with_what_still_waits() -> None:
    step = revise(SECOND)
    step.process((WINDOW, delta(1)), 5)
    step.process((WINDOW, delta(2, customer="d")), 6)
    late = shown(step.process((WINDOW, delta(4)), HOUR))
    assert late == [("late", {"c": (2, 5), "d": (1, 2)})]
    assert shown(step.fire(named(step, "on_time"))) == []
    assert shown(step.fire(named(step, "early"))) == []


@pytest.mark.parametrize("early_us", [0, SECOND])
def test_a_closed_window_leaves_nothing_behind(early_us: int, held: HeldTotals) -> None:
    step = revise(early_us)
    for i in range(40):
        step.end_bundle()
        step.process((WINDOW, delta(i)), i)
    assert step.timers[named(step, "close")] >= CLOSES
    left = shown(step.fire(named(step, "close")))
    assert left == ([("late", {"c": (40, 780)})] if early_us else [])
    assert (step.kept, len(held), held.nbytes) == (0, 0, 0)
    for timer in list(step.timers):
        assert step.fire(timer) == []


def test_timers_of_event_time_are_set_once() -> None:
    step = revise(SECOND)
    for i in range(50):
        step.end_bundle()
        step.process((WINDOW, delta(1)), i)
    assert step.settings == 3


@pytest.mark.parametrize("early_us", [0, SECOND])
def test_a_delta_takes_two_requests(early_us: int) -> None:
    step = revise(early_us)
    for i in range(20):
        step.end_bundle()
        step.process((WINDOW, delta(1)), i)
    assert step.requests == 2 * 20


def test_what_waits_long_is_added_up() -> None:
    step = revise(SECOND)
    for i in range(200):
        step.end_bundle()
        step.process((WINDOW, delta(1)), i)
        assert step.kept <= 64
        if i == 10:
            assert shown(step.fire(named(step, "early"))) == [("early", {"c": (11, 11)})]
    assert shown(step.fire(named(step, "on_time"))) == [("on_time", {"c": (200, 200)})]


def test_in_one_bundle_a_window_is_read_once() -> None:
    step = revise(0)
    for i in range(20):
        step.process((WINDOW, delta(1)), i)
    assert step.requests == 1 + 20


def test_what_a_failed_bundle_did_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    step = revise(0)
    step.process((WINDOW, delta(1)), 5)
    with step.failing_bundle():
        step.process((WINDOW, delta(10)), 6)
    assert shown(step.process((WINDOW, delta(10)), 6)) == [("early", {"c": (2, 11)})]
    assert "read again" in caplog.text


def test_totals_for_which_there_is_no_room_are_read_back(held: HeldTotals) -> None:
    held.limit = 1
    step = revise(0)
    for i in range(40):
        step.end_bundle()
        one = shown(step.process((WINDOW, delta(1)), i))
        other = shown(step.process((OTHER, delta(2)), i))
        assert (one, other) == (
            [("early", {"c": (i + 1, i + 1)})],
            [("early", {"c": (i + 1, 2 * i + 2)})],
        )
        assert len(held) == 1


def test_state_stays_about_as_large_as_the_window(held: HeldTotals) -> None:
    step = revise(0)
    events = [Event(f"c{i}", None, None, ONE, 0) for i in range(5000)]
    large = to_bytes({"tokens": partial_of(events, "sum")})
    for i in range(60):
        step.end_bundle()
        step.process((WINDOW, large), i)
    kept = sum(len(value) for bag in step.bags.values() for value in bag.content)
    assert kept < 5 * len(large)
    held.drop((step.dofn.step, WINDOW))
    step.end_bundle()
    ((_, rows),) = step.process((WINDOW, large), 60)
    assert set(totals_of(rows).values()) == {(61, 61 * ONE)}


def test_an_archive_that_is_read_long_after_its_time_is_added_up_all_the_same() -> None:
    """Yesterday's file after today's: the watermark is far past all its windows."""
    step, now = revise(0), 10 * DAY
    for i in range(40):
        at = now + i * HOUR // 20
        for timer in step.event_timers(at):
            step.fire(timer)
        step.end_bundle()
        assert shown(step.process((WINDOW, delta(1)), at)) == [("late", {"c": (i + 1, i + 1)})]
    assert step.settings <= 100
    for timer in step.event_timers(now + 4 * HOUR):
        step.fire(timer)
    assert step.kept == 0


def test_changes_of_two_meters_take_two_requests_and_stay_apart() -> None:
    step, seen = revise(0), {}
    for i in range(10):
        step.end_bundle()
        change = {"tokens": added(1), "calls": added(i, customer="d")}
        for (meter, bucket), rows in step.process((WINDOW, to_bytes(change)), i):
            assert (bucket, pane_of(rows)) == (0, "early")
            seen[meter] = totals_of(rows)
    assert seen["tokens"] == {("c", None, None): (10, 10 * ONE)}
    assert seen["calls"] == {("d", None, None): (10, 45 * ONE)}
    assert step.requests == 2 * 10


def test_a_meter_that_changed_nothing_shows_nothing() -> None:
    step = revise(0)
    step.process((WINDOW, to_bytes({"tokens": added(1), "calls": added(1)})), 5)
    ((key, _),) = step.process((WINDOW, to_bytes({"calls": added(1)})), 6)
    assert key == ("calls", 0)
