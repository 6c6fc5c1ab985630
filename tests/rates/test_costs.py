"""What quantities cost: exact, whatever the amounts, and rounded once, half to even."""

from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rates import RateBook, costs, load_rates
from rates.limbs import TOO_LARGE
from rates.ratio import SMALL_PRIMES, Ratios

UNIT = Decimal("1e-18")
NARROW, WIDE = pa.decimal128(38, 18), pa.decimal256(76, 18)
PRIME = 2**64 - 59  # it has no divisors of one limb
LARGEST = "99999999999999999999.999999999999999999"


def book_of(*prices: tuple[str, str]) -> RateBook:
    """Return rates of unit price and per, in the order given."""
    rows = "".join(f"m,l,{1970 + n}-01-01,{price},{per}\n" for n, (price, per) in enumerate(prices))
    table = f"meter,label,effective_from,unit_price,per\n{rows}"
    return load_rates([("t.csv", table.encode())], {"m": ()})


def cost(quantity: str, price: str, per: str) -> Decimal:
    column = pa.array([Decimal(quantity)], NARROW)
    (found,) = costs(book_of((price, per)), column, np.zeros(1, np.int32))[0].to_pylist()
    return Decimal(found)


@pytest.mark.parametrize(
    ("quantity", "price", "per", "expected"),
    [
        ("1500", "0.0000025", "1", "0.00375"),
        ("1500", "2.5", "1000000", "0.00375"),
        ("90", "3.99", "3600", "0.09975"),
        ("1", "1", "3", "0.333333333333333333"),
        ("2", "1", "3", "0.666666666666666667"),
        ("-2", "1", "3", "-0.666666666666666667"),
        ("2", "-1", "3", "-0.666666666666666667"),
        ("-2", "-1", "3", "0.666666666666666667"),
        ("0", "-1", "3", "0"),
        # a half of the last decimal goes to the even neighbour, a little more goes up
        ("0.000000000000000001", "0.5", "1", "0"),
        ("0.000000000000000003", "0.5", "1", "0.000000000000000002"),
        ("-0.000000000000000001", "0.5", "1", "0"),
        ("0.000000000000000001", "0.500000000000000001", "1", "0.000000000000000001"),
        ("0.000000000000000005", "1", "10000000000", "0"),
        # no divisors of one limb, and a half
        ("18.446744073709551557", "1", f"{2 * PRIME}", "0"),
        ("55.340232221128654671", "1", f"{2 * PRIME}", "0.000000000000000002"),
        # a sign that is carried through a limb of zeros
        ("-0.000000004294967296", "1", "1", "-0.000000004294967296"),
        ("-18.446744073709551616", "1", "1", "-18.446744073709551616"),
        (LARGEST, "1", "1", LARGEST),
        (LARGEST, "-1", "1", f"-{LARGEST}"),
        ("1000000", f"{PRIME}", f"{PRIME}", "1000000"),
        ("3", "1", f"{PRIME}", "0"),
        ("7", f"{PRIME - 2}", f"{PRIME}", "6.999999999999999999"),
    ],
)
def test_worked_costs(quantity: str, price: str, per: str, expected: str) -> None:
    assert cost(quantity, price, per) == Decimal(expected)


def test_a_cost_that_does_not_fit_is_null_and_said() -> None:
    book = book_of(("1e19", "1"), ("1", f"{PRIME}e-18"))
    quantity = pa.array([Decimal(9), Decimal(10), Decimal(10), None, Decimal(-10)], NARROW)
    found, overflow = costs(book, quantity, np.array([0, 0, -1, 0, 0], np.int32))
    assert found.to_pylist() == [Decimal("9e19"), None, None, None, None]
    assert overflow.tolist() == [False, True, False, False, True]
    largest = pa.array([Decimal(99999999999999999999)], NARROW)
    found, overflow = costs(book, largest, np.array([1], np.int32))
    assert (found.null_count, overflow.tolist()) == (0, [False])
    assert found[0].as_py() == oracle(Decimal(99999999999999999999), "1", f"{PRIME}e-18")


def test_a_quantity_too_large_for_usage_may_still_have_a_cost() -> None:
    quantity = pa.array([Decimal("1e30"), Decimal("-1e50"), Decimal("1e57")], WIDE)
    found, overflow = costs(book_of(("1e-18", "1")), quantity, np.zeros(3, np.int32))
    assert found.to_pylist() == [Decimal("1e12"), None, None]
    assert overflow.tolist() == [False, True, True]


def test_columns_of_any_make_are_read() -> None:
    book = book_of(("2", "1"))
    some = pa.array([Decimal(1), None, Decimal(3), Decimal(-4)], NARROW)
    index = np.zeros(4, np.int32)
    expected = [Decimal(2), None, Decimal(6), Decimal(-8)]
    assert costs(book, some, index)[0].to_pylist() == expected
    assert costs(book, some.slice(2), index[2:])[0].to_pylist() == expected[2:]
    chunks = pa.chunked_array([some.slice(0, 1), some.slice(1)])
    assert costs(book, chunks, index)[0].to_pylist() == expected
    assert costs(book, pa.nulls(2, NARROW), index[:2])[0].to_pylist() == [None, None]
    assert costs(book, some.slice(0, 0), index[:0])[0].to_pylist() == []
    assert costs(book, some, index)[0].type == NARROW
    nothing, overflow = costs(RateBook.empty(), some, index - 1)
    assert nothing.null_count == 4
    assert not overflow.any()


@pytest.mark.parametrize("column", [pa.array([1]), pa.array([1.0]), pa.nulls(1, pa.decimal128(9))])
def test_only_amounts_are_priced(column: pa.Array) -> None:
    with pytest.raises(TypeError, match="a quantity is a decimal with 18 decimals"):
        costs(book_of(("1", "1")), column, np.zeros(1, np.int32))


def test_a_denominator_is_the_product_of_its_divisors() -> None:
    ratios = Ratios(
        book_of(("1e-18", "3600"), ("1", "1e19"), ("0", "7"), ("1", "4294967311")).rates
    )
    assert ratios.unsplit.tolist() == [False, False, False, True, False]
    for row, exact in enumerate(ratios.exact[:3]):
        product = 1
        for divisor in ratios.divisors:
            product *= int(divisor[row])
        assert product == exact.denominator
    assert SMALL_PRIMES == (2, 3, 5, 7)


def oracle(quantity: Decimal, price: str, per: str) -> Decimal | None:
    with localcontext() as context:
        context.prec = 200
        cost = (quantity * Decimal(price) / Decimal(per)).quantize(UNIT, ROUND_HALF_EVEN)
        return cost if abs(cost) < 10**20 else None


def amounts(digits: int) -> st.SearchStrategy[Decimal]:
    """Draw decimals of up to so many digits, 18 of them decimals, of all magnitudes."""
    return st.integers(1, digits).flatmap(
        lambda size: st.integers(-(10**size) + 1, 10**size - 1).map(
            lambda unscaled: Decimal(unscaled).scaleb(-18, Context(digits))
        )
    )


lots = st.sampled_from(["1", "3", "1000", "3600", "1e6", "86400", "4294967311", "0.7", "1e-18"])
prices = st.tuples(
    amounts(38).map(lambda price: format(price, "f")),
    lots | amounts(38).filter(bool).map(lambda per: format(per.copy_abs(), "f")),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(prices, min_size=1, max_size=4),
    st.lists(st.tuples(amounts(76) | st.none(), st.integers(-1, 3)), min_size=1, max_size=12),
)
@example([("0.5", "1")], [(Decimal("5e-18"), 0), (Decimal("-5e-18"), 0), (None, -1)])
def test_costs_are_those_of_long_division(
    drawn: list[tuple[str, str]], rows: list[tuple[Decimal | None, int]]
) -> None:
    book = book_of(*drawn)
    index = np.array([min(place, len(drawn) - 1) for _, place in rows], np.int32)
    quantities = [quantity for quantity, _ in rows]
    expected = [
        None if quantity is None or place < 0 else oracle(quantity, *drawn[place])
        for quantity, place in zip(quantities, index.tolist(), strict=True)
    ]
    found, overflow = costs(book, pa.array(quantities, WIDE), index)
    assert found.to_pylist() == expected
    assert overflow.tolist() == [
        cost is None and quantity is not None and place >= 0
        for cost, quantity, place in zip(expected, quantities, index.tolist(), strict=True)
    ]
    narrow = [
        quantity if quantity is not None and abs(Fraction(quantity)) * 10**18 < TOO_LARGE else None
        for quantity in quantities
    ]
    again, _ = costs(book, pa.array(narrow, NARROW), index)
    assert again.to_pylist() == [
        None if quantity is None else cost for cost, quantity in zip(expected, narrow, strict=True)
    ]
