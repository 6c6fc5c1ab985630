"""Outputs of many kinds to make reports of, each by a run of the command."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner, Result

from pipelines.command import main

HOSTILE = "<script>document.title='owned'</script>"
VALUE = "\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}\u202e\x07"
_BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
CATALOG = """\
version: 1
meters:
  - {name: tokens, event_type: llm, aggregation: sum, value: tokens, dimensions: [model, region],
     unit: token}
  - {name: calls, event_type: llm, aggregation: count, unit: call}
  - {name: largest, event_type: llm, aggregation: max, value: tokens, unit: token}
  - {name: storage, event_type: disk, aggregation: max, value: gb, unit: GB, window: 1d}
"""
RATES = """\
meter,label,effective_from,unit_price,per,currency,customer_id
tokens,list,2026-01-01,2.5,1000,USD,
tokens,euro,2026-01-01,2.1,1000,EUR,customer-3
tokens,yen,2026-01-01,330,1000,JPY,customer-5
calls,list,2026-01-01,0.01,1,USD,
"""


def recorded(number: int, customer: str, at: datetime, delay: timedelta, **more: object) -> str:
    """An event with its arrival."""
    fields = {
        "id": str(number),
        "event_type": "llm",
        "customer_id": customer,
        "timestamp": at.isoformat(),
        "received_at": (at + delay).isoformat(),
        "properties": {
            "tokens": 100 + number % 900,
            "model": f"model-{number % 3}",
            "region": "eu",
        },
    }
    return json.dumps(fields | more)


def rich_lines(days: int = 75) -> Iterator[str]:
    """Some weeks of eleven customers and a hostile one, late events, and lines that are none."""
    for number in range(days * 24):
        at = _BEGIN + timedelta(hours=number, minutes=number % 50)
        growth = number // (24 * 12)
        delay = timedelta(seconds=1 + number % 37 + 90 * (number % 100 > 97))
        for k in range(1 + growth // 2):
            customer = f"customer-{(number * (k + 1)) % 11}"
            yield recorded(number * 10 + k, customer, at, delay)
        if number % 24 == 7:
            disk = {"gb": 10 + number // 24}
            yield recorded(
                number * 10 + 8, "customer-1", at, delay, event_type="disk", properties=disk
            )
        if number % 150 == 0:
            yield recorded(number * 10 + 9, "customer-2", at, timedelta(days=2))
            yield "no event"
    properties = {"tokens": "12.345678901234567891", "model": VALUE, "region": None}
    yield recorded(9_999_999, HOSTILE, at, timedelta(0), properties=properties)


class ReportDesk:
    """A folder with a catalog, rates, events and an output."""

    def __init__(self, folder: Path, catalog: str = CATALOG, rates: str = RATES) -> None:
        self.folder, self.out, self.page = folder, folder / "out", folder / "report.html"
        (folder / "catalog.yaml").write_text(catalog)
        (folder / "rates.csv").write_text(rates)

    def run(self, lines: Iterator[str] | list[str], *more: str, rates: bool = True) -> None:
        """Meter lines that have their arrival, late ones as a stream would."""
        path = self.folder / "events.ndjson"
        path.write_text("".join(f"{line}\n" for line in lines))
        given = ["--catalog", self.folder / "catalog.yaml", "--input", path, "--output", self.out]
        given += ["--rates", self.folder / "rates.csv"] if rates else []
        kind = ["--source", "recorded", "--quiet", *more]
        done = CliRunner().invoke(main, ["run", *map(str, given), *kind])
        assert done.exit_code == 0, done.output

    def report(self, *more: str, output: str = "", fails: int = 0) -> Result:
        """Write the report of the output."""
        given = ["report", "--output", output or str(self.out), "--file", str(self.page), *more]
        done = CliRunner().invoke(main, given)
        assert done.exit_code == fails, (done.output, done.exception)
        assert "Traceback" not in done.output
        return done
