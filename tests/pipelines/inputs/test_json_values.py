"""Arrow values as JSON: exact numbers, times in UTC, nothing that is not JSON but NaN."""

import json
from datetime import date, time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.inputs.json_columns import joined
from pipelines.inputs.json_values import value_parts


def texts(array: pa.Array) -> list[str]:
    return [text.decode() for text in joined(value_parts(array), len(array)).to_pylist()]


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (pa.array([None, None]), ["null", "null"]),
        (pa.array([True, None, False]), ["true", "null", "false"]),
        (pa.array([2**64 - 1, 0], pa.uint64()), ["18446744073709551615", "0"]),
        (pa.array([-128, None], pa.int8()), ["-128", "null"]),
        (
            pa.array([1.0, 0.1, -0.0, 1e20, 1e21]),
            ["1", "0.1", "0", "100000000000000000000", "1e+21"],
        ),
        (pa.array([1e-6, 1e-7, 1768473000123.0]), ["0.000001", "1e-7", "1768473000123"]),
        (pa.array([float("nan"), float("inf"), None]), ["NaN", "NaN", "null"]),
        (pa.array([0.1, 16777216, 1e10], pa.float32()), ["0.1", "16777216", "10000000000"]),
        (pa.array([np.float16(0.5), None], pa.float16()), ["0.5", "null"]),
        (pa.array([Decimal("1.50"), None], pa.decimal128(38, 2)), ["1.50", "null"]),
        (
            pa.array([Decimal("1e-18"), Decimal(0)], pa.decimal128(38, 18)),
            ["0." + "0" * 17 + "1", "0." + "0" * 18],
        ),
        (pa.array([Decimal(1200)], pa.decimal128(5, -2)), ["1200"]),
        (pa.array([Decimal(10**70)], pa.decimal256(76, 0)), [str(10**70)]),
        (
            pa.array([0, -1, None], pa.timestamp("s")),
            ['"1970-01-01T00:00:00Z"', '"1969-12-31T23:59:59Z"', "null"],
        ),
        (pa.array([1], pa.timestamp("ms", "Europe/Berlin")), ['"1970-01-01T00:00:00.001Z"']),
        (pa.array([1], pa.timestamp("us", "+05:30")), ['"1970-01-01T00:00:00.000001Z"']),
        (pa.array([1], pa.timestamp("ns")), ['"1970-01-01T00:00:00.000000001Z"']),
        (pa.array([date(2026, 1, 15)]), ['"2026-01-15"']),
        (pa.array([86_400_000], pa.date64()), ['"1970-01-02"']),
        (pa.array([time(1, 2, 3, 4)]), ['"01:02:03.000004"']),
        (pa.array([5], pa.duration("us")), ["5"]),
        (pa.array(['a"\\\n\x01é', "", None]), ['"a\\"\\\\\\n\\u0001é"', '""', "null"]),
        (pa.array(["a", "b", "a", None]).dictionary_encode(), ['"a"', '"b"', '"a"', "null"]),
        (pa.array(["a"], pa.string_view()), ['"a"']),
        (pa.array([b"text", b"\xff\x00", None]), ['"text"', '"/wA="', "null"]),
        (pa.array([b"\xff\x00"], pa.binary(2)), ['"/wA="']),
        (pa.array([[1, None], [], None], pa.list_(pa.int64())), ["[1,null]", "[]", "null"]),
        (pa.array([[1], None], pa.large_list(pa.int8())), ["[1]", "null"]),
        (pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2)), ["[1,2]", "null", "[3,4]"]),
        (pa.array([[["x"]], [[], None]]), ['[["x"]]', "[[],null]"]),
        (pa.array([{"a": 1, "b": {"c": None}}, None]), ['{"a":1,"b":{"c":null}}', "null"]),
        (pa.array([{}, None], pa.struct([])), ["{}", "null"]),
        (
            pa.array([[("k", 1), ('"', None)], [], None], pa.map_(pa.string(), pa.int64())),
            ['{"k":1,"\\"":null}', "{}", "null"],
        ),
        (pa.array([[(7, "x")]], pa.map_(pa.int64(), pa.string())), ['{"7":"x"}']),
        (
            pa.array([[(date(2026, 1, 1), 1)]], pa.map_(pa.date32(), pa.int64())),
            ['{"2026-01-01":1}'],
        ),
    ],
)
def test_values_of_each_type(array: pa.Array, wanted: list[str]) -> None:
    assert texts(array) == wanted
    # from an offset on, inside of other values too
    assert texts(pa.concat_arrays([array, array]).slice(1))[len(array) - 1 :] == wanted
    nested = pa.StructArray.from_arrays([array], ["x"]).slice(len(array) - 1)
    assert texts(nested) == [f'{{"x":{wanted[-1]}}}']


def test_a_type_without_json_is_an_error() -> None:
    array = pa.array([(1, 2, 3)], pa.month_day_nano_interval())
    with pytest.raises(pa.ArrowNotImplementedError, match="no JSON for a column of type"):
        value_parts(array)


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.none()))
def test_doubles_read_back_as_themselves_in_the_shortest_digits(
    numbers: list[float | None],
) -> None:
    written = texts(pa.array(numbers, pa.float64()))
    assert [json.loads(text, parse_int=float) for text in written] == numbers
    for text, number in zip(written, numbers, strict=True):
        if number is not None:
            assert digits(text) == digits(repr(number))


def digits(text: str) -> tuple[int, ...]:
    return Decimal(text).normalize().as_tuple()[1]


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_floats_read_back_as_themselves(numbers: list[float]) -> None:
    written = texts(pa.array(numbers, pa.float32()))
    assert [np.float32(text) for text in written] == numbers


@settings(deadline=None)
@given(
    st.lists(
        st.decimals(
            allow_nan=False, allow_infinity=False, places=18, min_value=-(10**19), max_value=10**19
        )
    )
)
def test_decimals_are_their_digits(numbers: list[Decimal]) -> None:
    written = texts(pa.array(numbers, pa.decimal128(38, 18)))
    assert written == [f"{number:.18f}" for number in numbers]


@settings(deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "x": st.lists(st.lists(st.text(), max_size=2) | st.none(), max_size=3) | st.none(),
                "y": st.dictionaries(st.text(), st.text()).map(lambda d: list(d.items()))
                | st.none(),
            }
        )
        | st.none()
    )
)
def test_nested_values_read_back_as_themselves(rows: list[Any]) -> None:
    kind = pa.struct(
        [("x", pa.list_(pa.list_(pa.string()))), ("y", pa.map_(pa.string(), pa.string()))]
    )
    wanted = [row and row | {"y": row["y"] if row["y"] is None else dict(row["y"])} for row in rows]
    assert [json.loads(text) for text in texts(pa.array(rows, kind))] == wanted
