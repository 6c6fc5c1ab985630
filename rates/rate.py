"""One row of a rate table."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from rates.cells import moment_text

FOREVER_US = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of a meter's quantity, for whom and what it holds, and from when to when.

    `unit_price` is for `per` of the meter's unit, in `currency`; times are microseconds since the
    epoch, `effective_to_us` the first moment the rate no longer holds (None: open). `cells` are
    the filled dimensions, sorted by name; a `customer_id` of None is every customer.
    """

    meter: str
    label: str
    effective_from_us: int
    effective_to_us: int | None
    unit_price: Decimal
    per: Decimal
    currency: str
    description: str
    customer_id: str | None
    cells: tuple[tuple[str, str], ...]
    file: str
    line: int

    @property
    def end_us(self) -> int:
        """The first moment the rate no longer holds, as a number in any case."""
        return FOREVER_US if self.effective_to_us is None else self.effective_to_us

    @property
    def shape(self) -> tuple[str, ...]:
        """The names of the filled dimensions."""
        return tuple(name for name, _ in self.cells)

    @property
    def place(self) -> str:
        """Where the row stands, for messages."""
        return f"{self.file}:{self.line}"

    @property
    def scope(self) -> str:
        """For whom and what the rate holds, for messages."""
        named = () if self.customer_id is None else (("customer_id", self.customer_id),)
        return ", ".join(f"{name}={text}" for name, text in (*named, *self.cells)) or "everything"

    @property
    def period(self) -> str:
        """From when to when the rate holds, for messages."""
        start = f"from {moment_text(self.effective_from_us)}"
        if self.effective_to_us is None:
            return start
        return f"{start} to {moment_text(self.effective_to_us)}"

    def holds(
        self, customer_id: str | None, dimensions: Mapping[str, str | None], at_us: int
    ) -> bool:
        """Whether the rate is in effect then, and every filled cell is the usage's own text."""
        return (
            self.effective_from_us <= at_us < self.end_us
            and self.customer_id in (None, customer_id)
            and all(dimensions.get(name) == text for name, text in self.cells)
        )

    @property
    def precedence(self) -> tuple[bool, int, int]:
        """Of the rates that hold, the one where this is greatest applies."""
        return self.customer_id is not None, len(self.cells), self.effective_from_us
