"""Small catalogs and records for examples worked by hand."""

import json
from collections.abc import Sequence
from typing import Any

from oracle.meter import meter_batch
from oracle.outcome import Outcome
from oracle.records import split_records
from oracle.times import rfc3339_us


def us(text: str) -> int:
    """Give the instant of an RFC 3339 time."""
    instant = rfc3339_us(text)
    assert instant is not None
    return instant


NOON = "2026-01-15T12:00:00Z"
NOON_US = us(NOON)
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US


def catalog(*meters: str, sources: str = "") -> str:
    """Give a catalog of meters, each written as the inside of a YAML flow mapping."""
    listed = "".join(f"  - {{{meter}}}\n" for meter in meters)
    return f"version: 1\n{sources}meters:\n{listed}"


TOKENS = catalog("name: tokens, event_type: use, aggregation: sum, value: n, dimensions: [model]")


def event(n: Any = 1, model: Any = "m", **fields: Any) -> str:
    """Give a native event as a line; a field that is set to ... is left out."""
    whole = {
        "event_type": "use",
        "customer_id": "c1",
        "timestamp": "2026-01-15T10:30:00Z",
        "properties": {"n": n, "model": model},
    } | fields
    return json.dumps({name: value for name, value in whole.items() if value is not ...})


def meter(lines: Sequence[str | bytes], text: str = TOKENS, **options: Any) -> Outcome:
    """Meter lines of one file `f`; the run starts at noon."""
    content = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    rates = options.pop("rates", None)
    return meter_batch(
        text,
        {"rates.csv": rates} if rates else None,
        split_records("f", content),
        started_at_us=options.pop("started_at_us", NOON_US),
        **options,
    )


def reasons(outcome: Outcome) -> list[str]:
    """Give the reasons of the rejects, in order."""
    return [row["reason"] for row in outcome.rejects]


def totals(outcome: Outcome) -> dict[tuple[str | None, str, str | None], int]:
    """Give the ledger without its periods."""
    found: dict[tuple[str | None, str, str | None], int] = {}
    for (_, meter_name, kind, reason), events in outcome.ledger.items():
        key = (meter_name, kind, reason)
        found[key] = found.get(key, 0) + events
    return found


def quantities(outcome: Outcome) -> list[Any]:
    """Give the quantities of the usage rows, in order."""
    return [row["quantity"] for row in outcome.usage]
