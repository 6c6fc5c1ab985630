"""Which rate applies: the worked rules, and whole columns at once."""

import pickle
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from rates import RateBook, load_rates
from rates.cells import parse_moment

METERS = {"tokens": ("model", "type"), "calls": ("region",)}
TABLE = """\
meter,label,effective_from,effective_to,unit_price,per,currency,customer_id,model,type
tokens,any,2026-01-01,,5,1,USD,,,
tokens,m1,2026-01-01,,4,1,USD,,m1,
tokens,m1 out,2026-01-01,,3,1,USD,,m1,out
tokens,m1 out spring,2026-03-01,2026-06-01,2,1,EUR,,m1,out
tokens,c1,2026-02-01,,1,1000,USD,c1,,
tokens,c1 m1,2026-02-01,,0.5,1,USD,c1,m1,
calls,gone,2025-01-01,2026-01-01,1,1,USD,,,
"""

# customer, model, type, moment -> label
CASES: list[tuple[str | None, str | None, str | None, str, str | None]] = [
    ("c2", "m2", "in", "2026-02-01", "any"),
    ("c2", None, None, "2026-02-01", "any"),
    (None, None, None, "2026-02-01", "any"),
    ("c2", "m1", "in", "2026-02-01", "m1"),
    ("c2", "m1", None, "2026-02-01", "m1"),
    ("c2", "m1", "out", "2026-02-01", "m1 out"),
    ("c2", "m1", "out", "2026-03-01", "m1 out spring"),
    ("c2", "m1", "out", "2026-05-31T23:59:59.999999Z", "m1 out spring"),
    ("c2", "m1", "out", "2026-06-01", "m1 out"),
    ("c1", "m1", "out", "2026-01-31", "m1 out"),
    ("c1", "m1", "out", "2026-04-01", "c1 m1"),
    ("c1", "m2", "out", "2026-04-01", "c1"),
    ("c1", "m1", "in", "2025-12-31T23:59:59.999999Z", None),
    ("C1", "M1", "out", "2026-04-01", "any"),
    ("c2", "", "out", "2026-04-01", "any"),
]


@pytest.fixture
def book() -> RateBook:
    return load_rates([("t.csv", TABLE.encode())], METERS)


def labels(book: RateBook, index: Sequence[int]) -> list[str | None]:
    return [None if place < 0 else book.rates[place].label for place in index]


@pytest.mark.parametrize("case", CASES)
def test_the_nearest_rate_in_effect_applies(
    book: RateBook,
    case: tuple[str | None, str | None, str | None, str, str | None],
) -> None:
    customer, model, kind, at, label = case
    rate = book.match_one("tokens", customer, {"model": model, "type": kind}, parse_moment(at))
    assert (rate and rate.label) == label


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
def test_columns_are_matched_as_rows_are(book: RateBook, kind: pa.DataType) -> None:
    customers, models, types, moments, expected = zip(*CASES, strict=True)
    at_us = np.array([parse_moment(at) for at in moments], np.int64)
    dimensions = {"model": pa.array(models).cast(kind), "type": pa.array(types).cast(kind)}
    index = book.match("tokens", pa.array(customers).cast(kind), dimensions, at_us)
    assert index.dtype == np.int32
    assert labels(book, index.tolist()) == list(expected)


def test_columns_may_be_of_any_text_kind(book: RateBook) -> None:
    small = pa.DictionaryArray.from_arrays(pa.array([1, 0, None], pa.uint8()), ["m1", "m2"])
    at_us = np.full(3, parse_moment("2026-02-01"), np.int64)
    index = book.match(
        "tokens",
        pa.chunked_array([["c1"], ["c2", "c2"]]),
        {"model": small, "type": pa.nulls(3), "unused": pa.array([1, 2, 3])},
        at_us,
    )
    assert labels(book, index.tolist()) == ["c1", "m1", "any"]
    sliced = book.match("tokens", pa.array(["c2"]), {"model": small.slice(1, 1)}, at_us[:1])
    assert labels(book, sliced.tolist()) == ["m1"]


def test_nothing_to_match_is_nothing(book: RateBook) -> None:
    none = np.zeros(0, np.int64)
    for each in (book, RateBook.empty()):
        assert each.match("tokens", pa.array([], pa.string()), {}, none).tolist() == []
        assert each.match("unknown", pa.array(["c1"]), {}, np.zeros(1, np.int64)).tolist() == [-1]
        assert each.match_one("unknown", "c1", {}, 0) is None


def test_boundaries_are_where_any_rate_begins_or_ends(book: RateBook) -> None:
    moments = ["2026-01-01", "2026-02-01", "2026-03-01", "2026-06-01"]
    assert book.boundaries("tokens").tolist() == [parse_moment(each) for each in moments]
    assert book.boundaries("unknown").tolist() == []
    assert book.boundaries("tokens").dtype == np.int64


def test_columns_say_what_applied(book: RateBook) -> None:
    place = next(n for n, rate in enumerate(book.rates) if rate.label == "m1 out spring")
    columns = book.columns(np.array([place, -1], np.int32))
    assert {name: column.to_pylist() for name, column in columns.items()} == {
        "rate_label": ["m1 out spring", None],
        "rate_effective_from": [datetime(2026, 3, 1, tzinfo=UTC), None],
        "unit_price": [Decimal(2), None],
        "per": [Decimal(1), None],
        "currency": ["EUR", None],
    }
    assert [column.type for column in columns.values()] == [
        pa.string(),
        pa.timestamp("us", "UTC"),
        pa.decimal128(38, 18),
        pa.decimal128(38, 18),
        pa.string(),
    ]
    empty = RateBook.empty().columns(np.array([-1], np.int32))
    assert [column.null_count for column in empty.values()] == [1] * 5


def test_rates_that_usage_cannot_tell_apart_are_one() -> None:
    table = "meter,label,effective_from,unit_price,per,region\n" + "".join(
        f"calls,{label},2026-01-01,{price},{per},{region}\n"
        for label, price, per, region in [
            ("list", "1", "1000", "eu"),
            ("list", "1.0", "1e3", "us"),
            ("list", "1", "1000", ""),
            ("list", "2", "1000", "asia"),
            ("other", "1", "1000", "africa"),
        ]
    )
    book = load_rates([("t.csv", table.encode())], METERS)
    region = {dict(rate.cells).get("region"): n for n, rate in enumerate(book.rates)}
    same = book.same_terms()
    assert same.dtype == np.int32
    assert same[region["eu"]] == same[region["us"]] == same[region[None]] == region[None]
    assert same[region["asia"]] == region["asia"]
    assert same[region["africa"]] == region["africa"]
    assert RateBook.empty().same_terms().tolist() == []


def test_a_book_is_the_same_after_a_pickle(book: RateBook) -> None:
    fresh = len(pickle.dumps(book))
    book.boundaries("tokens")
    book.columns(np.array([-1], np.int32))
    assert book.ratios
    assert len(pickle.dumps(book)) == fresh
    again = pickle.loads(pickle.dumps(book))  # noqa: S301 - our own
    assert again == book
    assert again.boundaries("tokens").tolist() == book.boundaries("tokens").tolist()


def test_more_combinations_than_a_key_can_count() -> None:
    names = tuple(f"d{n}" for n in range(12))
    # 63 texts and none are 64 codes: twelve such columns are 72 bits
    rows = [f"m,l{n},2026-01-01,1{f',v{n}' * 12}" for n in range(63)]
    rows.append(f"m,first,2026-01-01,1,v5{',' * 11}")
    table = f"meter,label,effective_from,unit_price,{','.join(names)}\n{chr(10).join(rows)}\n"
    book = load_rates([("t.csv", table.encode())], {"m": names})
    column = pa.array([f"v{n}" for n in range(70)])
    at_us = np.full(70, parse_moment("2026-01-01"), np.int64)
    diagonal = book.match("m", pa.nulls(70), dict.fromkeys(names, column), at_us)
    assert labels(book, diagonal.tolist()) == [f"l{n}" if n < 63 else None for n in range(70)]
    first = book.match("m", pa.nulls(70), {"d0": column}, at_us)
    assert labels(book, first.tolist()) == ["first" if n == 5 else None for n in range(70)]
