"""The graph behind Dataflow's own source, which gives messages in any order, on an engine here."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count

import apache_beam as beam
import pytest
from apache_beam.coders import PickleCoder
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.testing import test_stream
from apache_beam.transforms.window import TimestampedValue

from live_graph import TOKENS, Tables, assert_balanced, stamp, stream, use
from pipelines import gather_messages
from pipelines.fixed_rates import FixedRates
from pipelines.gather_messages import ReadOnDataflow

Published = tuple[str, Sequence[str]]  # a moment, and messages that come in one bundle
_IDS = count()


def _messages(bundles: Sequence[Published]) -> Iterator[tuple[str, list[PubsubMessage]]]:
    for at, lines in bundles:
        published = datetime.fromtimestamp(float(stamp(at)), UTC)
        named = [(line.encode(), {}, f"m{next(_IDS)}", published) for line in lines]
        yield at, [PubsubMessage(*each) for each in named]


def _given(bundles: Sequence[Published], passed: str | None) -> beam.PTransform:
    events = test_stream.TestStream(coder=PickleCoder())
    for at, messages in _messages(bundles):
        events.add_elements([TimestampedValue(each, stamp(at)) for each in messages])
        if passed:
            events.advance_watermark_to(stamp(passed))
            passed = None
    return events.advance_watermark_to_infinity()


def gathered(
    monkeypatch: pytest.MonkeyPatch, *bundles: Published, passed: str | None = None
) -> Tables:
    """What is written of messages whose watermark is at a moment from the first bundle on."""
    given = _given(bundles, passed)
    monkeypatch.setattr(gather_messages, "ReadFromPubSub", lambda **_: given)
    read = ReadOnDataflow("pubsub://project/calls", 100, FixedRates(None))
    return stream(TOKENS, read=read, series_buckets=3)


ORDERS = {
    "equal": ["10:40", "10:40", "10:40", "10:40"],
    "growing": ["10:40", "10:41", "10:42", "10:43"],
    "falling": ["10:43", "10:42", "10:41", "10:40"],
}


@pytest.mark.parametrize("passed", [None, "10:45", "15:00"])
@pytest.mark.parametrize("order", ORDERS)
def test_stamps_may_be_equal_go_back_and_be_behind_the_watermark(
    monkeypatch: pytest.MonkeyPatch, order: str, passed: str | None
) -> None:
    first, again = use(1, id="a", arrives="10:40"), use(1, id="a", arrives="10:41")
    lines = (
        [first, use(2, id="b"), "nonsense"],
        [again, use(4, id="c")],
        [use(1, id="a", arrives="10:42"), use(8, id="d", at="11:10")],
        [use(16, id="late", arrives="13:00")],
    )
    bundles = list(zip(ORDERS[order], lines, strict=True))
    tables = gathered(monkeypatch, *bundles, passed=passed)
    assert tables.current("event_count", "quantity") == [(1, 8), (3, 7)]
    reasons = sorted((row["reason"], row["payload"] is None) for row in tables.rows("rejects"))
    assert reasons == [("not_json", False), ("too_late", True)]
    ledger = tables.ledger()
    assert (ledger[None, "received", None], ledger[None, "duplicate", None]) == (8, 2)
    assert_balanced(tables)
