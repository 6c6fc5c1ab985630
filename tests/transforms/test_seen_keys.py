"""What a bucket has seen decides like a plain dict that is asked record by record."""

# ruff: noqa: SLF001 - how runs are merged is looked at from inside

from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms import seen_keys
from transforms.seen_keys import ACCEPTED, CONFLICT, DUPLICATE, Horizon, SeenKeys, join_segments
from transforms.sorted_keys import SortedKeys

LENGTH, GRACE = 32_000_000, 1_000_000  # µs
HORIZON = Horizon(LENGTH)

Record = tuple[tuple[int, int], int, int]  # key, digest, arrival µs


@dataclass
class Told:
    """The rule itself: who holds each key, and since when."""

    holders: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def verdict(self, record: Record, stamp: int) -> int:
        """One record at a time."""
        key, digest, arrival = record
        if key in self.holders:
            said, since = self.holders[key]
            if arrival <= since + LENGTH and stamp <= since + LENGTH + GRACE:
                return DUPLICATE if said == digest else CONFLICT
        long_ago = arrival < stamp - GRACE
        self.holders[key] = digest, stamp if long_ago else arrival
        return ACCEPTED


def judged(seen: SeenKeys, records: list[Record], stamp: int) -> tuple[list[int], SortedKeys]:
    keys = np.array([key for key, _, _ in records], np.uint64).reshape(-1, 2)
    digest = np.array([digest for _, digest, _ in records], np.uint64)
    arrival = np.array([arrival for _, _, arrival in records], np.int64)
    verdict, holders = seen.judge(keys[:, 0], keys[:, 1], digest, arrival, stamp)
    return verdict.tolist(), holders


def put(seen: SeenKeys, records: list[Record], stamp: int) -> list[int]:
    verdict, keys = judged(seen, records, stamp)
    seen.add(keys)
    return verdict


HALVES = st.sampled_from([0, 1, (1 << 64) - 1])
LAGS = st.sampled_from([0, 1, GRACE, GRACE + 1, LENGTH, LENGTH + GRACE, LENGTH + GRACE + 1])
SHIFTS = st.one_of(st.integers(-2, 2), LAGS, LAGS.map(lambda lag: -lag))
RECORDS = st.tuples(st.tuples(HALVES, HALVES), st.integers(0, 1), SHIFTS)
ELEMENTS = st.tuples(
    st.one_of(st.integers(1_000, 2_000), LAGS.filter(bool)),  # how much later than the one before
    st.lists(RECORDS, max_size=8),  # with the arrival as seen from the stamp
    st.sampled_from(["", "", "forget", "rebuild", "rebuild from joined segments"]),
)


@given(st.lists(ELEMENTS, max_size=12), st.booleans())
def test_verdicts_are_those_of_the_rule(elements: list, long_runs: bool) -> None:
    told, seen = Told(), SeenKeys(HORIZON)
    segments: list[bytes] = []
    stamp = 1_000_000_000
    with patch.object(seen_keys, "_LONGEST", seen_keys._LONGEST if long_runs else 3):
        for later, shifted, then in elements:
            stamp += later
            records = [(key, digest, stamp + shift) for key, digest, shift in shifted]
            records.sort(key=lambda record: record[2])
            verdict, keys = judged(seen, records, stamp)
            assert verdict == [told.verdict(record, stamp) for record in records]
            seen.add(keys)
            segments.append(keys.to_bytes())
            if then == "forget":
                seen.forget(stamp + 1)
                segments = seen.segments()
            elif then:
                if "joined" in then:
                    segments = [join_segments(segments)]
                seen = SeenKeys(HORIZON, reversed(segments))


@given(
    st.lists(st.tuples(HALVES, HALVES, st.integers(0, 1), st.integers(0, 3)), max_size=30),
    st.data(),
)
def test_arrivals_in_order_are_judged_alike_however_they_are_cut(
    drawn: list, data: st.DataObject
) -> None:
    steps = np.cumsum([[0, 1, LENGTH, LENGTH + 1][each[3]] for each in drawn]).tolist()
    records = [((h, lo), d, at) for (h, lo, d, _), at in zip(drawn, steps, strict=True)]
    whole = put(SeenKeys(HORIZON), records, 0)
    seen, cut = SeenKeys(HORIZON), []
    while len(cut) < len(records):
        some = records[len(cut) : len(cut) + data.draw(st.integers(1, 5))]
        cut += put(seen, some, some[0][2])
    assert cut == whole


def test_a_key_is_held_for_just_the_horizon() -> None:
    key = (7, 7)
    for late, expected in ((LENGTH, DUPLICATE), (LENGTH + 1, ACCEPTED)):
        seen = SeenKeys(HORIZON)
        put(seen, [(key, 5, 100)], 100)
        assert put(seen, [(key, 5, 100 + late)], 100 + late) == [expected]


def test_a_record_that_arrived_before_its_holder_is_judged_too() -> None:
    seen = SeenKeys(HORIZON)
    put(seen, [((7, 7), 5, 100)], 100)
    assert put(seen, [((7, 7), 6, 50)], 101) == [CONFLICT]


def test_a_later_holder_takes_the_place_of_the_first() -> None:
    seen = SeenKeys(HORIZON)
    put(seen, [((7, 7), 5, 0)], 0)
    assert put(seen, [((7, 7), 6, LENGTH + 1)], LENGTH + 1) == [ACCEPTED]
    assert put(seen, [((7, 7), 6, LENGTH + 2)], LENGTH + 2) == [DUPLICATE]
    assert put(seen, [((7, 7), 5, LENGTH + 3)], LENGTH + 3) == [CONFLICT]


def test_repeats_in_a_file_of_last_month_are_found_although_the_stream_is_at_today() -> None:
    seen = SeenKeys(HORIZON)
    today = 100 * LENGTH
    assert put(seen, [((7, 7), 5, 0)], today) == [ACCEPTED]
    seen.forget(today + 1_000)
    assert put(seen, [((7, 7), 5, 2)], today + 1_000) == [DUPLICATE]


def test_a_key_is_forgotten_when_it_is_due_and_no_sooner() -> None:
    seen = SeenKeys(HORIZON)
    put(seen, [((7, 7), 5, 100), ((8, 8), 5, 5_000_000)], 100)
    assert seen.due is not None
    assert seen.due - (100 + LENGTH) <= 2 * GRACE
    seen.forget(100 + LENGTH + GRACE)
    assert len(seen) == 2
    seen.forget(seen.due)
    assert len(seen) == 1
    assert seen.due is not None
    seen.forget(seen.due)
    assert (len(seen), seen.due, seen.segments()) == (0, None, [])


@given(st.integers(1, 40_000_000), st.integers(-(1 << 55), 1 << 55))
def test_what_is_due_no_later_stamp_can_see(length: int, since: int) -> None:
    horizon = Horizon(length)
    due = horizon.due(since)
    assert due % 1_000 == 0
    assert not horizon.visible(np.array([since]), due).any()
    assert horizon.visible(np.array([since]), due - 2 * horizon.grace_us).all()


def test_many_keys_are_found_in_few_runs() -> None:
    chance = np.random.default_rng(1)
    seen, total = SeenKeys(HORIZON), 100_000
    high, low = chance.integers(0, 1 << 63, (2, total), np.uint64)
    for start in range(0, total, 1_000):
        rows = slice(start, start + 1_000)
        _, keys = seen.judge(high[rows], low[rows], low[rows], np.arange(1_000), 0)
        seen.add(keys)
    assert len(seen) == total
    assert len(seen._runs) < 8
    verdict, keys = seen.judge(high, low, low, np.arange(total), 0)
    assert set(verdict.tolist()) == {DUPLICATE}
    assert len(keys) == 0
    assert seen.nbytes == 32 * total
