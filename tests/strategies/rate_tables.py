"""Rate tables without an error: rows of any precedence, none of which tie."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from strategies.catalogs import WHERE_TEXTS, MeterPlan
from strategies.pools import CUSTOMERS, DAY_US, EPOCH, INSTANTS, MIDNIGHT_US

_PRICES = (
    *("0.5", "1", "0.333333333333333333", "-0.25", "1e-3", "2E-6", "0", "0.000000000000000001"),
    *("99999999999999999999.999999999999999999", "1e19", "-1E+2", "0.7500000000000000000000"),
)
_PER = ("", "", "1", "1000", "3600", "7", "1E+6", "0.001")
_LABELS = ("list", "list", "night, cheap", 'says "x"', "größe")
_OPTIONAL = ("effective_to", "per", "currency", "description", "customer_id")
# most hold for all events; the others start or end in the midst of windows
_STARTS = (*(MIDNIGHT_US - 40 * DAY_US, MIDNIGHT_US - DAY_US) * 8, *INSTANTS)


@dataclass(frozen=True)
class _Row:
    fields: Mapping[str, str]
    cells: Mapping[str, str]
    start: int
    end: int | None

    @property
    def all_cells(self) -> dict[str, str]:
        customer = self.fields["customer_id"]
        return {**self.cells, **({"customer_id": customer} if customer else {})}


def _clash(one: _Row, other: _Row) -> bool:
    """Tell whether two rows may not stand together in one table."""
    mine, theirs = one.all_cells, other.all_cells
    if one.fields["meter"] != other.fields["meter"]:
        return False
    if mine == theirs:
        return one.start == other.start
    return (
        (one.end is None or other.start < one.end)
        and (other.end is None or one.start < other.end)
        and ("customer_id" in mine) == ("customer_id" in theirs)
        and len(mine) == len(theirs)
        and all(theirs.get(name, text) == text for name, text in mine.items())
    )


def _moment(draw: DrawFn, instant: int) -> str:
    moment = EPOCH + timedelta(microseconds=instant)
    if instant % DAY_US == 0 and draw(st.booleans()):
        return moment.date().isoformat()
    text = moment.isoformat()
    return draw(st.sampled_from([text, text.replace("+00:00", "Z")]))


@st.composite
def _histories(draw: DrawFn, meters: Sequence[MeterPlan]) -> list[_Row]:
    """Draw rows of the same cells: a price, and often others that follow it within windows."""
    meter = draw(st.sampled_from(meters))
    named = draw(st.integers(0, 3)) == 0
    customer = draw(st.sampled_from(CUSTOMERS)) if named else ""
    texts = ["a", "a", "b", "7", *(text for text in WHERE_TEXTS if text)]
    filled = [name for name in meter.dimensions if draw(st.integers(0, 2)) == 0]
    cells = {name: draw(st.sampled_from(texts)) for name in filled}
    starts = [draw(st.sampled_from(_STARTS))]
    starts += draw(st.lists(st.sampled_from(INSTANTS), max_size=2))
    fields = {"meter": meter.name, "customer_id": customer}
    return [_version(draw, fields, cells, start) for start in starts]


def _version(draw: DrawFn, who: Mapping[str, str], cells: Mapping[str, str], start: int) -> _Row:
    ends = [None] * 8 + [*(each for each in INSTANTS if each > start)]
    end = draw(st.sampled_from(ends))
    fields = {
        "meter": who["meter"],
        "label": draw(st.sampled_from(_LABELS)),
        "effective_from": _moment(draw, start),
        "effective_to": _moment(draw, end) if end is not None else "",
        "unit_price": draw(st.sampled_from(_PRICES)),
        "per": draw(st.sampled_from(_PER)),
        "currency": draw(st.sampled_from(["", "", "USD", "EUR"])),
        "description": draw(st.sampled_from(["", "a price, of course"])),
        "customer_id": who["customer_id"],
    }
    return _Row(fields, cells, start, end)


@st.composite
def rate_tables(draw: DrawFn, meters: Sequence[MeterPlan]) -> dict[str, str]:
    """Draw one or two files of rates, by name."""
    rows: list[_Row] = []
    for history in draw(st.lists(_histories(meters), min_size=1, max_size=7)):
        for row in history:
            if not any(_clash(row, other) for other in rows):
                rows.append(row)
    cut = draw(st.integers(1, len(rows)))
    parts = {"a.csv": rows[:cut], "b.csv": rows[cut:]}
    return {name: _table(draw, part) for name, part in parts.items() if part}


def _table(draw: DrawFn, rows: Sequence[_Row]) -> str:
    """Write rows; columns that are empty throughout may be left out, and come in any order."""
    lines = [{**row.fields, **row.cells} for row in rows]
    names = list(dict.fromkeys(name for line in lines for name in line))
    if draw(st.booleans()):
        names = [n for n in names if n not in _OPTIONAL or any(line[n] for line in lines)]
    if draw(st.booleans()):
        names.reverse()
    out = io.StringIO()
    writer = csv.DictWriter(
        out,
        names,
        restval="",
        extrasaction="ignore",
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
        quoting=csv.QUOTE_ALL if draw(st.booleans()) else csv.QUOTE_MINIMAL,
    )
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()
