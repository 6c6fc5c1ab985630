"""Which rate holds, and what usage costs."""

from decimal import Decimal

import pytest

from oracle.examples import TOKENS, catalog, event, meter
from oracle.rates import find_terms, read_rates
from oracle.times import moment_us

HEAD = (
    "meter,label,effective_from,effective_to,"
    "unit_price,per,currency,description,customer_id,model\n"
)


def label(
    rows: str, customer: str = "c1", model: str | None = "m", at: str = "2026-01-15"
) -> str | None:
    rates = read_rates({"r.csv": HEAD + rows})
    terms = find_terms(rates, "tokens", customer, {"model": model}, moment_us(at))
    return terms.label if terms else None


def test_a_rate_that_names_the_customer_beats_all_that_do_not() -> None:
    rows = "tokens,cells,2026-01-01,,1,,,,,m\ntokens,customer,2025-01-01,,1,,,,c1,\n"
    assert label(rows) == "customer"
    assert label(rows, customer="c2") == "cells"
    assert label(rows, customer="c2", model="x") is None


def test_more_matching_cells_beat_fewer_and_an_empty_cell_matches_null() -> None:
    rows = "tokens,any,2026-01-10,,1,,,,,\ntokens,m,2026-01-01,,1,,,,,m\n"
    assert label(rows) == "m"
    assert label(rows, model=None) == "any"
    assert label(rows, model="") == "any"


def test_the_latest_start_wins_among_the_same_cells_while_it_is_in_effect() -> None:
    rows = "tokens,old,2026-01-01,,1,,,,,\ntokens,new,2026-01-10,2026-01-12,1,,,,,\n"
    moments = ["2025-12-31", "2026-01-09T23:59:59.999999Z", "2026-01-10", "2026-01-12"]
    assert [label(rows, at=at) for at in moments] == [None, "old", "new", "old"]


def test_a_rate_of_another_meter_does_not_hold() -> None:
    assert label("other,x,2026-01-01,,1,,,,,\n") is None


CUT = (
    HEAD
    + "tokens,night,2026-01-15,2026-01-15T10:30:00Z,0.5,,EUR,,,\n"
    + "tokens,day,2026-01-15T10:30:00Z,,2e-3,7,,,,\n"
)
BEFORE, AT = event(3, timestamp="2026-01-15T10:29:59.999999Z"), event(5)


def test_a_rate_change_cuts_the_window_of_a_sum() -> None:
    found = meter([BEFORE, AT], rates=CUT).usage
    assert [
        (row["rate_label"], row["quantity"], row["cost"], row["currency"]) for row in found
    ] == [
        ("night", 3, Decimal("1.5"), "EUR"),
        ("day", 5, Decimal("0.001428571428571429"), "USD"),
    ]
    assert len({row["window_start"] for row in found}) == 1


@pytest.mark.parametrize("aggregation", ["unique_count", "min", "max", "avg", "latest"])
def test_for_the_others_the_rate_at_the_start_of_the_window_holds(aggregation: str) -> None:
    text = TOKENS.replace("sum", aggregation)
    (row,) = meter([BEFORE, AT], text, rates=CUT).usage
    assert row["rate_label"] == "night"
    assert row["event_count"] == 2


def test_rates_that_look_the_same_share_a_row() -> None:
    rows = "tokens,x,2026-01-15,,1,,,,,\ntokens,x,2026-01-15,2026-01-15T10:30:00Z,1.0,1e0,USD,,,m\n"
    (row,) = meter([BEFORE, AT], rates=HEAD + rows).usage
    assert row["quantity"] == 8


def test_usage_without_a_rate_has_no_price_and_no_cost() -> None:
    (row,) = meter([AT]).usage
    names = ["rate_label", "rate_effective_from", "unit_price", "per", "currency", "cost"]
    assert [row[name] for name in names] == [None] * 6


def test_cost_is_rounded_half_to_even_from_the_exact_quantity() -> None:
    text = catalog("name: tokens, event_type: use, aggregation: sum, value: n")
    rates = "meter,label,effective_from,unit_price\ntokens,x,2026-01-01,0.5\n"
    lines = [event(n, customer_id=f"c{n}") for n in ("1e-18", "3e-18", "-5e-18")]
    units = [row["cost"] * 10**18 for row in meter(lines, text, rates=rates).usage]
    assert units == [0, 2, -2]


def test_a_cost_too_great_is_null_while_its_quantity_stays() -> None:
    rates = HEAD + "tokens,x,2026-01-01,,9e19,,,,,\n"
    outcome = meter([event(10)], rates=rates)
    (row,) = outcome.usage
    assert (row["quantity"], row["cost"], row["unit_price"]) == (10, None, Decimal("9e19"))
    (reject,) = outcome.rejects
    assert (reject["reason"], reject["origin"], reject["meter"]) == (
        "total_out_of_range",
        None,
        "tokens",
    )


def test_a_quantity_too_great_is_null_while_its_cost_may_stay() -> None:
    rates = HEAD + "tokens,x,2026-01-01,,-1e-10,,,,,\n"
    most = "99999999999999999999.999999999999999999"
    outcome = meter([event(most, id="1"), event(most, id="2")], rates=rates)
    (row,) = outcome.usage
    assert (row["quantity"], row["event_count"]) == (None, 2)
    assert row["cost"] == Decimal(-20_000_000_000)
    assert len(outcome.rejects) == 1
    assert all(kind != "rejected" for _, _, kind, _ in outcome.ledger)
