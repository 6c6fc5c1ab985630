"""Sorted keys find and merge like a dict, also where keys share their high word."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from key_rows import of_32_bytes
from transforms.lengths import LONGEST_US
from transforms.sorted_keys import SortedKeys, join_segments, joined, key_of, said_by
from transforms.timestamps import FIRST, LAST

HIGHS = st.sampled_from([0, 1, 2, 1 << 63, (1 << 64) - 1])
RESTS = st.sampled_from([0, 1, 2, 1 << 31, (1 << 32) - 1])
KEYS = st.tuples(HIGHS, RESTS)
SAID = st.one_of(st.integers(0, (1 << 37) - 1), st.sampled_from([31, 32, (1 << 37) - 1]))
TIMES = st.one_of(st.integers(-5, 5), st.sampled_from([FIRST, LAST, LAST + LONGEST_US]))
HOLDERS = st.tuples(SAID, TIMES)
Holders = dict[tuple[int, int], tuple[int, int]]


def of(holders: Holders) -> SortedKeys:
    rows = [(*key, *holders[key]) for key in sorted(holders)]
    columns = list(zip(*rows, strict=True)) or [()] * 4
    kinds = (np.uint64, np.uint64, np.uint64, np.int64)
    return SortedKeys.pack(*(np.array(c, kind) for c, kind in zip(columns, kinds, strict=True)))


def holders_of(keys: SortedKeys) -> Holders:
    columns = (keys.high, keys.rest, keys.said, keys.since)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    assert [row[:2] for row in rows] == sorted({row[:2] for row in rows})
    return {(high, rest): (said, since) for high, rest, said, since in rows}


def words(keys: Iterable[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array([*keys], np.uint64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


@given(st.dictionaries(KEYS, HOLDERS))
def test_what_is_packed_is_read_back(held: Holders) -> None:
    keys = of(held)
    assert holders_of(keys) == held
    assert holders_of(SortedKeys.of([keys.to_bytes()])) == held
    assert keys.oldest == min((since for _, since in held.values()), default=None)


@given(st.dictionaries(KEYS, HOLDERS), st.lists(KEYS))
def test_the_place_of_a_key_is_where_it_would_be_sorted(held: Holders, asked: list[tuple]) -> None:
    at, found = of(held).place(*words(asked))
    assert at.tolist() == [sum(key < each for key in held) for each in asked]
    assert found.tolist() == [each in held for each in asked]


@given(st.dictionaries(KEYS, HOLDERS), st.dictionaries(KEYS, HOLDERS))
def test_merged_keys_are_all_of_them_and_the_later_ones_hold(one: Holders, two: Holders) -> None:
    assert holders_of(of(one).merged(of(two))) == one | two


@given(st.dictionaries(KEYS, HOLDERS), st.integers(0, 25))
def test_keys_that_were_cut_are_joined(held: Holders, cut: int) -> None:
    keys = of(held)
    assert holders_of(joined([keys.rows(slice(cut)), keys.rows(slice(cut, None))])) == held


@pytest.mark.parametrize("before", [SortedKeys.to_bytes, of_32_bytes])
@given(parts=st.lists(st.dictionaries(KEYS, HOLDERS)))
def test_segments_give_each_key_to_whom_holds_it_last(before, parts: list[Holders]) -> None:  # noqa: ANN001 - a way to bytes
    expected: Holders = {}
    for part in parts:
        for key, holder in part.items():
            if key not in expected or holder[1] > expected[key][1]:
                expected[key] = holder
    keys = SortedKeys.of(
        (before if at % 2 else SortedKeys.to_bytes)(of(part)) for at, part in enumerate(parts)
    )
    found = holders_of(keys)
    assert found == holders_of(
        SortedKeys.of([join_segments(of(part).to_bytes() for part in parts)])
    )
    assert {key: since for key, (_, since) in found.items()} == {
        key: since for key, (_, since) in expected.items()
    }
    for key, holder in found.items():
        assert any(part.get(key) == holder for part in parts)


@given(st.dictionaries(KEYS, HOLDERS, min_size=1))
def test_a_key_takes_24_bytes_of_state(held: Holders) -> None:
    assert len(of(held).to_bytes()) == 24 * len(held) + 1


def test_of_a_key_96_bits_are_kept_and_of_a_digest_37() -> None:
    high, rest = key_of(*words([((1 << 64) - 1, (1 << 64) - 1), (5, 1 << 32), (5, (1 << 32) - 1)]))
    assert (high.tolist(), rest.tolist()) == ([(1 << 64) - 1, 5, 5], [(1 << 32) - 1, 1, 0])
    digests = np.array([(1 << 64) - 1, 1 << 27, (1 << 27) - 1], np.uint64)
    assert said_by(digests).tolist() == [(1 << 37) - 1, 1, 0]


def test_state_of_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="another version"):
        SortedKeys.of([b"\x03" + bytes(24)])
