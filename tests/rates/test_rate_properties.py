"""For any tables: what loads, what matches, and that order means nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from rates import RateBook, RateErrors, load_rates

DAY = 86_400_000_000
METERS = {"m": ("a", "b", "c"), "n": ("a",)}
HEADER = "meter,label,effective_from,effective_to,unit_price,customer_id,a,b,c\n"
CELLS = ("", "1", "2")


@dataclass(frozen=True)
class Row:
    """A row of a table as somebody writes it; moments are days of January 1970."""

    meter: str
    label: str
    start: int
    end: int | None
    price: int
    customer: str
    cells: tuple[str, str, str]

    def text(self) -> str:
        end = "" if self.end is None else f"1970-01-{self.end:02d}"
        words = (self.meter, self.label, f"1970-01-{self.start:02d}", end, str(self.price))
        return ",".join((*words, self.customer, *self.cells))

    def rank(
        self, customer: str, values: Iterable[str | None], day: int
    ) -> tuple[bool, int, int] | None:
        """How well the row matches an event; None where it does not."""
        if not self.start <= day < (self.end or 99) or self.customer not in ("", customer):
            return None
        if any(cell not in ("", value) for cell, value in zip(self.cells, values, strict=True)):
            return None
        return self.customer != "", sum(map(bool, self.cells)), self.start


@st.composite
def rows(draw: st.DrawFn) -> Row:
    meter = draw(st.sampled_from("mmmn"))
    start = draw(st.integers(1, 6))
    cell = st.sampled_from(CELLS)
    return Row(
        meter,
        draw(st.sampled_from("xy")),
        start,
        draw(st.none() | st.integers(start + 1, 8)),
        draw(st.integers(-1, 2)),
        draw(st.sampled_from(["", "", "k", "l"])),
        (draw(cell), *((draw(cell), draw(cell)) if meter == "m" else ("", ""))),
    )


def tie(one: Row, two: Row) -> bool:
    """Whether an event exists for which neither of two rows beats the other: all are tried."""
    if one.meter != two.meter:
        return False
    same = (one.customer, one.cells) == (two.customer, two.cells)
    if same:
        return one.start == two.start
    values = product(("1", "2", None), repeat=3)
    for customer, value, day in product("klz", values, range(1, 9)):
        ranks = one.rank(customer, value, day), two.rank(customer, value, day)
        if ranks[0] and ranks[1] and ranks[0][:2] == ranks[1][:2]:
            return True
    return False


def table(rows: Iterable[Row]) -> bytes:
    return (HEADER + "".join(f"{row.text()}\n" for row in rows)).encode()


def fitting(drawn: list[Row]) -> list[Row]:
    kept: list[Row] = []
    for row in drawn:
        if not any(tie(row, other) for other in kept):
            kept.append(row)
    return kept


tables = st.lists(rows(), max_size=12).map(fitting)
events = st.lists(
    st.tuples(
        st.sampled_from(["k", "l", "z"]),
        st.sampled_from(["1", "2", "3", None]),
        st.sampled_from(["1", "2", "3", None]),
        st.sampled_from(["1", "2", "3", None]),
        st.integers(-1, 9 * 24).map(lambda hour: hour * DAY // 24),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(rows(), max_size=7))
def test_a_table_loads_where_no_two_rows_could_tie(drawn: list[Row]) -> None:
    expected = {
        (second, first)
        for (first, one), (second, two) in combinations(enumerate(drawn, 2), 2)
        if tie(one, two)
    }
    try:
        load_rates([("t", table(drawn))], METERS)
    except RateErrors as errors:
        said = [problem.message for problem in errors.problems]
        lines = [problem.line for problem in errors.problems]
        ties = {
            (line, int(text.split("t:")[1].split()[0]))
            for line, text in zip(lines, said, strict=True)
            if text.startswith("ties")
        }
        repeats = {line for line, text in zip(lines, said, strict=True) if "already" in text}
        assert ties == {pair for pair in expected if not same(drawn, pair)}
        assert repeats == {pair[0] for pair in expected if same(drawn, pair)}
        assert expected
    else:
        assert not expected


def same(drawn: list[Row], pair: tuple[int, int]) -> bool:
    one, two = (drawn[line - 2] for line in pair)
    return (one.customer, one.cells) == (two.customer, two.cells)


@settings(max_examples=150, deadline=None)
@given(tables, events, st.sampled_from(["plain", "dictionary"]))
def test_columns_match_as_the_rule_says_row_by_row(
    drawn: list[Row], drawn_events: list[tuple[str, str, str, str, int]], encoding: str
) -> None:
    book = load_rates([("t", table(drawn))], METERS)
    columns = list(zip(*drawn_events, strict=True))
    texts = [pa.array(column, pa.string()) for column in columns[:4]]
    customers, *values = [
        text if encoding == "plain" else text.dictionary_encode() for text in texts
    ]
    at_us = np.array(columns[4], np.int64)
    for meter in ("m", "n", "o"):
        index = book.match(meter, customers, dict(zip("abc", values, strict=True)), at_us)
        for place, (customer, *cells, at) in zip(index.tolist(), drawn_events, strict=True):
            found = book.match_one(meter, customer, dict(zip("abc", cells, strict=True)), at)
            assert found is (None if place < 0 else book.rates[place])
            day = at // DAY + 1
            ranks = [row.rank(customer, cells, day) for row in drawn if row.meter == meter]
            best = max((rank for rank in ranks if rank), default=None)
            assert (found and found.precedence[:2]) == (best and best[:2])
            assert (found and found.effective_from_us) == (best and (best[2] - 1) * DAY)


@settings(max_examples=100, deadline=None)
@given(tables, st.data())
def test_the_order_of_rows_and_files_means_nothing(drawn: list[Row], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(drawn))
    cut = data.draw(st.integers(0, len(drawn)))
    files = [("b", table(shuffled[cut:])), ("a", table(shuffled[:cut]))]
    one, two = load_rates([("t", table(drawn))], METERS), load_rates(files, METERS)
    assert terms(one) == terms(two)
    assert one.same_terms().tolist() == two.same_terms().tolist()
    assert two.digest == load_rates(files[::-1], METERS).digest


def terms(book: RateBook) -> list[object]:
    return [replace(rate, file="", line=0) for rate in book.rates]
