"""A whole batch run, record by record."""

from collections.abc import Mapping, Sequence

from oracle.catalog import Catalog, Meter, read_catalog
from oracle.dedup import Standing, deduplicate
from oracle.events import Event, read_event
from oracle.measure import Measured, matches, measure
from oracle.outcome import Outcome, Row
from oracle.rates import read_rates
from oracle.records import Record
from oracle.times import HOUR_US, floor_us
from oracle.usage import total_out_of_range, usage_rows


def meter_batch(
    catalog: str,
    rates: Mapping[str, str] | None,
    records: Sequence[Record],
    *,
    source: str = "native",
    started_at_us: int,
    as_streamed: bool = False,
    from_us: int | None = None,
    to_us: int | None = None,
    meters: Sequence[str] | None = None,
) -> Outcome:
    """Meter records as one batch run would that started, by its clock, at this moment."""
    read = read_catalog(catalog, source)
    book = read_rates(rates or {})
    outcome = Outcome()
    accepted = _accept(read, records, started_at_us, outcome)
    matched = [
        event
        for event in accepted
        if event.event_time is not None
        and (from_us is None or from_us <= event.event_time)
        and (to_us is None or event.event_time < to_us)
    ]
    for meter in read.meters:
        if meters is None or meter.name in meters:
            measured = _measure(meter, matched, outcome, as_streamed=as_streamed)
            for row in usage_rows(meter, measured, book):
                outcome.usage.append(row)
                if total_out_of_range(row):
                    outcome.rejects.append(_row_reject(row))
    return outcome


def _accept(
    catalog: Catalog, records: Sequence[Record], started_at: int, outcome: Outcome
) -> list[Event]:
    """Count every record as received and as one thing more; give those that are accepted."""
    valid = []
    for record in records:
        event = read_event(
            record, catalog.source, clock=started_at, tolerance=catalog.future_tolerance
        )
        _count(outcome, event, None, "received")
        if event.reason:
            _reject(outcome, event, event.reason)
        else:
            valid.append(event)
    standings = list(deduplicate(valid, catalog.meters))
    for standing in standings:
        _stand(catalog, standing, outcome)
    return [each.event for each in standings if each.outcome == "accepted"]


def _stand(catalog: Catalog, standing: Standing, outcome: Outcome) -> None:
    event = standing.event
    outcome.events.append(
        {
            "source": catalog.source.name,
            "origin": event.record.origin,
            "event_id": event.id,
            "event_type": event.event_type,
            "customer_id": event.customer_id,
            "event_time": event.event_time,
            "received_at": event.received_at,
            "payload": event.text,
        }
    )
    if standing.outcome == "conflict":
        _reject(outcome, event, "conflict")
    else:
        _count(outcome, event, None, standing.outcome)


def _measure(
    meter: Meter, events: Sequence[Event], outcome: Outcome, *, as_streamed: bool
) -> list[Measured]:
    """Count every event that matches as metered or rejected; give those that are metered."""
    metered = []
    for event in events:
        if matches(event, meter):
            _count(outcome, event, meter.name, "matched")
            measured = measure(event, meter, as_streamed=as_streamed)
            if isinstance(measured, str):
                _reject(outcome, event, measured, meter.name)
            else:
                _count(outcome, event, meter.name, "metered")
                metered.append(measured)
    return metered


def _count(
    outcome: Outcome, event: Event, meter: str | None, kind: str, reason: str | None = None
) -> None:
    outcome.ledger[floor_us(event.received_at, HOUR_US), meter, kind, reason] += 1


def _reject(outcome: Outcome, event: Event, reason: str, meter: str | None = None) -> None:
    _count(outcome, event, meter, "rejected", reason)
    outcome.rejects.append(
        {
            "origin": event.record.origin,
            "reason": reason,
            "meter": meter,
            "customer_id": event.customer_id,
            "event_time": event.event_time,
            "received_at": event.received_at,
            "payload": event.rejected_payload if event.reason else None,
        }
    )


def _row_reject(row: Row) -> Row:
    return {
        "origin": None,
        "reason": "total_out_of_range",
        "meter": row["meter"],
        "customer_id": row["customer_id"],
        "event_time": None,
        "received_at": None,
        "payload": None,
    }
