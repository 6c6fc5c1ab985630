"""Measurements of one meter into usage rows with their cost."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from oracle.amounts import rounded
from oracle.catalog import Meter
from oracle.measure import Measured
from oracle.outcome import Row
from oracle.rates import Rate, Terms, find_terms


class _Place(NamedTuple):
    """Where a measurement is added up, terms apart."""

    customer_id: str
    dimensions: tuple[tuple[str, str | None], ...]
    window_start: int


def usage_rows(meter: Meter, measured: Iterable[Measured], rates: Sequence[Rate]) -> Iterator[Row]:
    """Give a row for each customer, dimensions, window and terms."""
    cut_by_rates = meter.aggregation in {"sum", "count"}
    groups: defaultdict[tuple[_Place, Terms | None], list[Measured]] = defaultdict(list)
    for each in measured:
        at = each.event_time if cut_by_rates else each.window_start
        terms = find_terms(rates, meter.name, each.customer_id, dict(each.dimensions), at)
        groups[_Place(each.customer_id, each.dimensions, each.window_start), terms].append(each)
    for (place, terms), members in groups.items():
        yield _row(meter, place, terms, members)


def _row(meter: Meter, place: _Place, terms: Terms | None, members: list[Measured]) -> Row:
    quantity = aggregate(meter.aggregation, members)
    window_end = place.window_start + meter.window
    return {
        "meter": meter.name,
        "customer_id": place.customer_id,
        "dimensions": dict(place.dimensions),
        "window_start": place.window_start,
        "window_end": window_end,
        "closes_at": window_end + meter.lateness,
        "quantity": rounded(quantity),
        "event_count": len(members),
        "unit": meter.unit,
        "rate_label": terms.label if terms else None,
        "rate_effective_from": terms.effective_from if terms else None,
        "unit_price": terms.unit_price if terms else None,
        "per": terms.per if terms else None,
        "currency": terms.currency if terms else None,
        "cost": rounded(terms.cost(quantity)) if terms else None,
        "pane": "batch",
    }


def total_out_of_range(row: Row) -> bool:
    """Tell whether the row lost its quantity or its cost for being too great."""
    return row["quantity"] is None or (row["cost"] is None and row["unit_price"] is not None)


def aggregate(aggregation: str, members: Sequence[Measured]) -> Fraction:
    """Give the quantity, exact; only avg is rounded, to 18 decimals by its definition."""
    if aggregation == "count":
        return Fraction(len(members))
    if aggregation == "unique_count":
        return Fraction(len({each.value for each in members}))
    if aggregation == "latest":
        return max((each.event_time, _number(each)) for each in members)[1]
    numbers = [_number(each) for each in members]
    if aggregation == "avg":
        average = rounded(sum(numbers, Fraction()) / len(numbers))
        assert average is not None  # it lies among values that fit
        return Fraction(average)
    if aggregation == "sum":
        return sum(numbers, Fraction())
    return {"min": min, "max": max}[aggregation](numbers)


def _number(measured: Measured) -> Fraction:
    assert isinstance(measured.value, Fraction)
    return measured.value
