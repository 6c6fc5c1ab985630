"""Numbers and times are read exactly, or not at all."""

from decimal import Decimal
from fractions import Fraction

import pytest

from oracle.amounts import as_number, exact, rounded
from oracle.dedup import canonical
from oracle.json_text import Json, Number, read_json
from oracle.times import epoch_us, moment_us, rfc3339_us


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1", "1.000000000000000000000000"),
        ("1e3", "1000"),
        ("-0", "0e999"),
        ("0.10", "1E-1"),
        ("1e99999999999999999999", "10e99999999999999999998"),
        ("-1.5", "-15e-1"),
    ],
)
def test_numbers_are_equal_by_value_and_not_by_spelling(left: str, right: str) -> None:
    assert exact(left) == exact(right)


@pytest.mark.parametrize(
    "text",
    [
        *("0", "-0.0", "0e-30", "1.50000000000000000000", "1e-18", "0.000000000000000001"),
        *("99999999999999999999.999999999999999999", "-99999999999999999999", "100000000000000000"),
        *("0.0000000000000000010e1", "1e19", "100000000000000000000e-1"),
    ],
)
def test_numbers_below_1e20_with_18_decimals_are_in_range(text: str) -> None:
    number = exact(text)
    assert number.in_range
    assert number.fraction == Fraction(Decimal(text))


@pytest.mark.parametrize(
    "text",
    [
        *("1e20", "-100000000000000000000", "1e-19", "0.0000000000000000001", "1e400", "1e-400"),
        *("99999999999999999999.9999999999999999999", "1.0000000000000000001", "1e" + "9" * 5000),
    ],
)
def test_numbers_beyond_are_not(text: str) -> None:
    assert not exact(text).in_range


@pytest.mark.parametrize(
    "text", ["+1", ".5", "01", " 1", "1 ", "", "NaN", "1,0", "0x1", "٣", "1\n"]
)
def test_a_string_is_a_number_only_in_the_syntax_of_json(text: str) -> None:
    assert as_number(text) is None
    assert as_number("1e3") == exact("1000") == as_number(Number("1e3"))


@pytest.mark.parametrize("value", [None, True, False, [], {}, [Number("1")]])
def test_nothing_else_is_a_number(value: Json) -> None:
    assert as_number(value) is None


def test_rounding_is_half_to_even_at_18_decimals_and_null_beyond_38_digits() -> None:
    unit = Fraction(1, 10**18)
    assert rounded(unit / 2) == 0
    assert rounded(unit * 3 / 2) == Decimal("2e-18")
    assert rounded(-unit / 2 - unit / 10**9) == Decimal("-1e-18")
    assert rounded(10**20 - unit) == Decimal("99999999999999999999.999999999999999999")
    assert rounded(10**20 - unit / 2) is None
    assert rounded(Fraction(-(10**20))) is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-15T10:30:00.123456Z",
        "2026-01-15t10:30:00.123456999z",
        "2026-01-15 10:30:00.1234560000000+00:00",
        "2026-01-15T10:30:00.123456-00:00",
        "2026-01-15T16:00:00.123456+05:30",
        "2026-01-14T10:31:00.123456-23:59",
    ],
)
def test_one_instant_has_many_spellings(text: str) -> None:
    assert rfc3339_us(text) == 1_768_473_000_123_456


@pytest.mark.parametrize(
    "text",
    [
        *("2026-01-15T10:30:60Z", "2026-01-15T24:00:00Z", "2026-02-29T00:00:00Z", "2026-01-15"),
        *("2026-01-15T10:30:00", "2026-01-15T10:30Z", "2026-01-15T10:30:00.Z", "", "now"),
        *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59.9-00:01"),
        *("0000-12-31T23:59:59-01:00", "2026-01-15T10:30:00+24:00", "2026-01-15T10:30:00+01:60"),
        *(" 2026-01-15T10:30:00Z", "2026-01-15T10:30:00Z\n", "2026-01-15T10:30:00+0100"),
        *(
            "2026-01-15T10:30:00 Z",
            "٢026-01-15T10:30:00Z",
            "20260115T103000Z",
            "2026-1-15T10:30:00Z",
        ),
        *("2026-01-15_10:30:00Z", "2026-01-15T10:30:00,5Z", "10000-01-01T00:00:00Z"),
    ],
)
def test_what_is_not_such_a_time_in_years_1_to_9999_is_none(text: str) -> None:
    assert rfc3339_us(text) is None


def test_the_first_and_the_last_microsecond_are_times() -> None:
    assert rfc3339_us("0001-01-01T00:00:00Z") == -62_135_596_800_000_000
    assert rfc3339_us("9999-12-31T23:59:59.9999999Z") == 253_402_300_799_999_999
    assert rfc3339_us("1969-12-31T23:59:59.999999Z") == -1


def test_a_time_without_offset_is_utc_only_where_the_source_says_so() -> None:
    assert rfc3339_us("1970-01-01 00:00:01", zone_may_lack=True) == 1_000_000
    assert rfc3339_us("1970-01-01 00:00:01-01:00", zone_may_lack=True) == 3_601_000_000
    assert rfc3339_us("1970-01-01", zone_may_lack=True) is None


@pytest.mark.parametrize(
    ("text", "places", "instant"),
    [
        ("1768473000", 6, 1_768_473_000_000_000),
        ("1768473000123.4569", 3, 1_768_473_000_123_456),
        ("1.5e3", 6, 1_500_000_000),
        ("-0.1", 0, -1),
        ("-1e-999999999999", 6, -1),
        ("1e-999999999999", 6, 0),
        ("-0", 3, 0),
        ("253402300799.9999999", 6, 253_402_300_799_999_999),
        ("253402300800", 6, None),
        ("-62135596800.0000001", 6, None),
        ("1e400", 0, None),
    ],
)
def test_epoch_times_are_scaled_exactly_and_cut_down(
    text: str, places: int, instant: int | None
) -> None:
    assert epoch_us(exact(text), places) == instant


def test_a_rate_may_start_with_a_date() -> None:
    assert moment_us("1970-01-02") == moment_us("1970-01-02T01:00:00+01:00") == 86_400_000_000


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ('{"x":1,"y":[1.0]}', '{"y":[1],"x":1e0}', True),
        ('{"x":"\\u0061"}', '{ "x" : "a" }', True),
        ('["1"]', "[1]", False),
        ("[true]", '["true"]', False),
        ("[null]", "[]", False),
        ('{"x":null}', "{}", False),
        ("[[],[1]]", "[[1],[]]", False),
        ("[[1],2]", "[[1,2]]", False),
        ("[0]", "[-0.0]", True),
        ("[true]", "[1]", False),
    ],
)
def test_objects_and_arrays_are_compared_as_json(left: str, right: str, *, same: bool) -> None:
    assert (canonical(read_json(left).value) == canonical(read_json(right).value)) is same
