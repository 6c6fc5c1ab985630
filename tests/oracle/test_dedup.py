"""The first to arrive holds its key; what comes later repeats or contradicts it."""

from typing import Any

import pytest

from oracle import Record, meter_batch
from oracle.examples import NOON_US, TOKENS, event, meter, quantities, reasons, totals


def test_the_first_to_arrive_wins_whatever_its_place() -> None:
    late = event(1, id="a", received_at="2026-01-15T11:00:00.000001Z")
    early = event(2, id="a", received_at="2026-01-15T11:00:00Z")
    outcome = meter([late, early], source="recorded")
    assert quantities(outcome) == [2]
    assert [(row["origin"], row["reason"]) for row in outcome.rejects] == [("f:0", "conflict")]
    assert len(outcome.events) == 2


def test_of_two_that_arrive_together_the_lesser_path_then_offset_wins() -> None:
    def first(*places: tuple[str, int]) -> str:
        records = [Record(*place, event(id="a").encode()) for place in places]
        outcome = meter_batch(TOKENS, None, records, started_at_us=NOON_US)
        return str(outcome.events[0]["origin"])

    assert first(("b", 0), ("a", 9)) == "a:9"
    assert first(("a", 10), ("a", 9)) == "a:9"
    assert first(("d/9", 0), ("d/10", 5)) == "d/10:5"


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({}, "duplicate"),
        ({"properties": {"model": "m", "n": "10e-1", "more": []}, "other": 1}, "duplicate"),
        ({"timestamp": "2026-01-15t11:30:00.0000009+01:00"}, "duplicate"),
        ({"properties": {"n": 1.5, "model": "m"}}, "rejected"),
        ({"properties": {"n": 1, "model": "x"}}, "rejected"),
        ({"properties": {"n": 1}}, "rejected"),
        ({"properties": {"n": True, "model": "m"}}, "rejected"),
        ({"timestamp": "2026-01-15T10:30:00.000001Z"}, "rejected"),
        ({"customer_id": "c2"}, "accepted"),
        ({"id": "b"}, "accepted"),
        ({"id": ""}, "accepted"),
        ({"event_type": "other"}, "accepted"),
    ],
)
def test_a_later_one_with_the_same_key_is_a_duplicate_or_a_conflict(
    fields: dict[str, Any], outcome: str
) -> None:
    found = totals(meter([event(id="a"), event(**({"id": "a"} | fields))]))
    reason = "conflict" if outcome == "rejected" else None
    assert found[None, outcome, reason] == (2 if outcome == "accepted" else 1)


def test_a_rejected_event_still_holds_its_key() -> None:
    outcome = meter([event("1e400", id="a"), event(1, id="a"), event("10e399", id="a")])
    assert reasons(outcome) == ["conflict", "number_out_of_range"]
    assert totals(outcome)[None, "duplicate", None] == 1


def test_conflicts_are_judged_by_all_meters_of_the_catalog_also_by_those_not_run() -> None:
    text = TOKENS + "  - {name: seen, event_type: use, aggregation: unique_count, value: n}\n"
    assert reasons(meter([event(1, id="a"), event("1.0", id="a")], text, meters=["tokens"])) == [
        "conflict"
    ]
    assert reasons(meter([event(1, id="a"), event("1", id="a")], text, meters=["tokens"])) == []


def test_without_an_id_the_bytes_are_the_key() -> None:
    outcome = meter([event(), event(), event() + " "])
    assert totals(outcome)[None, "duplicate", None] == 1
    assert quantities(outcome) == [2]


def test_cloudevents_are_the_same_by_source_and_id() -> None:
    head = '{"type":"use","time":"2026-01-15T10:00:00Z","data":{"n":1},"id":"1"'
    tails = ['"subject":"c","source":"s"', '"subject":"d","source":"s"', '"subject":"c"']
    outcome = meter([f"{head},{tail}}}" for tail in tails], source="cloudevents")
    assert reasons(outcome) == ["conflict"]
    assert totals(outcome)[None, "accepted", None] == 2
