"""Two rows that could both be right are an error, and no other two are."""

import time

import pytest

from rates import RateErrors, load_rates
from rates.ties import LISTED

HEADER = "meter,label,effective_from,effective_to,unit_price,customer_id,a,b,c\n"
METERS = {"m": ("a", "b", "c"), "n": ("a", "b", "c")}


def clashes(*rows: str) -> list[str]:
    """Load rows of meter, from, to, customer, a, b, c; return what is wrong with them."""
    table = HEADER
    for row in rows:
        meter, start, end, *cells = row.split(",")
        table += f"{meter},l,{start},{end},1,{','.join(cells)}\n"
    try:
        load_rates([("r.csv", table.encode())], METERS)
    except RateErrors as errors:
        return [str(problem) for problem in errors.problems]
    return []


FINE = {
    "another price from later on": ("m,2026-01-01,,,1,,", "m,2026-02-01,,,1,,"),
    "different texts of one dimension": ("m,2026-01-01,,,1,,", "m,2026-01-01,,,2,,"),
    "shared dimension differs": ("m,2026-01-01,,,1,1,", "m,2026-01-01,,,2,,1"),
    "one cell more": ("m,2026-01-01,,,1,,", "m,2026-01-01,,,,1,1"),
    "another meter": ("m,2026-01-01,,,1,,", "n,2026-01-01,,,,1,"),
    "one ends as the other begins": ("m,2026-01-01,2026-02-01,,1,,", "m,2026-02-01,,,,1,"),
    "two customers": ("m,2026-01-01,,x,1,,", "m,2026-01-01,,y,,1,"),
    "a customer and everybody": ("m,2026-01-01,,x,1,,", "m,2026-01-01,,,,1,"),
    "everything and one cell": ("m,2026-01-01,,,,,", "m,2026-01-01,,,,1,"),
}
TIED = {
    "two dimensions": ("m,2026-01-01,,,1,,", "m,2026-01-01,,,,1,"),
    "a later start does not supersede other cells": ("m,2026-01-01,,,1,,", "m,2026-06-01,,,,1,"),
    "a moment together": ("m,2026-01-01,2026-02-01T00:00:00.000001Z,,1,,", "m,2026-02-01,,,,1,"),
    "one inside the other": ("m,2026-01-01,2026-09-01,,1,,", "m,2026-02-01,2026-03-01,,,1,"),
    "a shared dimension agrees": ("m,2026-01-01,,,1,1,", "m,2026-01-01,,,1,,1"),
    "one customer": ("m,2026-01-01,,x,1,,", "m,2026-01-01,,x,,1,"),
}


@pytest.mark.parametrize("rows", FINE.values(), ids=FINE)
def test_rows_that_never_tie_are_fine(rows: tuple[str, ...]) -> None:
    assert clashes(*rows) == []
    assert clashes(*reversed(rows)) == []


@pytest.mark.parametrize("rows", TIED.values(), ids=TIED)
def test_rows_that_could_tie_are_an_error(rows: tuple[str, ...]) -> None:
    for order in (rows, rows[::-1]):
        (problem,) = clashes(*order)
        assert problem.startswith("r.csv:3: ties with r.csv:2 for meter m at ")


def test_a_tie_is_said_so_that_it_can_be_undone() -> None:
    assert clashes("m,2026-01-01,2027-01-01,x,1,,", "m,2026-02-01,,x,,2,") == [
        (
            "r.csv:3: ties with r.csv:2 for meter m at a=1, b=2 from 2026-02-01T00:00:00Z on:"
            " customer_id=x, b=2 (from 2026-02-01T00:00:00Z) and customer_id=x, a=1 (from"
            " 2026-01-01T00:00:00Z to 2027-01-01T00:00:00Z) have as many cells each, so neither is"
            " the nearer match; fill one cell more in one of them, or end one before the"
            " other begins"
        )
    ]


def test_a_third_row_settles_nothing() -> None:
    assert len(clashes("m,2026-01-01,,,1,,", "m,2026-01-01,,,,1,", "m,2026-01-01,,,1,1,")) == 1


def test_a_superseded_row_ties_all_the_same() -> None:
    rows = ("m,2026-01-01,,,1,,", "m,2026-02-01,,,1,,", "m,2026-03-01,,,,1,")
    assert [text.split(" for ")[0] for text in clashes(*rows)] == [
        "r.csv:4: ties with r.csv:2",
        "r.csv:4: ties with r.csv:3",
    ]


def test_the_same_cells_from_the_same_moment_are_an_error() -> None:
    rows = ("m,2026-01-01,,x,1,,2", "m,2026-01-01T01:00:00+01:00,2027-01-01,x,1,,2")
    assert clashes(*rows) == [
        (
            "r.csv:3: meter m has a rate for customer_id=x, a=1, c=2 with the effective_from"
            " 2026-01-01T00:00:00Z already, at r.csv:2"
        )
    ]


def test_rows_of_two_files_clash_too() -> None:
    row = HEADER + "m,l,2026-01-01,,1,,{}\n"
    files = [("b.csv", row.format("1,,").encode()), ("a.csv", row.format(",1,").encode())]
    with pytest.raises(RateErrors, match=r"^b.csv:2: ties with a.csv:2 "):
        load_rates(files, METERS)


def test_a_flood_of_ties_is_cut_short() -> None:
    rows = [f"m,2026-01-01,,,{n},," for n in range(50)] + [
        f"m,2026-01-01,,,,{n}," for n in range(50)
    ]
    problems = clashes(*rows)
    assert len(problems) == LISTED + 1
    assert "r.csv: more than 1000 ties; no more are listed" in problems


def test_a_large_table_is_checked_in_little_time() -> None:
    days = [f"20{year:02d}-01-{day:02d}" for year in range(10, 60) for day in range(1, 21)]
    rows = [
        f"m,l,{start},{start}T12:00:00Z,1,,{'v,,' if at % 2 else ',v,'}{n}\n"
        for at, start in enumerate(days)
        for n in range(20)
    ]
    assert len(rows) == 20_000
    began = time.perf_counter()
    book = load_rates([("r.csv", (HEADER + "".join(rows)).encode())], METERS)
    assert time.perf_counter() - began < 3
    assert len(book.rates) == 20_000
