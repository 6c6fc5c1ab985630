"""The running ledger counts everything once, shows what changed, and is cheap."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from apache_beam.utils.timestamp import Timestamp

from keyed_step import KeyedStep
from transforms.running_ledger import THE_END, CountBundle, RunningLedger, decoded, encoded
from transforms.timestamps import DAY, HOUR, SECOND, micros_of

RECEIVED = ("", "received", "")
LATE = ("tokens", "rejected", "too_late")


def ledger() -> KeyedStep:
    return KeyedStep(RunningLedger("run"))


def counts(**named: int) -> bytes:
    what = {"received": RECEIVED, "late": LATE}
    return encoded(Counter({what[name]: count for name, count in named.items()}))


def shown(outputs: list[Any]) -> list[dict[str, int]]:
    return [
        {row["reason"] or row["outcome"]: row["events"] for row in b.to_pylist()} for b in outputs
    ]


def show(step: KeyedStep) -> list[dict[str, int]]:
    return [rows for timer in step.clock_timers() for rows in shown(step.fire(timer))]


def test_counts_grow() -> None:
    step = ledger()
    step.process((0, counts(received=2)), 5)
    step.process((0, counts(received=3, late=1)), 6)
    assert show(step) == [{"received": 5, "too_late": 1}]
    step.process((0, counts(received=1)), 7)
    assert show(step) == [{"received": 6}]


def test_what_did_not_change_is_not_written_again() -> None:
    step = ledger()
    step.process((0, counts(received=2)), 5)
    (timer,) = step.clock_timers()
    step.timers[0, "show", "another"] = step.timers[timer]
    assert show(step) == [{"received": 2}]


def test_counts_are_shown_within_half_a_second() -> None:
    step = ledger()
    now = micros_of(datetime.now(UTC))
    step.process((0, counts(received=2)), 5)
    (due,) = (step.timers[name] for name in step.clock_timers())
    assert 0 < due - now < 2 * SECOND


def test_a_bundle_takes_one_request_and_timers_of_event_time_are_set_once() -> None:
    step = ledger()
    for i in range(100):
        step.process((0, counts(received=1)), i)
        step.end_bundle()
    assert step.requests == 100
    assert len(step.event_timers()) == 1
    assert show(step)[-1] == {"received": 100}
    assert step.kept == 1


def test_the_end_of_the_stream_leaves_nothing_behind() -> None:
    step = ledger()
    step.process((0, counts(received=2)), 5)
    show(step)
    step.process((0, counts(received=2)), 6)
    (timer,) = step.event_timers()
    assert step.timers[timer] == THE_END.micros
    assert shown(step.fire(timer)) == [{"received": 4}]
    assert step.kept == 0
    assert show(step) == []


def test_hours_of_an_archive_that_is_read_long_after_its_time_are_added_up() -> None:
    step, now = ledger(), 10 * DAY
    for i in range(100):
        at = now + i * HOUR // 50
        for timer in step.event_timers(at):
            step.fire(timer)
        step.process((0, counts(received=1)), at)
    assert show(step)[-1] == {"received": 100}


@pytest.mark.parametrize("are_totals", [False, True])
def test_counts_are_read_back_as_they_were_written(*, are_totals: bool) -> None:
    hour = Counter({RECEIVED: 2, LATE: 1})
    known = decoded([encoded(hour, are_totals=are_totals)])
    assert known == (hour, [] if are_totals else sorted(hour))


def test_a_bundle_gives_the_counts_of_each_hour_with_the_first_stamp() -> None:
    bundle = CountBundle()
    bundle.start_bundle()
    for hour, count, stamp in ((0, 1, 9), (HOUR, 2, 7), (0, 3, 8)):
        bundle.process(((hour, *RECEIVED), count), Timestamp(micros=stamp))
    given = {each.value[0]: each for each in bundle.finish_bundle()}
    assert {hour: decoded([e.value[1]]).totals[RECEIVED] for hour, e in given.items()} == {
        0: 4,
        HOUR: 2,
    }
    assert {each.timestamp for each in given.values()} == {Timestamp(micros=7)}
