"""The rates of a stream: taken over when they change, kept when they are broken."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tail_run import CATALOG, RUN

from pipelines import notices
from pipelines.inputs.block import Block
from pipelines.kept_rates import LostRatesError, history
from pipelines.problems import UserError
from pipelines.rate_versions import KeptBooks, RateVersions
from transforms.block_reader import BlockReader
from transforms.rescue import careful
from transforms.timestamps import format_time

HEADER = "meter,label,effective_from,unit_price\n"
DIMENSIONS = {"calls": ()}


@pytest.fixture
def told() -> list[str]:
    """What the user was told."""
    texts: list[str] = []
    notices.taken_by(texts.append)
    yield texts
    notices.given_back()


def versions(folder: Path, refresh_us: int = 0) -> RateVersions:
    return RateVersions(folder / "kept", str(folder / "rates.csv"), DIMENSIONS, refresh_us)


def write(folder: Path, text: str) -> None:
    (folder / "rates.csv").write_text(HEADER + text)


def labels(folder: Path, version: str | None) -> list[str]:
    return [each.label for each in KeptBooks(folder / "kept", DIMENSIONS).version(version).rates]


def test_a_changed_file_is_a_new_version_and_the_old_one_stays(tmp_path: Path) -> None:
    write(tmp_path, "calls,old,2026-01-01,1\n")
    rates = versions(tmp_path)
    first = rates.current()
    write(tmp_path, "calls,old,2026-01-01,1\ncalls,new,2026-02-01,2\n")
    second = rates.current()
    assert labels(tmp_path, first) == ["old"]
    assert labels(tmp_path, second) == ["old", "new"]


def test_a_broken_file_is_reported_once_and_the_last_good_version_stays(
    tmp_path: Path, told: list[str]
) -> None:
    write(tmp_path, "calls,good,2026-01-01,1\n")
    rates = versions(tmp_path)
    good = rates.current()
    write(tmp_path, "calls,bad,2026-01-01,much\n")
    assert [rates.current(), rates.current()] == [good, good]
    assert len(told) == 1
    assert "rates.csv:2" in told[0]
    write(tmp_path, "calls,better,2026-01-01,3\n")
    assert labels(tmp_path, rates.current()) == ["better"]


def test_a_file_that_is_gone_is_reported_and_the_last_good_version_stays(
    tmp_path: Path, told: list[str]
) -> None:
    write(tmp_path, "calls,good,2026-01-01,1\n")
    rates = versions(tmp_path)
    good = rates.current()
    (tmp_path / "rates.csv").unlink()
    assert rates.current() == good
    assert "no such file" in told[0]


def test_broken_rates_at_a_restart_leave_the_version_that_was_kept_last(
    tmp_path: Path, told: list[str]
) -> None:
    write(tmp_path, "calls,good,2026-01-01,1\n")
    good = versions(tmp_path).current()
    write(tmp_path, "calls,bad\n")
    assert versions(tmp_path).current() == good
    assert told


def test_the_file_is_not_read_again_before_it_is_time(tmp_path: Path) -> None:
    write(tmp_path, "calls,old,2026-01-01,1\n")
    rates = versions(tmp_path, refresh_us=3_600_000_000)
    first = rates.current()
    write(tmp_path, "calls,new,2026-01-01,1\n")
    assert rates.current() == first


def test_a_run_without_rates_has_no_version_and_an_empty_book(tmp_path: Path) -> None:
    rates = RateVersions(tmp_path, None, DIMENSIONS, 0)
    assert rates.current() is None
    assert KeptBooks(tmp_path, DIMENSIONS).version(None).rates == ()


def test_a_window_with_one_rate_keeps_the_version_that_held_when_it_began(tmp_path: Path) -> None:
    write(tmp_path, "calls,old,2026-01-01,1\n")
    rates = versions(tmp_path)
    rates.current()
    write(tmp_path, "calls,new,2026-01-01,2\n")
    rates.current()
    (_, _), (changed_us, _) = history(tmp_path / "kept")
    starts = np.array([0, changed_us - 1, changed_us, changed_us + 10**12])
    books = KeptBooks(tmp_path / "kept", DIMENSIONS).of_windows(starts)
    assert [book.rates[0].label for book in books] == ["old", "old", "new", "new"]


def test_a_version_holds_for_windows_that_no_event_can_have_come_for(tmp_path: Path) -> None:
    write(tmp_path, "calls,old,2026-01-01,1\n")
    tolerance_us = CATALOG.future_tolerance_us
    clock_us = time.time_ns() // 1000
    RateVersions(
        tmp_path / "kept", str(tmp_path / "rates.csv"), DIMENSIONS, 0, tolerance_us
    ).current()
    ((from_us, _),) = history(tmp_path / "kept")
    # of a record that was read just before: the arrival it may say, and the time of its event
    last_us = clock_us + 2 * tolerance_us
    assert accepted(clock_us, clock_us + tolerance_us, last_us)
    assert not accepted(clock_us, clock_us + tolerance_us, last_us + 1)
    assert not accepted(clock_us, clock_us + tolerance_us + 1, last_us)
    assert from_us > last_us


def accepted(clock_us: int, received_us: int, event_us: int) -> bool:
    times = {"timestamp": format_time(event_us), "received_at": format_time(received_us)}
    line = json.dumps({"id": "1", "event_type": "call", "customer_id": "c"} | times)
    block = Block("/in/a.ndjson", line.encode(), clock_us=clock_us)
    return "events" in [tag for tag, _ in BlockReader(RUN, CATALOG, "recorded", 1)(block)]


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_text("no rates")])
def test_rates_that_break_before_the_first_event_are_reported_and_stay_as_they_were(
    tmp_path: Path, told: list[str], change: Callable[[Path], object]
) -> None:
    write(tmp_path, "calls,good,2026-01-01,1\n")
    rates = versions(tmp_path)
    rates.begin()
    change(tmp_path / "rates.csv")
    assert labels(tmp_path, rates.current()) == ["good"]
    assert len(told) == 1


def test_rates_that_no_event_was_read_under_are_not_in_the_history(tmp_path: Path) -> None:
    write(tmp_path, "calls,unused,2026-01-01,1\n")
    versions(tmp_path).begin()
    write(tmp_path, "calls,first,2026-01-01,1\n")
    rates = versions(tmp_path)
    rates.begin()
    first = rates.current()
    assert [version for _, version in history(tmp_path / "kept")] == [first]


def test_a_run_that_goes_on_keeps_its_history(tmp_path: Path) -> None:
    write(tmp_path, "calls,old,2026-01-01,1\n")
    versions(tmp_path).current()
    before = history(tmp_path / "kept")
    rates = versions(tmp_path)
    rates.begin()
    rates.current()
    assert history(tmp_path / "kept") == before


def test_a_run_without_any_good_rates_does_not_begin(tmp_path: Path) -> None:
    write(tmp_path, "calls,bad,2026-01-01,much\n")
    with pytest.raises(UserError, match=r"rates\.csv:2"):
        versions(tmp_path).begin()


@pytest.mark.parametrize("path", ["rates.csv", None])
def test_a_version_that_was_used_and_is_lost_is_named_before_a_run_goes_on(
    tmp_path: Path, path: str | None
) -> None:
    write(tmp_path, "calls,old,2026-01-01,1\n")
    lost = versions(tmp_path).current()
    (tmp_path / "kept" / f"{lost}" / "0000.csv").write_text("")
    write(tmp_path, "calls,new,2026-01-01,1\n")
    rates = RateVersions(tmp_path / "kept", path and str(tmp_path / path), DIMENSIONS, 0)
    with pytest.raises(UserError, match=f"kept/{lost}: .*or begin a new run"):
        rates.begin()


def test_a_lost_version_is_mended_by_the_same_rates(tmp_path: Path) -> None:
    write(tmp_path, "calls,old,2026-01-01,1\n")
    lost = versions(tmp_path).current()
    (tmp_path / "kept" / f"{lost}" / "0000.csv").write_text("")
    versions(tmp_path).begin()
    assert labels(tmp_path, lost) == ["old"]


def test_a_version_that_cannot_be_read_ends_the_job_and_rejects_nothing(tmp_path: Path) -> None:
    write(tmp_path, "calls,old,2026-01-01,1\n")
    lost = versions(tmp_path).current()
    (tmp_path / "kept" / f"{lost}" / "0000.csv").write_text(HEADER)
    books = KeptBooks(tmp_path / "kept", DIMENSIONS)
    for function in (
        lambda starts: [("book", books.version(lost) if len(starts) else None)],
        lambda starts: [("book", book) for book in books.of_windows(starts)],
    ):
        with pytest.raises(LostRatesError, match=f"kept/{lost}"):
            careful(function, lambda _: [], lambda *_: [("rejects", 1)], np.array([0]))
