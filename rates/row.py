"""One line of a rate table, read into a rate, or into all that is wrong with it."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from rates.cells import moment_text, parse_amount, parse_moment, parse_per
from rates.problems import nearest, shown
from rates.rate import Rate

REQUIRED = ("meter", "label", "effective_from", "unit_price")
OPTIONAL = ("effective_to", "per", "currency", "description", "customer_id")
COLUMNS = (*REQUIRED, *OPTIONAL)

Meters = Mapping[str, tuple[str, ...]]
T = TypeVar("T")


class Row:
    """The cells of one line by column, and what is found wrong with them.

    `meters` are the meters of the catalog with the names of their dimensions. A column that the
    table lacks is a problem of its header, not of every row.
    """

    def __init__(self, cells: Mapping[str, str], meters: Meters) -> None:
        self.problems: list[str] = []
        self._cells = cells
        self._meters = meters

    def rate(self, file: str, line: int) -> Rate | None:
        """Read the row; None, with `problems` to say why, where it is no rate."""
        start = self._read("effective_from", parse_moment)
        end = self._read("effective_to", parse_moment)
        price, per = self._read("unit_price", parse_amount), self._read("per", parse_per)
        meter, label = self._cells.get("meter"), self._cells.get("label")
        cells = self._dimensions(self._meter())
        self._check_filled()
        if start is not None and end is not None and end <= start:
            self.problems.append(
                f"effective_to: {shown(self._cells['effective_to'])} is not after effective_from"
                f" ({moment_text(start)})"
            )
        if self.problems or meter is None or label is None or start is None or price is None:
            return None
        return Rate(
            meter=meter,
            label=label,
            effective_from_us=start,
            effective_to_us=end,
            unit_price=price,
            per=parse_per("1") if per is None else per,
            currency=self._cells.get("currency") or "USD",
            description=self._cells.get("description", ""),
            customer_id=self._cells.get("customer_id") or None,
            cells=cells,
            file=file,
            line=line,
        )

    def _read(self, column: str, parse: Callable[[str], T]) -> T | None:
        text = self._cells.get(column)
        if not text:
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.problems.append(f"{column}: {error}")
            return None

    def _check_filled(self) -> None:
        self.problems += [
            f"{column}: is empty, and every row needs it"
            for column in REQUIRED
            if self._cells.get(column) == ""
        ]

    def _meter(self) -> tuple[str, ...] | None:
        """Return the dimensions of the row's meter; None where there is no such meter."""
        meter = self._cells.get("meter")
        if meter and meter not in self._meters:
            self.problems.append(
                f"meter: the catalog has no {shown(meter)}{nearest(meter, tuple(self._meters))}"
            )
        return self._meters.get(meter) if meter else None

    def _dimensions(self, known: tuple[str, ...] | None) -> tuple[tuple[str, str], ...]:
        """Return the filled dimensions, sorted by name."""
        filled = sorted(
            (name, text) for name, text in self._cells.items() if text and name not in COLUMNS
        )
        if known is not None:
            self.problems += [
                f"{name}: {shown(text)} is filled in, but meter {self._cells['meter']} has no such"
                f" dimension (has: {', '.join(known) or 'none'})"
                for name, text in filled
                if name not in known
            ]
        return tuple(filled)
