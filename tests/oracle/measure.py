"""What one meter reads of one accepted event: nothing, a reject or a measurement."""

from dataclasses import dataclass
from fractions import Fraction

from oracle.amounts import as_number
from oracle.catalog import Meter
from oracle.events import Event, as_text, find
from oracle.json_text import Json
from oracle.times import floor_us


@dataclass(frozen=True)
class Measured:
    """An event as a meter counts it; `value` is None for count, a text for unique_count."""

    customer_id: str
    dimensions: tuple[tuple[str, str | None], ...]
    event_time: int
    window_start: int
    value: Fraction | str | None


def matches(event: Event, meter: Meter) -> bool:
    """Tell whether the event is of the meter's types and every `where` holds."""
    return event.event_type in meter.event_types and all(
        as_text(find(event.content, keys)) in texts for keys, texts in meter.where
    )


def measure(event: Event, meter: Meter, *, as_streamed: bool) -> Measured | str:
    """Read a matched event; where it cannot be counted, the reason."""
    assert event.customer_id is not None
    assert event.event_time is not None
    found = [(name, find(event.content, keys)) for name, keys in meter.dimensions]
    if any(isinstance(value, dict | list) for _, value in found):
        return "invalid_dimension"
    value, reason = _value(event.content, meter)
    if reason:
        return reason
    window_start = floor_us(event.event_time, meter.window)
    if as_streamed and event.received_at > window_start + meter.window + meter.lateness:
        return "too_late"
    dimensions = tuple((name, as_text(each)) for name, each in found)
    return Measured(event.customer_id, dimensions, event.event_time, window_start, value)


def _value(content: Json, meter: Meter) -> tuple[Fraction | str | None, str | None]:
    if meter.value is None:
        return None, None
    value = find(content, meter.value)
    if value is None:
        return None, "missing_value"
    if not meter.reads_numbers:
        text = as_text(value)
        return text, "invalid_value" if text is None else None
    number = as_number(value)
    if number is None:
        return None, "invalid_value"
    return (number.fraction, None) if number.in_range else (None, "number_out_of_range")
