"""The terms of a rate as a text: in a stream they are part of a group's key.

The rates of a stream change while it runs. So each event is rated by the version of the rates that
held when it was read, and what it was rated with travels along.
"""

import json
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

import numpy as np
import pyarrow as pa

from rates import Rate, RateBook


class Books(Protocol):
    """The rates of a run: one book, or the versions it has had."""

    def version(self, digest: str | None) -> RateBook:
        """The book of a version."""

    def of_windows(self, start_us: np.ndarray) -> list[RateBook]:
        """The books of windows that have one rate, by where they begin: it never changes."""


def terms_of(book: RateBook) -> pa.DictionaryArray:
    """The terms of each rate of a book, in order, and null last, to take at a place of -1.

    Rates that usage cannot tell apart have the same text.
    """
    return pa.array([*map(_text, book.rates), None], pa.string()).dictionary_encode()


def book_of_terms(meter: str, terms: pa.DictionaryArray) -> tuple[RateBook, np.ndarray]:
    """A book of the terms in a column, to price with, and each row's place in it; -1 is no rate."""
    indexes = terms.indices
    if indexes.null_count:
        indexes = indexes.fill_null(-1)
    indexes = indexes.to_numpy(zero_copy_only=False)
    used = np.unique(indexes[indexes >= 0])
    book = _book(meter, tuple(terms.dictionary.take(pa.array(used)).to_pylist()))
    places = np.where(indexes < 0, -1, np.searchsorted(used, indexes))
    return book, places.astype(np.int32)


def _text(rate: Rate) -> str:
    price, per = (f"{number:.18f}" for number in (rate.unit_price, rate.per))
    return json.dumps([rate.label, rate.effective_from_us, price, per, rate.currency])


@lru_cache(maxsize=1024)
def _book(meter: str, texts: tuple[str, ...]) -> RateBook:
    return RateBook(tuple(_rate(meter, text) for text in texts), "")


@lru_cache(maxsize=4096)
def _rate(meter: str, text: str) -> Rate:
    label, start, price, per, currency = json.loads(text)
    price, per = Decimal(price), Decimal(per)
    return Rate(meter, label, start, None, price, per, currency, "", None, (), "", 0)
