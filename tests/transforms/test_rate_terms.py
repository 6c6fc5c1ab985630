"""What usage was rated with travels along, and prices it to the digit."""

import numpy as np
import pyarrow as pa
import pytest

from rates import RateBook, load_rates
from transforms.rate_terms import book_of_terms, terms_of

HEAD = "meter,label,effective_from,unit_price,per,currency,model\n"


def book(*rows: str) -> RateBook:
    return load_rates([("rates.csv", (HEAD + "\n".join(rows)).encode())], {"m": ("model",)})


@pytest.mark.parametrize(
    "price", ["0", "-0", "-1.5", "99999999999999999999.999999999999999999", "1e-18", "1.50"]
)
def test_terms_say_all_that_usage_says_of_a_rate(price: str) -> None:
    before = book(f"m,ü “x”,2026-01-15,{price},3,EUR,a")
    after, places = book_of_terms("m", terms_of(before).take(pa.array([0, 1, 0])))
    assert places.tolist() == [0, -1, 0]
    wanted = before.columns(np.array([0, -1, 0], np.int32))
    found = after.columns(places)
    assert {name: column.to_pylist() for name, column in found.items()} == {
        name: column.to_pylist() for name, column in wanted.items()
    }


def test_rates_that_usage_cannot_tell_apart_have_the_same_terms() -> None:
    rates = book(
        "m,x,2026-01-15,1.5,1,,a", "m,x,2026-01-15,1.50,1.0,USD,b", "m,x,2026-01-15,0,1,,c"
    )
    more = book("m,x,2026-01-15,-0.0,1,USD,d", "m,y,2026-01-15,1.5,1,,a")
    texts = sorted(terms_of(rates).to_pylist()[:-1] + terms_of(more).to_pylist()[:-1])
    assert len(texts) == 5
    assert len(set(texts)) == 3


def test_only_terms_that_are_used_are_read() -> None:
    rates = book(*(f"m,x{i},2026-01-15,{i},1,,a{i}" for i in range(100)))
    terms = terms_of(rates)
    found, places = book_of_terms("m", terms.take(pa.array([70, 100, 7, 70])))
    assert len(found.rates) == 2
    assert [None if place < 0 else found.rates[place].label for place in places] == [
        rates.rates[70].label,
        None,
        rates.rates[7].label,
        rates.rates[70].label,
    ]


def test_without_rates_there_are_no_terms() -> None:
    found, places = book_of_terms("m", terms_of(RateBook.empty()).take(pa.array([0, 0])))
    assert (found.rates, places.tolist()) == ((), [-1, -1])
