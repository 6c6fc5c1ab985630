"""JSON is read strictly, and numbers as they are written."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.json_text import Number, canonical, canonical_number, parse
from transforms.numbers import in_range, is_number
from transforms.reasons import Reason, Rejected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", Reason.NOT_JSON),
        ('{"a":-Infinity}', Reason.NOT_JSON),
        ("{} {}", Reason.NOT_JSON),
        ('"\\ud800"', Reason.NOT_JSON),
        ('{"\\udc00":1}', Reason.NOT_JSON),
        ("[" * 513 + "]" * 513, Reason.NOT_JSON),
        ("[" * 100_000, Reason.NOT_JSON),
        ("01", Reason.NOT_JSON),
        ('"\t"', Reason.NOT_JSON),
        ('{"a":1,"a":1}', Reason.DUPLICATE_FIELD),
        ('{"a":1,"\\u0061":1}', Reason.DUPLICATE_FIELD),
        ('{"":1,"":1}', Reason.DUPLICATE_FIELD),
        ('{"x":[{"y":{"a":1,"a":null}}]}', Reason.DUPLICATE_FIELD),
        ('{"a":1,"a":1,"b":"\\ud800"}', Reason.NOT_JSON),
    ],
)
def test_what_is_not_strict_json_is_refused(text: str, reason: Reason) -> None:
    with pytest.raises(Rejected) as refused:
        parse(text)
    assert refused.value.reason is reason


def test_512_levels_are_json() -> None:
    assert parse("[" * 512 + "]" * 512)
    assert parse('{"a":' * 512 + "1" + "}" * 512)


def test_numbers_stay_as_written() -> None:
    values = parse("[1.50, -0, 1E+2, 123456789012345678901234567890]")
    assert values == ["1.50", "-0", "1E+2", "123456789012345678901234567890"]
    assert all(isinstance(value, Number) for value in values)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=20), st.integers(-30, 30))
def test_a_number_has_one_canonical_form(value: Decimal, power: int) -> None:
    scaled = Decimal(f"{value:f}e{power}")
    plain = format(scaled, "f")
    assert is_number(plain)
    spellings = [plain, plain + ("0" if "." in plain else ".0"), f"{value:f}e{power}"]
    assert len({canonical_number(text) for text in spellings}) == 1
    assert Decimal(canonical_number(plain)) == scaled


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("99999999999999999999.999999999999999999", "99999999999999999999.999999999999999999"),
        ("100000000000000000000", None),
        ("1.50000000000000000000", "1.5"),
        ("1e-18", "1e-18"),
        ("1e-19", None),
        ("10e-19", "1e-18"),
        ("1e" + "9" * 5000, None),
        ("1e-" + "9" * 5000, None),
        ("0e" + "9" * 5000, "0"),
        ("-0", "0"),
    ],
)
def test_range_is_judged_on_the_value(text: str, value: str | None) -> None:
    found = in_range(canonical_number(text))
    assert found == (None if value is None else Decimal(value))


def test_objects_are_compared_as_json() -> None:
    one, two = parse('{"a":1.0,"b":[true,null]}'), parse('{"b":[true,null],"a":1}')
    assert canonical(one) == canonical(two)
    assert canonical(parse('["1"]')) != canonical(parse("[1]"))
