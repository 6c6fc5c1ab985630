"""What a cell may hold: decimals that fit, moments that are."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rates.cells import moment_text, parse_amount, parse_moment, parse_per

LARGEST = "99999999999999999999.999999999999999999"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("0.25", "0.25"),
        ("-3", "-3"),
        ("+3", "3"),
        (".5", "0.5"),
        ("5.", "5"),
        ("007.50", "7.5"),
        ("2.5e-6", "0.0000025"),
        ("2.5E+6", "2500000"),
        ("1e19", "10000000000000000000"),
        ("1e-18", "0.000000000000000001"),
        ("1.50000000000000000000", "1.5"),
        ("0.0000000000000000000000e30", "0"),
        ("0e999999999999999999999999", "0"),
        ("-0", "0"),
        ("100000000000000000000000e-20", "1000"),
        (LARGEST, LARGEST),
        (f"-{LARGEST}", f"-{LARGEST}"),
    ],
)
def test_an_amount_is_read_to_its_last_digit(text: str, value: str) -> None:
    assert parse_amount(text) == Decimal(value)


def test_an_amount_has_the_same_digits_however_it_is_spelled() -> None:
    assert str(parse_amount("1e3")) == str(parse_amount("1000.00")) == "1000"


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "e5", "1e", "--1", "1.2.3", "1e5.5", "0x1", "1/2", "$1"),
        *("NaN", "inf", "-Infinity", "1_000", "1,000", " 1", "1 ", "1\n"),
        *("\u0661", "\uff11", "\u22121"),  # digits and a minus, but not of ASCII
    ],
)
def test_an_amount_is_nothing_but_digits(text: str) -> None:
    with pytest.raises(ValueError, match="is not a decimal number"):
        parse_amount(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1e20", r"is not below 10\^20"),
        ("-100000000000000000000", r"is not below 10\^20"),
        ("1e99999999999999999999999", r"is not below 10\^20"),
        ("1e-19", "has more than 18 decimals"),
        (f"{LARGEST}1", "has more than 18 decimals"),
        ("1e-99999999999999999999999", "has more than 18 decimals"),
        ("9" * 5000, r"is not below 10\^20"),
        ("1e" + "9" * 5000, r"is not below 10\^20"),
    ],
)
def test_an_amount_fits_or_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_amount(text)


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**40), 10**40) | st.integers(-999, 999), st.integers(-45, 25))
def test_an_amount_is_judged_by_its_value(digits: int, exponent: int) -> None:
    value = Fraction(digits) * Fraction(10) ** exponent
    text = f"{digits}e{exponent}"
    if abs(value) < 10**20 and (value * 10**18).denominator == 1:
        assert Fraction(parse_amount(text)) == value
    else:
        with pytest.raises(ValueError, match=r"decimals|not below"):
            parse_amount(text)


def test_a_lot_is_above_zero() -> None:
    assert parse_per("1e6") == 10**6
    for text in ("0", "-1", "0.0"):
        with pytest.raises(ValueError, match="is not above 0"):
            parse_per(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-01", 0),
        ("1970-01-02", 86_400_000_000),
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01 00:00:01.5Z", 1_500_000),
        ("1970-01-01T00:00:00.1234567Z", 123_456),
        ("1970-01-01T05:30:00+05:30", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("1970-01-01T00:00:00-00:00", 0),
        ("0001-01-01", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ],
)
def test_a_moment_is_microseconds_in_utc(text: str, moment: int) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-1-1", "01/02/2026", "20260101", "2026-01-01 ", "2026-01-01Z"),
        *("2026-01-01T00:00:00", "2026-01-01T00:00Z", "2026-01-01T00:00:00.Z"),
        *("2026-01-01T00:00:00+0100", "\uff12026-01-01"),
    ],
)
def test_a_moment_has_one_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="is neither a date"):
        parse_moment(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29",
        "2026-13-01",
        "0000-01-01",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+01:60",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_a_moment_exists(text: str) -> None:
    with pytest.raises(ValueError, match="is no moment of the years 1 to 9999"):
        parse_moment(text)


@settings(max_examples=100, deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_reads_back(moment: datetime) -> None:
    micros = parse_moment(moment.isoformat())
    assert parse_moment(moment_text(micros)) == micros
    assert moment_text(micros) == moment.isoformat().replace("+00:00", "Z")
