"""One record read exactly, in plain Python: the slow path, and the meaning of the fast one.

Everything the columnar path is not sure of comes here, so this module decides what a record says.
"""

import json
from dataclasses import dataclass
from typing import Any

from transforms import json_text
from transforms.catalog import Source, TextField, TimeField
from transforms.json_text import Number, canonical, canonical_number, scalar_text
from transforms.numbers import in_range, is_number
from transforms.reasons import Reason, Rejected
from transforms.slots import Slot, Slots
from transforms.timestamps import EPOCH_POWERS, parse_epoch, parse_time

LONGEST = 256


@dataclass(frozen=True)
class Verdict:
    """A record that was rejected, with what could still be read of it."""

    reason: Reason
    detail: str
    customer_id: str | None = None
    event_time: int | None = None
    received_at: int | None = None


@dataclass(frozen=True)
class ExactReader:
    """Reads records of one source into the columns of `fields` (see transforms/fields.py)."""

    source: Source
    slots: Slots

    def read(self, line: bytes) -> dict[str, Any] | Verdict:
        """A row of `fields` as a dict, or the verdict on a record that is none."""
        try:
            record = parse_object(line)
        except Rejected as no:
            known = self._context(no.record) if no.record else {}
            return Verdict(no.reason, no.detail, **known)
        try:
            return self._row(record)
        except Rejected as no:
            return Verdict(no.reason, no.detail, **self._context(record))

    def _row(self, record: dict[str, Any]) -> dict[str, Any]:
        source = self.source
        self._require(record)
        row: dict[str, Any] = {
            "event_type": _text(record, source.event_type, "event_type"),
            "customer_id": _text(record, source.customer_id, "customer_id"),
            "event_id": _event_id(record, source),
            "scope": _scope(record, source),
        }
        for keys in source.objects:
            _check_object(record, keys)
        times = [("event_time", source.timestamp)]
        if source.received_at:
            times.append(("received_at", source.received_at))
        for _, place in times:
            _check_time_kind(record, place)
        for name, place in times:
            row[name] = _time(record, place)
        row.setdefault("received_at", None)
        return row | self._slots(record, row["event_type"])

    def _require(self, record: dict[str, Any]) -> None:
        source = self.source
        paths = [source.event_type.path, source.customer_id.path, source.timestamp.path]
        if source.received_at:
            paths.append(source.received_at.path)
        for path in paths:
            if path is not None and find(record, path) is None:
                raise Rejected(Reason.MISSING_FIELD, f"field {spell(path)!r} is missing")

    def _slots(self, record: dict[str, Any], event_type: str) -> dict[str, Any]:
        row: dict[str, Any] = {}
        odd: dict[str, tuple[str, str]] = {}
        for slot in self.slots.slots:
            value = find(record, self.source.resolve(slot.path))
            row[slot.name], strange = _slot(slot, value)
            if strange and slot.name in self.slots.read_by(event_type):
                odd[slot.name] = strange
        row["odd"] = json.dumps(odd, ensure_ascii=False, sort_keys=True) if odd else None
        return row

    def _context(self, record: dict[str, Any]) -> dict[str, Any]:
        """What a rejected record still says of itself."""
        known: dict[str, Any] = {}
        for name, read in (
            ("customer_id", lambda: _text(record, self.source.customer_id, "customer_id")),
            ("event_time", lambda: _time(record, self.source.timestamp)),
            ("received_at", lambda: self._arrival(record)),
        ):
            try:
                known[name] = read()
            except Rejected:
                known[name] = None
        return known

    def _arrival(self, record: dict[str, Any]) -> int | None:
        return _time(record, self.source.received_at) if self.source.received_at else None


def parse_object(line: bytes) -> dict[str, Any]:
    """The JSON object that a line holds; raises Rejected where it holds none."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Rejected(Reason.NOT_UTF8, f"byte {error.start} is not UTF-8") from None
    if text.startswith("\ufeff"):
        raise Rejected(Reason.NOT_JSON, "a byte order mark is not JSON")
    try:
        record = json_text.parse(text)
    except Rejected as no:
        if no.reason is Reason.DUPLICATE_FIELD and not isinstance(no.record, dict):
            raise Rejected(Reason.NOT_OBJECT, "the record is not a JSON object") from None
        raise
    if not isinstance(record, dict):
        raise Rejected(Reason.NOT_OBJECT, "the record is not a JSON object")
    return record


def find(record: Any, keys: tuple[str, ...]) -> Any:
    """What stands at a path; None where nothing does. Through an array nothing is found."""
    for key in keys:
        if not isinstance(record, dict):
            return None
        record = record.get(key)
    return record


def spell(keys: tuple[str, ...]) -> str:
    """A path as a user would write it."""
    return ".".join(keys)


def kind(value: Any) -> str:
    """What a value is, in JSON's words."""
    if isinstance(value, Number):
        return "a number"
    kinds = {bool: "a boolean", str: "a string", dict: "an object", list: "an array"}
    return kinds.get(type(value), "null")


def _wrong(path: tuple[str, ...], wanted: str, value: Any) -> Rejected:
    return Rejected(Reason.WRONG_TYPE, f"field {spell(path)!r} must be {wanted}, is {kind(value)}")


def _text(record: dict[str, Any], place: TextField, name: str) -> str:
    if place.path is None:
        return place.const or ""
    value = find(record, place.path)
    text = _string(value, place)
    if text is None or not 1 <= len(text) <= LONGEST:
        wanted = f"a string of 1 to {LONGEST} characters ({name})"
        raise _wrong(place.path, wanted, value)
    return text


def _string(value: Any, place: TextField) -> str | None:
    """A string, or a number as written where the source takes numbers too."""
    if isinstance(value, Number):
        return str(value) if place.as_text else None
    return value if isinstance(value, str) else None


def _event_id(record: dict[str, Any], source: Source) -> str | None:
    if source.id is None or source.id.path is None:
        return source.id.const if source.id else None
    value = find(record, source.id.path)
    if value is None:
        return None
    text = _string(value, source.id)
    if text is None or len(text) > LONGEST:
        raise _wrong(source.id.path, f"a string of at most {LONGEST} characters", value)
    return text or None


def _scope(record: dict[str, Any], source: Source) -> str | None:
    if source.id_scope is None:
        return None
    value = find(record, source.id_scope)
    if value is not None and (isinstance(value, Number) or not isinstance(value, str)):
        raise _wrong(source.id_scope, "a string", value)
    return value or ""


def _check_object(record: dict[str, Any], keys: tuple[str, ...]) -> None:
    value = find(record, keys)
    if value is not None and not isinstance(value, dict):
        raise _wrong(keys, "an object", value)


def _check_time_kind(record: dict[str, Any], place: TimeField) -> None:
    value = find(record, place.path)
    number = isinstance(value, Number)
    if place.format == "rfc3339" and (number or not isinstance(value, str)):
        raise _wrong(place.path, "a string", value)
    if not isinstance(value, str):
        raise _wrong(place.path, "a number, or a string that holds one", value)


def _time(record: dict[str, Any], place: TimeField) -> int:
    value = find(record, place.path)
    at = None
    if place.format in EPOCH_POWERS:
        if isinstance(value, str) and is_number(value):
            at = parse_epoch(canonical_number(value), place.format)
    elif isinstance(value, str) and not isinstance(value, Number):
        at = parse_time(value, assume_utc=place.assume_utc)
    if at is None:
        shown = json.dumps(value)[:80]
        raise Rejected(
            Reason.BAD_TIMESTAMP, f"field {spell(place.path)!r}: {shown} is no {place.format} time"
        )
    return at


def _slot(slot: Slot, value: Any) -> tuple[Any, tuple[str, str] | None]:
    """A slot's value, and where it is not of the slot's kind, what it was instead.

    `r` is a number out of range, `t` a text where a number is wanted, `j` an object or array.
    """
    if value is None:
        return None, None
    if isinstance(value, dict | list):
        return None, ("j", canonical(value))
    text = scalar_text(value)
    if slot.kind == "text":
        return text, None
    if text is None or isinstance(value, bool) or not is_number(text):
        return None, ("t", text or "")
    digits = canonical_number(text)
    number = in_range(digits)
    return (number, None) if number is not None else (None, ("r", digits))
