"""The rates of a stream: taken over when they change, kept when they are broken."""

import time
from pathlib import Path

import numpy as np
import pytest

from pipelines import notices
from pipelines.rate_versions import KeptBooks, RateVersions, _history

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
    (_, _), (changed_us, _) = _history(tmp_path / "kept" / "history")
    starts = np.array([0, changed_us - 1, changed_us, changed_us + 10**12])
    books = KeptBooks(tmp_path / "kept", DIMENSIONS).of_windows(starts)
    assert [book.rates[0].label for book in books] == ["old", "old", "new", "new"]


def test_a_version_holds_for_windows_that_no_event_can_have_come_for(tmp_path: Path) -> None:
    write(tmp_path, "calls,old,2026-01-01,1\n")
    before_us = time.time_ns() // 1000
    RateVersions(tmp_path / "kept", str(tmp_path / "rates.csv"), DIMENSIONS, 0, 10**9).current()
    ((from_us, _),) = _history(tmp_path / "kept" / "history")
    assert from_us >= before_us + 10**9


def test_an_entry_of_the_history_that_was_cut_short_is_none(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("1 a\n2 b")
    assert _history(tmp_path / "history") == [(1, "a")]
