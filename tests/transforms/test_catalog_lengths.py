"""Lengths of time: a whole number and a unit."""

import pytest

from transforms.lengths import DAY_US, LONGEST_US, length_text, parse_length, parse_window


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("90s", 90), ("5m", 300), ("1h", 3600), ("7d", 604_800), ("007m", 420)],
)
def test_a_length_is_read_in_microseconds(text: str, seconds: int) -> None:
    assert parse_length(text) == seconds * 1_000_000


@pytest.mark.parametrize(
    "text", ["", "1", "h", "1.5h", "1h30m", "-1h", "+1h", "1 h", "1H", "1w", "1h\n", "٣h", "1e3s"]
)
def test_anything_else_is_no_length(text: str) -> None:
    with pytest.raises(ValueError, match="a whole number and s, m, h or d"):
        parse_length(text)


@pytest.mark.parametrize("text", ["36501d", "999999999999999999d"])
def test_a_length_stays_within_what_times_can_hold(text: str) -> None:
    assert parse_length("36500d") == LONGEST_US
    with pytest.raises(ValueError, match="at most 36500d"):
        parse_length(text)


@pytest.mark.parametrize("text", ["1m", "60s", "96s", "15m", "90m", "1h", "8h", "24h", "1d"])
def test_a_window_divides_a_day(text: str) -> None:
    assert DAY_US % parse_window(text) == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("59s", "1m to 1d long"),
        ("0m", "1m to 1d long"),
        ("25h", "1m to 1d long"),
        ("7m", "divides a day"),
        ("5h", "divides a day"),
        ("61s", "divides a day"),
        ("an hour", "a whole number"),
    ],
)
def test_anything_else_is_no_window(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_window(text)


@pytest.mark.parametrize("text", ["90s", "90m", "1h", "36h", "7d"])
def test_a_length_is_written_as_it_is_read(text: str) -> None:
    assert length_text(parse_length(text)) == text
