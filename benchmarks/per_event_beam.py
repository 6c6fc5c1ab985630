"""The other peer: the same meters as Beam pipelines are usually written, an element per event.

    python benchmarks/per_event_beam.py --input FILE --output DIR [--rates CSV]

On the same in-process runner as `meterbeam run`, and with outputs of the same kinds as JSON lines:
usage, rejects, the archive of the events and a ledger. It reads less strictly, the ledger knows
neither hours nor meters, and ReadFromText does not say where a line was: of two events with one id
it keeps the one with the smaller amount, which in the files of events.py is the first.
"""

import argparse
import csv
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

HERE = Path(__file__).parent
HOUR, DAY = 3600, 86_400
AMOUNTS = {"llm_tokens": "tokens", "api_call": "bytes", "gpu_seconds": "seconds"}
EXACT = Context(prec=60)

Event = dict[str, Any]
Reject: TypeAlias = beam.pvalue.TaggedOutput[Literal["rejects"], Event]
Outcome: TypeAlias = beam.pvalue.TaggedOutput[Literal["outcomes"], str]


class Meter(NamedTuple):
    """One meter: what it reads and how wide its windows are."""

    name: str
    event_type: str
    aggregation: str
    value: str | None
    dimensions: tuple[str, ...]
    window_seconds: int


METERS = [
    Meter("llm_tokens", "llm_tokens", "sum", "tokens", ("model", "region", "token_type"), HOUR),
    Meter("api_calls", "api_call", "sum", None, ("method", "region"), HOUR),
    Meter("api_bytes", "api_call", "sum", "bytes", (), HOUR),
    Meter("api_addresses", "api_call", "unique_count", "ip", (), DAY),
    Meter("api_slowest", "api_call", "max", "response_time_ms", (), HOUR),
    Meter("gpu_seconds", "gpu_seconds", "sum", "seconds", ("gpu",), HOUR),
]


# what a usage row is the quantity of: meter, customer, dimensions as JSON, start of the window in
# seconds since 1970 (plain texts and numbers have the fastest coders as keys)
Series = tuple[str, str, str, int]


class ParseEvent(beam.DoFn):
    """A line to an event, or to the output `rejects`."""

    def process(self, line: str) -> Iterator[Event | Reject]:
        """The event with its time parsed; any line that cannot be one is a reject."""
        try:
            event = json.loads(line, parse_float=Decimal)
            for name in ("event_type", "customer_id", "timestamp"):
                if not isinstance(event[name], str):
                    raise TypeError(name)  # noqa: TRY301 - one exit for all that is wrong
            event["timestamp"] = datetime.fromisoformat(event["timestamp"])
            yield event
        except (KeyError, TypeError, ValueError) as error:
            yield beam.pvalue.TaggedOutput("rejects", {"error": repr(error), "line": line})


def event_key(event: Event) -> tuple[str, str, str]:
    """The identity of an event."""
    return event["customer_id"], event["event_type"], event.get("id") or json.dumps(event)


def first_of(group: tuple[tuple[str, str, str], Iterable[Event]]) -> Iterator[Event | Outcome]:
    """One event of those with the same key, and to `outcomes` what becomes of each."""
    (_, event_type, _), events = group
    name = AMOUNTS.get(event_type)
    first, *later = sorted(events, key=lambda event: event["properties"].get(name, 0))
    yield first
    yield beam.pvalue.TaggedOutput("outcomes", "accepted")
    for event in later:
        outcome = "duplicate" if event == first else "rejected: conflict"
        yield beam.pvalue.TaggedOutput("outcomes", outcome)


def readings(event: Event, aggregation: str) -> Iterator[tuple[Series, tuple[Any, int]]]:
    """What the meters with this aggregation read of an event: (series, (value, 1))."""
    properties = event["properties"]
    for meter in METERS:
        if meter.event_type != event["event_type"] or meter.aggregation != aggregation:
            continue
        value = 1 if meter.value is None else properties.get(meter.value)
        if value is None:
            continue
        dimensions = json.dumps({name: properties.get(name) for name in meter.dimensions})
        seconds = int(event["timestamp"].timestamp())
        series = (
            meter.name,
            event["customer_id"],
            dimensions,
            seconds - seconds % meter.window_seconds,
        )
        yield series, (value if aggregation == "unique_count" else Decimal(value), 1)


class Rates:
    """The rate table as rows by meter, looked up once per different question."""

    def __init__(self, path: Path) -> None:
        self._by_meter: dict[str, list[dict[str, str]]] = defaultdict(list)
        self._found: dict[tuple[Any, ...], dict[str, str] | None] = {}
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                self._by_meter[row["meter"]].append(row)

    def find(self, series: Series, at: str) -> dict[str, str] | None:
        """The row that holds for the series at the time (ISO 8601, UTC), if any."""
        question = (*series[:3], at)
        if question not in self._found:
            self._found[question] = self._search(*question)
        return self._found[question]

    def _search(self, meter: str, customer: str, dimensions: str, at: str) -> dict[str, str] | None:
        """The most specific row in effect, the latest among equals."""
        best: tuple[tuple[bool, int, str], dict[str, str]] | None = None
        asked: dict[str, str | None] = json.loads(dimensions)
        for row in self._by_meter[meter]:
            if row["effective_from"] > at or "" < row["effective_to"] <= at:
                continue
            cells = [name for name in asked if row[name]]
            named = row["customer_id"]
            if named not in ("", customer):
                continue
            rank = (bool(named), len(cells), row["effective_from"])
            fits = all(row[name] == asked[name] for name in cells)
            if fits and (best is None or rank > best[0]):
                best = rank, row
        return best[1] if best else None


def priced(element: tuple[Series, tuple[Any, int]], rates: Rates) -> str:
    """A usage row as a line of JSON."""
    series, (total, event_count) = element
    quantity = Decimal(len(total)) if isinstance(total, set) else total
    meter, customer, dimensions, seconds = series
    start = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    rate = rates.find(series, start)
    row: dict[str, Any] = {
        "meter": meter,
        "customer_id": customer,
        "dimensions": dimensions,
        "window_start": start,
        "quantity": str(quantity),
        "event_count": event_count,
    }
    if rate:
        cost = EXACT.divide(quantity * Decimal(rate["unit_price"]), Decimal(rate["per"] or 1))
        row["rate_label"] = rate["label"]
        row["currency"] = rate["currency"]
        row["cost"] = str(cost.quantize(Decimal("1e-18"), ROUND_HALF_EVEN, EXACT))
    return json.dumps(row)


def build(pipeline: beam.Pipeline, source: Path, output: Path, rates: Rates) -> None:
    """Add the whole pipeline: lines, events, one of each key, readings, totals, four tables."""
    parsed = (
        pipeline
        | "Read" >> beam.io.ReadFromText(str(source))
        | "Parse" >> beam.ParDo(ParseEvent()).with_outputs("rejects", main="events")
    )
    known = (
        parsed.events
        | "Key" >> beam.Map(lambda event: (event_key(event), event))
        | "Group" >> beam.GroupByKey()
        | "First" >> beam.FlatMap(first_of).with_outputs("outcomes", main="events")
    )
    events = known.events
    combiners = {"sum": sum, "max": max, "unique_count": beam.combiners.ToSetCombineFn()}
    totals = [
        events
        | f"Measure {name}" >> beam.FlatMap(readings, name)
        | f"Total {name}" >> beam.CombinePerKey(beam.combiners.TupleCombineFn(combiner, sum))
        for name, combiner in combiners.items()
    ]
    usage = totals | "Together" >> beam.Flatten() | "Price" >> beam.Map(priced, rates)
    archive = events | "Archive" >> beam.Map(json.dumps, default=str)
    rejects = parsed.rejects | "Rejects" >> beam.Map(json.dumps)
    refused = parsed.rejects | "Refused" >> beam.Map(lambda _: "rejected")
    ledger = (
        (known.outcomes, refused)
        | "Outcomes" >> beam.Flatten()
        | "Count" >> beam.combiners.Count.PerElement()
        | "Ledger" >> beam.MapTuple(lambda name, events: json.dumps([name, events]))
    )
    written = {"usage": usage, "events": archive, "rejects": rejects, "ledger": ledger}
    for name, rows in written.items():
        target = beam.io.WriteToText(str(output / name), file_name_suffix=".ndjson")
        _ = rows | f"Write {name}" >> target


def main() -> None:
    """Run once over one file."""
    parser = argparse.ArgumentParser(description="Meter a file of events, an element per event.")
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="a folder, replaced")
    parser.add_argument("--rates", type=Path, default=HERE / "rates.csv")
    asked, beam_options = parser.parse_known_args()
    shutil.rmtree(asked.output, ignore_errors=True)
    asked.output.mkdir(parents=True)
    with beam.Pipeline("FnApiRunner", options=PipelineOptions(beam_options)) as pipeline:
        build(pipeline, asked.input, asked.output, Rates(asked.rates))


if __name__ == "__main__":
    main()
