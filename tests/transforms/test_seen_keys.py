"""What a bucket has seen decides like a plain dict that is asked record by record."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from key_rows import of_32_bytes
from transforms import key_runs
from transforms.lengths import LONGEST_US
from transforms.seen_keys import ACCEPTED, CONFLICT, DUPLICATE, Horizon, SeenKeys
from transforms.sorted_keys import SortedKeys, join_segments
from transforms.timestamps import FIRST, LAST

LENGTH, GRACE = 32_000_000, 1_000_000  # µs
HORIZON = Horizon(LENGTH)
TODAY = 1_800_000_000_000_000
SAYS, ELSE = 5 << 27, 6 << 27  # digests

Record = tuple[tuple[int, int], int, int]  # key, digest, arrival µs
Lag = tuple[int, int, int]  # horizons, graces, µs


@dataclass
class Told:
    """The rule itself: who holds each key, and since when."""

    length: int
    grace: int
    holders: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def verdict(self, record: Record, stamp: int) -> int:
        """One record at a time."""
        key, digest, arrival = record
        if key in self.holders:
            said, since = self.holders[key]
            if arrival <= since + self.length and stamp <= since + self.length + self.grace:
                return DUPLICATE if said == digest else CONFLICT
        long_ago = arrival < stamp - self.grace
        self.holders[key] = digest, stamp if long_ago else arrival
        return ACCEPTED

    def after(self, lag: Lag) -> int:
        """A lag in µs."""
        horizons, graces, more = lag
        return horizons * self.length + graces * self.grace + more


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


def run_lengths(short: bool) -> AbstractContextManager[object]:
    """Lengths of runs and leaves so short that a few keys are merged, handed out and cut."""
    if not short:
        return nullcontext()
    return patch.multiple(key_runs, _SHORT=1, _RATIO=2, _SHARE=2, _LONGEST=4, _SEGMENT=2)


HIGHS = st.sampled_from([0, 1, 2, 1 << 63, (1 << 64) - 1])
LOWS = st.sampled_from([0, 1 << 32, (1 << 64) - 1])  # their upper halves tell keys apart
DIGESTS = st.sampled_from([0, 1 << 27, (1 << 64) - 1])  # of which 37 bits count
LAGS = st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(-1, 1))
SHIFTS = st.one_of(LAGS, LAGS.map(lambda lag: (-lag[0], -lag[1], -lag[2])))
RECORDS = st.tuples(st.tuples(HIGHS, LOWS), DIGESTS, SHIFTS)
ELEMENTS = st.tuples(
    st.one_of(st.integers(0, 10).map(lambda ms: (0, 0, 1_000 * ms)), LAGS),  # after the one before
    st.lists(RECORDS, max_size=8),  # with the arrival as seen from the stamp
    st.sampled_from(["", "", "", "forget", "rebuild", "join", "go on from an older version"]),
)


def rebuilt(how: str, segments: list[bytes]) -> list[bytes]:
    """State as another worker may find it."""
    if how == "join":
        return [join_segments(segments)]
    if "older" in how:
        segments = [of_32_bytes(SortedKeys.of([segment])) for segment in segments]
    return segments[::-1]


@pytest.mark.parametrize(
    ("length", "start"),
    [
        (LENGTH, TODAY),
        (LENGTH, FIRST + 20 * LENGTH),
        (LENGTH, LAST - 30 * LENGTH),
        (LONGEST_US, TODAY),
        (1_000, TODAY),
    ],
)
@given(elements=st.lists(ELEMENTS, max_size=12), short=st.booleans())
def test_verdicts_are_those_of_the_rule(
    length: int, start: int, elements: list, short: bool
) -> None:
    horizon = Horizon(length)
    told, seen = Told(length, horizon.grace_us), SeenKeys(horizon)
    segments: list[bytes] = []
    stamp = start
    with run_lengths(short):
        for later, shifted, then in elements:
            stamp += max(told.after(later), 0)
            records = [(key, digest, stamp + told.after(lag)) for key, digest, lag in shifted]
            records.sort(key=lambda record: record[2])
            verdict, keys = judged(seen, records, stamp)
            assert verdict == [told.verdict(record, stamp) for record in records]
            seen.add(keys)
            segments.append(keys.to_bytes())
            if then == "forget":
                seen.forget(stamp)
                segments = seen.segments()
            elif then:
                segments = rebuilt(then, segments)
                seen = SeenKeys(horizon, segments)


@given(
    st.lists(st.tuples(HIGHS, LOWS, DIGESTS, st.integers(0, 3)), max_size=30),
    st.booleans(),
    st.data(),
)
def test_arrivals_in_order_are_judged_alike_however_they_are_cut(
    drawn: list, short: bool, data: st.DataObject
) -> None:
    steps = np.cumsum([[0, 1, LENGTH, LENGTH + 1][each[3]] for each in drawn]).tolist()
    records = [((h, lo), d, at) for (h, lo, d, _), at in zip(drawn, steps, strict=True)]
    whole = put(SeenKeys(HORIZON), records, 0)
    seen, cut = SeenKeys(HORIZON), []
    with run_lengths(short):
        while len(cut) < len(records):
            some = records[len(cut) : len(cut) + data.draw(st.integers(1, 5))]
            cut += put(seen, some, some[0][2])
    assert cut == whole


@given(st.lists(st.tuples(HIGHS, LOWS, DIGESTS, LAGS), min_size=1, max_size=12), st.data())
def test_records_may_stand_in_any_order_if_it_is_said_in_which_they_arrived(
    drawn: list, data: st.DataObject
) -> None:
    told = Told(LENGTH, GRACE)
    records = [((high, low), digest, told.after(lag)) for high, low, digest, lag in drawn]
    records.sort(key=lambda record: record[2])
    stand = np.array(data.draw(st.permutations(range(len(records)))))
    high, low = np.array([record[0] for record in records], np.uint64)[stand].T
    digest = np.array([record[1] for record in records], np.uint64)[stand]
    arrival = np.array([record[2] for record in records], np.int64)[stand]
    verdict, _ = SeenKeys(HORIZON).judge(high, low, digest, arrival, 0, stand.argsort)
    expected = np.array([told.verdict(record, 0) for record in records])
    assert verdict.tolist() == expected[stand].tolist()


def test_a_key_is_held_for_just_the_horizon() -> None:
    key = (7, 7)
    for late, expected in ((LENGTH, DUPLICATE), (LENGTH + 1, ACCEPTED)):
        seen = SeenKeys(HORIZON)
        put(seen, [(key, SAYS, 100)], 100)
        assert put(seen, [(key, SAYS, 100 + late)], 100 + late) == [expected]


def test_a_record_that_arrived_before_its_holder_is_judged_too() -> None:
    seen = SeenKeys(HORIZON)
    put(seen, [((7, 7), SAYS, 100)], 100)
    assert put(seen, [((7, 7), ELSE, 50)], 101) == [CONFLICT]


def test_a_later_holder_takes_the_place_of_the_first() -> None:
    seen = SeenKeys(HORIZON)
    put(seen, [((7, 7), SAYS, 0)], 0)
    assert put(seen, [((7, 7), ELSE, LENGTH + 1)], LENGTH + 1) == [ACCEPTED]
    assert put(seen, [((7, 7), ELSE, LENGTH + 2)], LENGTH + 2) == [DUPLICATE]
    assert put(seen, [((7, 7), SAYS, LENGTH + 3)], LENGTH + 3) == [CONFLICT]


def test_repeats_in_a_file_of_last_month_are_found_although_the_stream_is_at_today() -> None:
    seen = SeenKeys(HORIZON)
    today = 100 * LENGTH
    assert put(seen, [((7, 7), SAYS, 0)], today) == [ACCEPTED]
    seen.forget(today + 1_000)
    assert put(seen, [((7, 7), SAYS, 2)], today + 1_000) == [DUPLICATE]


def test_a_key_is_forgotten_when_it_is_due_and_no_sooner() -> None:
    seen = SeenKeys(HORIZON)
    put(seen, [((7, 7), SAYS, 100), ((8, 8), SAYS, 5_000_000)], 100)
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


def test_a_stream_that_held_its_keys_in_32_bytes_goes_on() -> None:
    before = SeenKeys(HORIZON)
    put(before, [((7, 7 << 32), SAYS, 100), ((8, 8 << 32), SAYS, 200)], 100)
    segments = [of_32_bytes(SortedKeys.of(before.segments()))]
    seen = SeenKeys(HORIZON, segments)
    assert seen.due == before.due
    again = [((7, 7 << 32), SAYS, 300), ((8, 8 << 32), ELSE, 300), ((9, 9), SAYS, 300)]
    assert put(seen, again, 300) == [DUPLICATE, CONFLICT, ACCEPTED]
    mixed = SeenKeys(HORIZON, [*segments, *seen.segments()])
    told = put(mixed, [((9, 9), SAYS, 400), *again], 400)
    assert told == [DUPLICATE, DUPLICATE, CONFLICT, DUPLICATE]


def test_many_keys_take_24_bytes_each_and_are_found() -> None:
    seen, total = SeenKeys(HORIZON), 100_000
    high, low = np.random.default_rng(1).integers(0, 1 << 63, (2, total), np.uint64)
    with patch.object(key_runs, "_LONGEST", 10_000):
        for start in range(0, total, 1_000):
            rows = slice(start, start + 1_000)
            _, keys = seen.judge(high[rows], low[rows], low[rows], np.arange(1_000), 0)
            seen.add(keys)
    assert len(seen) == total
    assert seen.nbytes == 24 * total
    assert sum(map(len, seen.segments())) <= 24 * total + 100
    for again in (seen, SeenKeys(HORIZON, seen.segments())):
        verdict, keys = again.judge(high, low, low, np.arange(total), 0)
        assert set(verdict.tolist()) == {DUPLICATE}
        assert len(keys) == 0
        verdict, _ = again.judge(high, low, ~low, np.arange(total), 0)
        assert set(verdict.tolist()) == {CONFLICT}
        again.forget(LENGTH + GRACE + 500)
        assert len(again) == total // 2
