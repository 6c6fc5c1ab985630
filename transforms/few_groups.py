"""Group-by of a few rows, as a micro-batch has: making a plan for Arrow would take longer."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from transforms.arrays import one_array

FEW = 4096
"""So many rows are few."""

_BITS = 32


def few_grouped(table: pa.Table, aggregates: Sequence[tuple[str, str]]) -> pa.Table | None:
    """Group a table by its int64 column `group`, as `pa.TableGroupBy` does; groups are sorted.

    Sums are of int64 and decimal128, which may not overflow; `min` and `max` of decimal128. None
    where there is something else to do, or a null.
    """
    columns = [table.column(name) for name, _ in aggregates]
    todo = [
        _WAYS.get((how, column.type.id))
        for (_, how), column in zip(aggregates, columns, strict=True)
    ]
    if not all(todo) or any(column.null_count for column in columns) or not table.num_rows:
        return None
    groups, places = np.unique(table.column("group").to_numpy(), return_inverse=True)
    done = [
        way(one_array(column), places, len(groups))
        for way, column in zip(todo, columns, strict=True)
        if way
    ]
    return pa.table([pa.array(groups), *done], ["group", *(name for name, _ in aggregates)])


def sum_of_numbers(numbers: pa.Array, places: np.ndarray, count: int) -> pa.Array:
    """The sums of int64 numbers by the place of each, for so many places."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, places, numbers.to_numpy())
    return pa.array(sums)


def _sum_of_amounts(amounts: pa.Array, places: np.ndarray, count: int) -> pa.Array:
    """Adds up four numbers of 32 bits each, and carries; a negative one is 2^128 too much."""
    words = np.empty((count, 4), np.uint32)
    carry = np.zeros(count, np.uint64)
    limbs = _words(amounts, np.uint32).astype(np.uint64)
    for place in range(4):
        sums = carry.copy()
        np.add.at(sums, places, limbs[:, place])
        words[:, place] = sums & np.uint64(2**_BITS - 1)
        carry = sums >> np.uint64(_BITS)
    return _amounts(words, amounts.type)


def _least(amounts: pa.Array, places: np.ndarray, count: int) -> pa.Array:
    order, ends = _ordered(amounts, places, count)
    return _picked(amounts, order[np.append(0, ends[:-1])])


def _greatest(amounts: pa.Array, places: np.ndarray, count: int) -> pa.Array:
    order, ends = _ordered(amounts, places, count)
    return _picked(amounts, order[ends - 1])


def _ordered(amounts: pa.Array, places: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows by group and amount, and where each group ends."""
    words = _words(amounts, np.uint64)
    order = np.lexsort((words[:, 0], words[:, 1].view(np.int64), places))
    return order, np.cumsum(np.bincount(places, minlength=count))


def _picked(amounts: pa.Array, rows: np.ndarray) -> pa.Array:
    return _amounts(_words(amounts, np.uint64)[rows], amounts.type)


def _words(amounts: pa.Array, kind: type[np.generic]) -> np.ndarray:
    """The little-endian words of amounts, a row each."""
    each = 16 // np.dtype(kind).itemsize
    words = np.frombuffer(amounts.buffers()[1], kind, each * len(amounts), 16 * amounts.offset)
    return words.reshape(-1, each)


def _amounts(words: np.ndarray, kind: pa.DataType) -> pa.Array:
    return pa.Array.from_buffers(kind, len(words), [None, pa.py_buffer(words)])


_Way = Callable[[pa.Array, np.ndarray, int], pa.Array]
_NUMBER, _AMOUNT = pa.int64().id, pa.decimal128(38, 18).id
_WAYS: dict[tuple[str, int], _Way] = {
    ("sum", _NUMBER): sum_of_numbers,
    ("sum", _AMOUNT): _sum_of_amounts,
    ("min", _AMOUNT): _least,
    ("max", _AMOUNT): _greatest,
}
