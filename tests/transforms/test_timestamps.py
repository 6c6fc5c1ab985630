"""Times are read to the microsecond, the same one by one and as a column."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.timestamps import (
    EPOCH,
    format_time,
    micros_of,
    moment_of,
    parse_time,
    parse_times,
)

DIGITS = st.text("0123456789", min_size=1, max_size=9)


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """Times that are right, nearly right, and wrong."""
    moment = draw(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001
    text = moment.isoformat(draw(st.sampled_from("Tt ")), "seconds")
    if draw(st.booleans()):
        text += "." + draw(DIGITS)
    text += draw(st.sampled_from(["Z", "z", "+00:00", "-00:00", "+05:30", "-23:59", "+24:00", ""]))
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(text) - 1))
        text = text[:at] + draw(st.sampled_from("0169:-+.TZ aé")) + text[at + 1 :]
    return text


@given(st.lists(spellings(), max_size=30), st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_column_is_read_as_each_of_its_times(texts: list[str], utc: bool) -> None:
    at, read = parse_times(pa.array(texts, pa.string()), assume_utc=utc)
    for text, value, was_read in zip(texts, at.tolist(), read.tolist(), strict=True):
        expected = parse_time(text, assume_utc=utc)
        assert not was_read or value == expected


@given(st.lists(st.tuples(st.integers(0, 3999), spellings() | st.none()), max_size=5))
@settings(max_examples=50, deadline=None)
def test_a_few_odd_ones_change_nothing_of_a_long_column(odd: list[tuple[int, str | None]]) -> None:
    texts: list[str | None] = [f"2026-01-15T10:30:00.{i:06}Z" for i in range(4000)]
    for place, text in odd:
        texts[place] = text
    at, read = parse_times(pa.array(texts, pa.string()))
    usual = np.ones(len(texts), bool)
    usual[[place for place, _ in odd]] = False
    assert read[usual].all()
    first = parse_time("2026-01-15T10:30:00Z") or 0
    assert (at[usual] == first + np.arange(4000)[usual]).all()
    for place, _ in odd:
        text = texts[place]
        assert not read[place] or (text is not None and at[place] == parse_time(text))


@given(spellings())
@settings(max_examples=1000, deadline=None)
def test_a_time_that_stands_alone_in_a_column_is_read_as_itself(text: str) -> None:
    (at,), (read,) = parse_times(pa.array([text]))
    assert not read or at == parse_time(text)


@given(st.lists(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), max_size=20))  # noqa: DTZ001
def test_ordinary_times_are_read_by_the_column(moments: list[datetime]) -> None:
    texts = pa.array([m.isoformat(timespec="microseconds") + "Z" for m in moments], pa.string())
    at, read = parse_times(texts)
    assert read.all()
    expected = [(m.replace(tzinfo=EPOCH.tzinfo) - EPOCH) for m in moments]
    assert at.tolist() == [
        d.days * 86_400_000_000 + d.seconds * 10**6 + d.microseconds for d in expected
    ]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00.0000019z", 1),
        ("1970-01-01 01:00:00+01:00", 0),
        ("1969-12-31T23:59:59.9999999Z", -1),
        ("1970-01-01T00:00:60Z", None),
        ("1970-01-01T24:00:00Z", None),
        ("1970-02-29T00:00:00Z", None),
        ("1970-01-01T00:00:00", None),
        ("1970-01-01", None),
        ("0000-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+00:01", None),
        ("9999-12-31T23:59:59-00:01", None),
        ("1970-01-01T00:00:00.Z", None),
        ("1970-01-01T00:00:00+0100", None),
    ],
)
def test_rfc3339_is_read_strictly(text: str, at: int | None) -> None:
    assert parse_time(text) == at
    column, read = parse_times(pa.array([text]))
    assert not read[0] or column[0] == at


def test_a_time_is_shown_as_it_is_read() -> None:
    assert parse_time(format_time(1_700_000_000_123_456)) == 1_700_000_000_123_456


@given(st.integers(1_700_000_000_000_000, 2_000_000_000_000_000))
def test_a_clock_is_told_to_the_microsecond(at_us: int) -> None:
    assert micros_of(moment_of(at_us)) == at_us
