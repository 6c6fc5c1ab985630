"""One record: is it an event, and if not, why not."""

import base64
from dataclasses import dataclass
from typing import Generic, TypeVar

from oracle.amounts import as_number
from oracle.catalog import Keys, Source, TextField, TimeField
from oracle.json_text import Json, NotJsonError, Number, read_json
from oracle.records import Record
from oracle.times import epoch_us, rfc3339_us

MAX_BYTES = 1024 * 1024
KEPT_BYTES = 64 * 1024
MAX_LENGTH = 256
RECORD_REASONS = (
    "too_large",
    "not_utf8",
    "not_json",
    "not_object",
    "duplicate_field",
    "missing_field",
    "wrong_type",
    "bad_timestamp",
    "future_timestamp",
)

T = TypeVar("T")


@dataclass(frozen=True)
class Field(Generic[T]):
    """What one field gives: a value, or a problem, or neither where it is absent and may be."""

    value: T | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Event:
    """A record as read; where `reason` is set it is no event, and fields may be None."""

    record: Record
    received_at: int
    reason: str | None = None
    content: Json = None
    event_type: str | None = None
    customer_id: str | None = None
    event_time: int | None = None
    id: str | None = None
    scope: str | None = None

    @property
    def order(self) -> tuple[int, str, int]:
        """By what the first of several is told."""
        return self.received_at, self.record.path, self.record.offset

    @property
    def key(self) -> tuple[object, ...]:
        """What a duplicate has in common with it."""
        if not self.id:
            return ("bytes", self.record.raw)
        if self.scope is not None:
            return ("scoped", self.scope, self.id)
        return ("id", self.customer_id, self.event_type, self.id)

    @property
    def text(self) -> str:
        """The record as text, for one that is UTF-8."""
        return self.record.raw.decode("utf-8")

    @property
    def rejected_payload(self) -> str:
        """The record as a reject keeps it."""
        if self.reason == "too_large":
            return self.record.raw[:KEPT_BYTES].decode("utf-8", errors="replace")
        if self.reason == "not_utf8":
            return base64.b64encode(self.record.raw).decode("ascii")
        return self.text


def find(content: Json, keys: Keys) -> Json:
    """Go down objects; None where nothing is found, as null is absent."""
    for key in keys:
        if not isinstance(content, dict):
            return None
        content = content.get(key)
    return content


def as_text(value: Json) -> str | None:
    """Give a scalar as written; None for null, objects and arrays."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return value.text
    return value if isinstance(value, str) else None


def read_event(record: Record, source: Source, *, clock: int, tolerance: int) -> Event:
    """Judge a record by itself; the first reason in the order of the contract is given."""
    content, reason = _content(record.raw)
    if not isinstance(content, dict):
        return Event(record, received_at=clock, reason=reason)
    recorded = _time(content, source.received_at)
    arrival = clock if recorded.value is None else recorded.value
    event_type = _text(content, source.event_type, required=True)
    customer = _text(content, source.customer_id, required=True)
    event_id = _text(content, source.id, required=False)
    scope = _scope(content, source.scope)
    time = _time(content, source.timestamp)
    problems = {reason} | {
        field.problem for field in (event_type, customer, time, event_id, scope, recorded)
    }
    if any(not isinstance(find(content, keys), dict | None) for keys in source.objects):
        problems.add("wrong_type")
    early = arrival - clock, 0 if time.value is None else time.value - arrival
    if max(early) > tolerance:
        problems.add("future_timestamp")
    return Event(
        record,
        received_at=arrival,
        reason=next((each for each in RECORD_REASONS if each in problems), None),
        content=content,
        event_type=event_type.value,
        customer_id=customer.value,
        event_time=time.value,
        id=event_id.value or None,
        scope=scope.value,
    )


def _content(raw: bytes) -> tuple[Json, str | None]:
    if len(raw) > MAX_BYTES:
        return None, "too_large"
    try:
        reading = read_json(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return None, "not_utf8"
    except NotJsonError:
        return None, "not_json"
    if not isinstance(reading.value, dict):
        return None, "not_object"
    return reading.value, "duplicate_field" if reading.duplicate_field else None


def _text(content: Json, field: TextField | None, *, required: bool) -> Field[str]:
    if field is None:
        return Field()
    value = field.const if field.const is not None else find(content, field.keys)
    if value is None:
        return Field(problem="missing_field" if required else None)
    if isinstance(value, Number) and field.takes_numbers:
        value = value.text
    if not isinstance(value, str) or len(value) > MAX_LENGTH or (required and not value):
        return Field(problem="wrong_type")
    return Field(value)


def _scope(content: Json, keys: Keys | None) -> Field[str]:
    if keys is None:
        return Field()
    value = find(content, keys)
    if value is None:
        return Field("")
    return Field(value) if isinstance(value, str) else Field(problem="wrong_type")


def _time(content: Json, field: TimeField | None) -> Field[int]:
    if field is None:
        return Field()
    value = find(content, field.keys)
    if value is None:
        return Field(problem="missing_field")
    if not isinstance(value, str) and (field.places is None or not isinstance(value, Number)):
        return Field(problem="wrong_type")
    instant = _instant(value, field)
    return Field(instant, None if instant is not None else "bad_timestamp")


def _instant(value: str | Number, field: TimeField) -> int | None:
    if field.places is not None:
        number = as_number(value)
        return None if number is None else epoch_us(number, field.places)
    return rfc3339_us(str(value), zone_may_lack=field.zone_may_lack)
