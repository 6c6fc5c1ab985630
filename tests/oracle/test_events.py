"""Which records are events, and for the others the first reason of the closed set."""

import base64
import json
from typing import Any

import pytest

from oracle import Record, split_records
from oracle.examples import NOON_US, catalog, event, meter, reasons, us

SOURCES = """\
sources:
  gateway:
    event_type: {const: use}
    customer_id: {path: auth.tenant, as: text}
    timestamp: {path: ts, format: epoch_ms}
    id: request.id
    received_at: logged_at
    properties: request
  flat:
    event_type: kind
    customer_id: 'who."dotted.key"'
    timestamp: {path: at, zone: UTC}
    properties: .
"""
MAPPED = catalog("name: n, event_type: use, aggregation: sum, value: n", sources=SOURCES)


def gateway(**fields: Any) -> str:
    whole = {
        "auth": {"tenant": "c1"},
        "ts": 1_768_473_000_123,
        "logged_at": "2026-01-15T10:31:00Z",
        "request": {"n": 1},
    } | fields
    return json.dumps({name: value for name, value in whole.items() if value is not ...})


def reason(line: str | bytes, **options: Any) -> str | None:
    found = reasons(meter([line], **options))
    return found[0] if found else None


def test_lines_end_with_lf_or_crlf_and_white_space_lines_are_skipped() -> None:
    content = b" \t\r\n{}\r\n\n a\rb\n[]\r\r\n\r\nlast\r"
    assert split_records("f", content) == [
        Record("f", 4, b"{}"),
        Record("f", 9, b" a\rb"),
        Record("f", 14, b"[]\r"),
        Record("f", 21, b"last\r"),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"{" + b" " * 1_048_576, "too_large"),
        (b"\xff" * 1_048_577, "too_large"),
        (b'{"a": "\xc3("}', "not_utf8"),
        (b'{"a": "\xed\xa0\x80"}', "not_utf8"),
        (b'\xef\xbb\xbf{"a": 1}', "not_json"),
        (b"{} {}", "not_json"),
        (b'{"a": "\\udc00"}', "not_json"),
        (b"[NaN]", "not_json"),
        (b'[{"a": 1, "a": 2}]', "not_object"),
        (b"null", "not_object"),
        (b'{"a": [{"b": 1, "\\u0062": 1}]}', "duplicate_field"),
        (b"{}", "missing_field"),
    ],
)
def test_a_record_is_refused_for_its_form_first(line: bytes, expected: str) -> None:
    assert reason(line) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"customer_id": None, "id": 1}, "missing_field"),
        ({"event_type": ...}, "missing_field"),
        ({"timestamp": None}, "missing_field"),
        ({"customer_id": 1, "timestamp": "x"}, "wrong_type"),
        ({"customer_id": ""}, "wrong_type"),
        ({"customer_id": "😀" * 257}, "wrong_type"),
        ({"customer_id": "😀" * 256}, None),
        ({"event_type": True}, "wrong_type"),
        ({"timestamp": 5}, "wrong_type"),
        ({"timestamp": ""}, "bad_timestamp"),
        ({"id": 1}, "wrong_type"),
        ({"id": "i" * 257}, "wrong_type"),
        ({"id": "i" * 256}, None),
        ({"id": ""}, None),
        ({"properties": []}, "wrong_type"),
        ({"metadata": "x"}, "wrong_type"),
        ({"metadata": None, "received_at": 7, "data": 1}, None),
        ({"timestamp": "2026-01-15T12:05:00Z"}, None),
        ({"timestamp": "2026-01-15T12:05:00.000001Z"}, "future_timestamp"),
    ],
)
def test_fields_are_there_of_their_kind_and_not_of_the_future(
    fields: dict[str, Any], expected: str | None
) -> None:
    assert reason(event(**fields)) == expected


@pytest.mark.parametrize(
    ("arrival", "time", "expected"),
    [
        (..., "2026-01-15T10:00:00Z", "missing_field"),
        (1, "2026-01-15T10:00:00Z", "wrong_type"),
        ("yesterday", "2026-01-15T10:00:00Z", "bad_timestamp"),
        ("2026-01-15T10:00:00Z", "2026-01-15T10:05:00Z", None),
        ("2026-01-15T10:00:00Z", "2026-01-15T10:05:00.000001Z", "future_timestamp"),
        ("2026-01-15T12:05:00Z", "2026-01-15T10:00:00Z", None),
        ("2026-01-15T12:05:00.000001Z", "2026-01-15T10:00:00Z", "future_timestamp"),
        ("1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z", "future_timestamp"),
    ],
)
def test_a_recorded_arrival_is_required_and_judged(
    arrival: Any, time: str, expected: str | None
) -> None:
    line = event(received_at=arrival, timestamp=time)
    assert reason(line, source="recorded") == expected


def test_a_bad_record_keeps_the_arrival_that_could_be_read() -> None:
    good = "2026-01-15T09:59:00Z"
    outcome = meter(
        [event(received_at=good, customer_id=1), event(received_at="x"), "nonsense"],
        source="recorded",
    )
    assert [row["received_at"] for row in outcome.rejects] == [us(good), NOON_US, NOON_US]
    assert outcome.ledger[us("2026-01-15T09:00:00Z"), None, "rejected", "wrong_type"] == 1
    assert outcome.ledger[NOON_US, None, "received", None] == 2


def test_a_reject_keeps_the_record() -> None:
    large: bytes = b"\xff" + b"x" * 1_048_576
    lines: list[str | bytes] = ["[1]", b"\xff", large]
    payloads = [row["payload"] for row in meter(lines).rejects]
    assert payloads == ["[1]", base64.b64encode(b"\xff").decode(), "\ufffd" + "x" * 65_535]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"type": None}, "missing_field"),
        ({"source": 1}, "wrong_type"),
        ({"source": None, "id": "1"}, None),
        ({"data": []}, "wrong_type"),
        ({"properties": [], "metadata": 1}, None),
        ({"subject": "s" * 257}, "wrong_type"),
    ],
)
def test_cloudevents_have_fields_of_their_own(fields: dict[str, Any], expected: str | None) -> None:
    whole = {"type": "use", "subject": "c", "time": "2026-01-15T10:00:00Z", "data": {}} | fields
    text = catalog("name: n, event_type: use, aggregation: count")
    assert reason(json.dumps(whole), source="cloudevents", text=text) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"auth": {"tenant": 1.50}}, None),
        ({"auth": {"tenant": True}}, "wrong_type"),
        ({"auth": [{"tenant": "c"}]}, "missing_field"),
        ({"ts": "1768473000123"}, None),
        ({"ts": " 1768473000123"}, "bad_timestamp"),
        ({"ts": True}, "wrong_type"),
        ({"ts": 1e300}, "bad_timestamp"),
        ({"logged_at": ...}, "missing_field"),
        ({"request": None}, "missing_value"),
        ({"request": [1]}, "wrong_type"),
        ({"request": {"n": 1, "id": 7}}, "wrong_type"),
        ({"properties": 1, "metadata": []}, None),
    ],
)
def test_a_source_of_ones_own_maps_paths(fields: dict[str, Any], expected: str | None) -> None:
    assert reason(gateway(**fields), source="gateway", text=MAPPED) == expected


def test_a_mapped_number_is_a_text_as_written() -> None:
    line = gateway(auth={"tenant": 0}).replace("0}", "1.50}")
    assert meter([line], MAPPED, source="gateway").events[0]["customer_id"] == "1.50"


def test_a_flat_source_reads_from_the_root_and_takes_times_without_zone() -> None:
    line = '{"kind": "use", "who": {"dotted.key": "c"}, "at": "2026-01-15 10:00:00", "n": "2"}'
    outcome = meter([line], MAPPED, source="flat")
    assert outcome.events[0]["event_time"] == us("2026-01-15T10:00:00Z")
    assert outcome.usage[0]["quantity"] == 2


def test_a_time_without_zone_is_bad_elsewhere() -> None:
    assert reason(event(timestamp="2026-01-15T10:00:00")) == "bad_timestamp"
