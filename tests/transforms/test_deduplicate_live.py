"""In a stream the first that is processed holds its key, as long as the horizon says."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.coders import BytesCoder, TupleCoder, VarIntCoder
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import test_stream as scripted
from apache_beam.transforms.window import TimestampedValue
from apache_beam.typehints import KV
from hypothesis import given
from hypothesis import strategies as st

from pipelines.prism import get_prism
from readings_rows import SLOTS, TYPES, Row, catalog, readings
from transforms.arrow_coder import to_bytes
from transforms.content_digest import ContentDigests
from transforms.deduplicate import Deduplicator
from transforms.deduplicate_live import DeduplicateLive, judge, outcomes
from transforms.held_state import HELD
from transforms.kernel import Tagged
from transforms.run import Run
from transforms.seen_keys import ACCEPTED, CONFLICT, DUPLICATE, Horizon, SeenKeys

RUN = Run("run", 0)
HOUR = 3_600_000_000
START = 500_000 * HOUR

ROWS = st.builds(
    Row,
    key=st.tuples(st.integers(0, 2), st.sampled_from([0, 1 << 32, (1 << 64) - 1])),
    path=st.sampled_from(["/b", "/a", "/ab"]),
    offset=st.integers(0, 1 << 40),  # with the path it tells rows apart
    event_type=st.sampled_from(TYPES),
    received_at=st.integers(0, 2),
    t0=st.sampled_from([None, "", "x"]),
)


def plain(results: Sequence[Tagged]) -> dict[str, Any]:
    """Results as values that can be compared."""
    counts: Counter[Any] = Counter()
    rows: dict[str, Any] = defaultdict(list)
    for tag, value in results:
        if tag == "counts":
            counts[value[0]] += value[1]
        else:
            rows[tag] += value.to_pylist()
    for each in rows.values():
        each.sort(key=repr)
    return {**rows, "counts": counts}


def through(seen: SeenKeys, batch: pa.RecordBatch, stamp: int = 0) -> list[Tagged]:
    verdict, keys = judge(batch, ContentDigests(SLOTS), seen, stamp)
    seen.add(keys)
    return list(outcomes(RUN, batch, verdict))


@given(st.lists(ROWS, min_size=1, max_size=12, unique_by=lambda row: (row.path, row.offset)))
def test_one_element_has_the_results_of_batch(rows: list[Row]) -> None:
    batch = readings(rows)
    whole = Deduplicator(RUN, SLOTS)((0, iter([to_bytes(batch)])))
    assert plain(through(SeenKeys(Horizon(HOUR)), batch)) == plain(list(whole))


@given(
    st.lists(ROWS, min_size=1, max_size=12, unique_by=lambda row: (row.path, row.offset)),
    st.integers(1, 4),
)
def test_elements_in_order_of_arrival_have_the_results_of_batch(rows: list[Row], size: int) -> None:
    rows.sort(key=lambda row: (row.received_at, row.path, row.offset))
    seen = SeenKeys(Horizon(HOUR))
    results = [
        result
        for start in range(0, len(rows), size)
        for result in through(seen, readings(rows[start : start + size]))
    ]
    whole = Deduplicator(RUN, SLOTS)((0, iter([to_bytes(readings(rows))])))
    assert plain(results) == plain(list(whole))


@pytest.mark.parametrize("repeats", [0, 1])
def test_accepted_readings_still_name_their_rates(repeats: int) -> None:
    rows = [Row(offset=at, key=(max(at - repeats, 0), 1)) for at in range(3)]
    results = through(SeenKeys(Horizon(HOUR)), readings(rows, {b"rates": b"v2"}))
    (accepted,) = [value for tag, value in results if tag == "accepted"]
    assert accepted.num_rows == 3 - repeats
    assert accepted.schema.metadata == {b"rates": b"v2"}


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_accepted_readings_are_given_as_they_came(repeats: list[bool]) -> None:
    seen = SeenKeys(Horizon(HOUR))
    rows = [Row(key=(at, 0), offset=at, t0=f"{at}") for at in range(len(repeats))]
    before = [row for row, repeat in zip(rows, repeats, strict=True) if repeat]
    through(seen, readings(before))
    whole = readings(rows)
    accepted = [value for tag, value in through(seen, whole) if tag == "accepted"]
    expected = whole.filter(pa.array([not repeat for repeat in repeats]))
    assert accepted == ([expected] if len(expected) else [])


@given(st.lists(st.tuples(st.integers(-3, 3), st.sampled_from([ACCEPTED, DUPLICATE, CONFLICT]))))
def test_an_element_is_counted_by_hour_and_outcome(drawn: list[tuple[int, int]]) -> None:
    names = {ACCEPTED: ("accepted", ""), DUPLICATE: ("duplicate", "")}
    told = Counter(
        (half // 2 * HOUR, "", *names.get(verdict, ("rejected", "conflict")))
        for half, verdict in drawn
    )
    if drawn:
        halves, verdict = map(np.array, zip(*drawn, strict=True))
        arrived = readings([Row(received_at=half * HOUR // 2) for half in halves.tolist()])
        found = [entry for tag, entry in outcomes(RUN, arrived, verdict) if tag == "counts"]
        assert len(found) == len(told)
        assert dict(found) == told


def test_an_element_without_readings_has_no_results() -> None:
    seen = SeenKeys(Horizon(HOUR))
    assert through(seen, readings([Row()]).slice(1)) == []
    assert len(seen) == 0


def test_all_rows_of_a_large_element_are_judged() -> None:
    seen = SeenKeys(Horizon(HOUR))
    keys = np.random.default_rng(1).integers(0, 5_000, 20_000).tolist()
    rows = [Row(key=(key, 0), offset=at) for at, key in enumerate(keys)]
    counts = plain(through(seen, readings(rows)))["counts"]
    distinct = len(set(keys))
    assert {key[2]: count for key, count in counts.items()} == {
        "accepted": distinct,
        "duplicate": len(rows) - distinct,
    }


GIVEN: dict[str, list[Any]] = defaultdict(list)


class Keep(beam.DoFn):
    """Keeps what comes, with its stamp, for the test: the worker is in this process."""

    def __init__(self, tag: str) -> None:
        self.tag = tag

    def process(self, value: Any, stamp: Any = beam.DoFn.TimestampParam) -> None:
        """One result."""
        GIVEN[self.tag].append((value, stamp.micros))


def prism() -> list[str]:
    """The options for Prism; a UserError says how to get it where there is none."""
    return [
        "--runner=PrismRunner",
        f"--prism_location={get_prism(PipelineOptions([]))}",
        "--prism_log_level=error",
        "--environment_type=LOOPBACK",
        "--streaming",
        "--experiments=disable_prism_server_singleton",
        # Prism splits slow bundles so that two of one key run at once, and one's writes are lost
        "--experiments=prism_disable_sdf_split",
    ]


def run_on_prism(stream: scripted.TestStream) -> dict[str, int]:
    """Runs a stream through `DeduplicateLive`; gives Beam's counters."""
    GIVEN.clear()
    pipeline = beam.Pipeline(options=PipelineOptions(prism()))
    read = pipeline | stream.with_output_types(KV[int, bytes])
    given = read | DeduplicateLive(RUN, catalog())
    for tag in ("accepted", "rejects", "counts"):
        getattr(given, tag) | f"Keep {tag}" >> beam.ParDo(Keep(tag))
    result = pipeline.run()
    assert result.wait_until_finish() == "DONE"
    counters = result.metrics().query(MetricsFilter().with_namespace("meterbeam"))["counters"]
    return {each.key.metric.name: each.result for each in counters}


def element(rows: Sequence[Row], bucket: int = 0) -> list[TimestampedValue]:
    """Rows of one bucket as an element, stamped with its first arrival."""
    stamp = min(row.received_at for row in rows)
    return [TimestampedValue((bucket, to_bytes(readings(rows))), stamp / 1e6)]


def arrived(at: int, key: int, says: str = "x") -> Row:
    return Row(key=(key, 0), offset=at, received_at=START + at, t0=says)


def test_on_an_engine_repeats_and_conflicts_are_found_across_elements() -> None:
    second = 1_000_000
    stream = scripted.TestStream(coder=TupleCoder([VarIntCoder(), BytesCoder()]))
    stream = stream.advance_watermark_to(START / 1e6)
    for at in range(20):
        now = at * second
        fresh = [arrived(now, 100 + at), arrived(now + 1, 200 + at)]
        repeat = [arrived(now + 2, 100), arrived(now + 3, 200, "y")]
        stream = stream.add_elements(element(fresh + repeat))
        stream = stream.add_elements(element([arrived(now, 100)], bucket=1))
        if at % 3 == 2:
            stream = stream.advance_watermark_to((START + now) / 1e6)
    reloaded = HELD.reloaded
    run_on_prism(stream.advance_watermark_to_infinity())
    assert HELD.reloaded == reloaded
    counts = Counter[str]()
    for (entry, count), _ in GIVEN["counts"]:
        counts[entry[2]] += count
    assert counts == {"accepted": 41, "duplicate": 39, "rejected": 20}
    assert sum(batch.num_rows for batch, _ in GIVEN["accepted"]) == 41
    details = {detail for batch, _ in GIVEN["rejects"] for detail in batch["detail"].to_pylist()}
    assert details == {"an event of this key that says something else came before"}
    assert {stamp for _, stamp in GIVEN["accepted"]} <= {START + at * second for at in range(20)}


def test_on_an_engine_the_state_is_freed_when_keys_are_due() -> None:
    stream = (
        scripted.TestStream(coder=TupleCoder([VarIntCoder(), BytesCoder()]))
        .advance_watermark_to(START / 1e6)
        .add_elements(element([arrived(0, 1), arrived(1, 2)]))
        .advance_watermark_to((START + HOUR) / 1e6)
        .add_elements(element([arrived(HOUR, 1), arrived(HOUR + 1, 2), arrived(HOUR + 2, 2)]))
        .advance_watermark_to((START + 3 * HOUR) / 1e6)
        .add_elements(element([arrived(3 * HOUR, 1)]))
        .advance_watermark_to_infinity()
    )
    held, reloaded = HELD.nbytes, HELD.reloaded
    counters = run_on_prism(stream)
    accepted = [
        (row["key_high"], stamp - START)
        for batch, stamp in GIVEN["accepted"]
        for row in batch.to_pylist()
    ]
    # of the second element only the last arrived too late to be a repeat
    assert sorted(accepted) == [(1, 0), (1, 3 * HOUR), (2, 0), (2, HOUR)]
    assert counters["keys_forgotten"] == 3
    assert HELD.nbytes == held
    assert HELD.reloaded == reloaded
