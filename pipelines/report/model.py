"""What a page is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

MOST_ROWS = 200
_FEW_ROWS = 12


@dataclass(frozen=True)
class Chart:
    """A chart: its caption, what it shows in words, and its drawings for wide and narrow pages."""

    caption: str
    words: str
    wide: str
    narrow: str
    full: bool = True


@dataclass(frozen=True)
class Table:
    """Rows for those who want the digits. `sql` gives all of them where there are more."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    sql: str = ""
    full: bool = True
    closed: bool = False

    @property
    def numeric(self) -> frozenset[int]:
        """The columns of numbers."""
        return frozenset(n for row in self.rows for n, value in enumerate(row) if _is_number(value))

    @property
    def shown(self) -> Sequence[Sequence[Any]]:
        """The rows that a page has at most."""
        return self.rows[:MOST_ROWS]

    @property
    def is_long(self) -> bool:
        """One that a reader opens first."""
        return self.closed or len(self.rows) > _FEW_ROWS


@dataclass(frozen=True)
class Section:
    """A matter, with what is to be known about its numbers."""

    title: str
    note: str = ""
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    empty: str = ""


@dataclass(frozen=True)
class Figure:
    """A key figure: its name, value, and what stands below it. `alarm` where something is wrong."""

    name: str
    value: str
    below: str = ""
    alarm: bool = False


@dataclass(frozen=True)
class Page:
    """All of it."""

    title: str
    facts: Sequence[tuple[str, str]]
    figures: Sequence[Figure]
    sections: Sequence[Section] = field(default_factory=list)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
