"""Rate tables, for files that are known to be valid, and the rate of one event."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from oracle.times import moment_us

_NO_DIMENSIONS = {
    "meter",
    "label",
    "effective_from",
    "effective_to",
    "unit_price",
    "per",
    "currency",
    "description",
    "customer_id",
}


@dataclass(frozen=True)
class Terms:
    """What a usage row shows of its rate."""

    label: str
    effective_from: int
    unit_price: Decimal
    per: Decimal
    currency: str

    def cost(self, quantity: Fraction) -> Fraction:
        """Give quantity x unit_price / per, not yet rounded."""
        return quantity * Fraction(self.unit_price) / Fraction(self.per)


@dataclass(frozen=True)
class Rate:
    """One row; `cells` are its dimension cells that are not empty."""

    meter: str
    terms: Terms
    effective_to: int | None
    customer_id: str | None
    cells: tuple[tuple[str, str], ...]

    def holds(self, at: int) -> bool:
        """Tell whether it is in effect."""
        return self.terms.effective_from <= at and (
            self.effective_to is None or at < self.effective_to
        )

    def matches(self, customer: str, dimensions: Mapping[str, str | None]) -> bool:
        """Tell whether all its cells say what the event says."""
        return self.customer_id in (None, customer) and all(
            dimensions[name] == text for name, text in self.cells
        )

    @property
    def precedence(self) -> tuple[bool, int, int]:
        """The greatest of those that match wins."""
        return self.customer_id is not None, len(self.cells), self.terms.effective_from


def read_rates(files: Mapping[str, str]) -> list[Rate]:
    """Read all rows of valid rate files."""
    return [
        _rate(row)
        for text in files.values()
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]


def _rate(row: Mapping[str, str]) -> Rate:
    until = row.get("effective_to")
    return Rate(
        meter=row["meter"],
        terms=Terms(
            label=row["label"],
            effective_from=moment_us(row["effective_from"]),
            unit_price=Decimal(row["unit_price"]),
            per=Decimal(row.get("per") or 1),
            currency=row.get("currency") or "USD",
        ),
        effective_to=moment_us(until) if until else None,
        customer_id=row.get("customer_id") or None,
        cells=tuple(
            (name, text) for name, text in row.items() if text and name not in _NO_DIMENSIONS
        ),
    )


def find_terms(
    rates: Sequence[Rate], meter: str, customer: str, dimensions: Mapping[str, str | None], at: int
) -> Terms | None:
    """Find the terms that hold for a customer and dimensions at a moment."""
    candidates = [
        rate
        for rate in rates
        if rate.meter == meter and rate.holds(at) and rate.matches(customer, dimensions)
    ]
    best = max(candidates, key=lambda rate: rate.precedence, default=None)
    return best.terms if best else None
