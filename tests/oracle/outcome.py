"""What a metering run gives: rows of the four tables, without what each run has of its own."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
LedgerKey: TypeAlias = tuple[int, str | None, str, str | None]


@dataclass
class Outcome:
    """Times are int µs, amounts Decimal or None, dimensions a dict of str or None.

    The ledger counts by (period start, meter, outcome, reason) and has no zero in it.
    """

    events: list[Row] = field(default_factory=list)
    usage: list[Row] = field(default_factory=list)
    rejects: list[Row] = field(default_factory=list)
    ledger: Counter[LedgerKey] = field(default_factory=Counter)
