"""Numbers, times and names of the data as text for the eye.

Amounts keep all their digits, but where a text says that it is short.
"""

import json
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

from pipelines.summary import plain

NONE = "\N{EN DASH}"
_LONGEST = 60  # characters of a name
_DIGITS = 100  # more than any sum of ours has
_CENT = Decimal("0.01")


def name_of(text: str | None) -> str:
    """A name from the data: what is not to be seen as JSON's escapes, and a long one cut."""
    if text is None:
        return NONE
    shown = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text[: _LONGEST + 1])
    return shown[:_LONGEST] + "…" if len(shown) > _LONGEST else shown


def text_of(value: Any) -> str:  # noqa: PLR0911 - one a kind
    """A cell of a table: amounts with every digit, times in UTC, null as a dash."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    return name_of(str(value))


def short(amount: Decimal) -> str:
    """At most two decimals for the eye; ≈ says that there are more."""
    with localcontext(prec=_DIGITS):
        cut = amount.quantize(_CENT, ROUND_HALF_EVEN)
    if cut == amount:
        return plain(amount)
    return f"≈ {cut:,f}" if cut else f"≈ {amount:.2g}"


def percent(part: int, whole: int) -> str:
    """A share for the eye: two decimals, and never 0 % for something."""
    if not whole or not part:
        return "0 %"
    cut = (Decimal(100 * part) / Decimal(whole)).quantize(_CENT, ROUND_HALF_EVEN)
    return f"{plain(cut)} %" if cut else "< 0.01 %"


def total(whole: Any, rest: Any) -> Decimal:
    """A sum of which SQL added whole units and fractions apart, so that neither can fail."""
    with localcontext(prec=_DIGITS):
        return Decimal(whole or 0) + Decimal(rest or 0)


def added(*amounts: Decimal) -> Decimal:
    """The exact sum."""
    with localcontext(prec=_DIGITS):
        return sum(amounts, Decimal(0))
