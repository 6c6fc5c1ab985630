"""Sorted keys find and merge like a dict, also where keys share their high half."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.sorted_keys import SortedKeys, order_by_key

HALVES = st.sampled_from([0, 1, 2, 1 << 63, (1 << 64) - 1])
KEYS = st.tuples(HALVES, HALVES)
HOLDERS = st.tuples(st.integers(0, (1 << 64) - 1), st.integers(-5, 5))  # digest, since
Holders = dict[tuple[int, int], tuple[int, int]]


def of(holders: Holders) -> SortedKeys:
    rows = [(*key, *holders[key]) for key in sorted(holders)]
    columns = list(zip(*rows, strict=True)) or [()] * 4
    kinds = (np.uint64, np.uint64, np.uint64, np.int64)
    return SortedKeys(*(np.array(c, kind) for c, kind in zip(columns, kinds, strict=True)))


def holders_of(keys: SortedKeys) -> Holders:
    rows = list(zip(*(column.tolist() for column in keys.columns), strict=True))
    assert [row[:2] for row in rows] == sorted({row[:2] for row in rows})
    return {(high, low): (digest, since) for high, low, digest, since in rows}


def halves(keys: Iterable[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array([*keys], np.uint64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


@given(st.dictionaries(KEYS, HOLDERS), st.lists(KEYS))
def test_the_place_of_a_key_is_where_it_would_be_sorted(held: Holders, asked: list[tuple]) -> None:
    at, found = of(held).place(*halves(asked))
    assert at.tolist() == [sum(key < each for key in held) for each in asked]
    assert found.tolist() == [each in held for each in asked]


@given(st.dictionaries(KEYS, HOLDERS), st.dictionaries(KEYS, HOLDERS))
def test_merged_keys_are_all_of_them_and_the_later_ones_hold(one: Holders, two: Holders) -> None:
    assert holders_of(of(one).merged(of(two))) == one | two


@given(st.lists(st.dictionaries(KEYS, HOLDERS)))
def test_segments_give_each_key_to_whom_holds_it_last(parts: list[Holders]) -> None:
    expected: Holders = {}
    for part in parts:
        for key, holder in part.items():
            if key not in expected or holder[1] > expected[key][1]:
                expected[key] = holder
    keys = SortedKeys.of(of(part).to_bytes() for part in parts)
    found = holders_of(keys)
    assert {key: since for key, (_, since) in found.items()} == {
        key: since for key, (_, since) in expected.items()
    }
    for key, holder in found.items():
        assert any(part.get(key) == holder for part in parts)


@given(st.lists(KEYS))
def test_the_rows_of_one_key_stay_in_their_order(keys: list[tuple[int, int]]) -> None:
    order = order_by_key(*halves(keys)).tolist()
    assert order == sorted(range(len(keys)), key=lambda row: keys[row])


@given(st.dictionaries(KEYS, HOLDERS, min_size=1))
def test_a_key_takes_32_bytes_of_state(held: Holders) -> None:
    assert len(of(held).to_bytes()) == 32 * len(held) + 1


def test_state_of_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="another version"):
        SortedKeys.of([b"\x02" + bytes(32)])
