"""Amounts as the whole numbers they are inside: DECIMAL(·,18) to integers of 10^-18 and back."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.tables import AMOUNT

ONE = 10**18
WIDE = pa.decimal256(76, 18)
LIMIT = 10**38


def unscaled(amounts: pa.Array) -> list[int]:
    """The integers of 10^-18 of an amount column without nulls."""
    words = amounts.type.byte_width // 8
    data = np.frombuffer(amounts.buffers()[1], "<i8")
    rows = data[amounts.offset * words : (amounts.offset + len(amounts)) * words]
    parts = rows.reshape(-1, words)
    numbers = parts[:, -1].tolist()
    for word in reversed(range(words - 1)):
        low = parts[:, word].astype(np.uint64).tolist()
        numbers = [(n << 64) | p for n, p in zip(numbers, low, strict=True)]
    return numbers


def amounts(numbers: Iterable[int], kind: pa.DataType = AMOUNT) -> pa.Array:
    """Integers of 10^-18 as an amount column; each must fit the type."""
    width = kind.byte_width
    packed = b"".join(n.to_bytes(width, "little", signed=True) for n in numbers)
    return pa.Array.from_buffers(kind, len(packed) // width, [None, pa.py_buffer(packed)])


def greatest(column: pa.Array | pa.ChunkedArray) -> int:
    """The greatest size of any amount, as an integer of 10^-18; 0 where there is none."""
    ends = pc.min_max(column).as_py()
    if ends["min"] is None:
        return 0
    # the digits themselves: arithmetic on a Decimal would round to its context
    return max(int("".join(map(str, end.as_tuple().digits))) for end in ends.values())


def divide_half_even(numerator: int, denominator: int) -> int:
    """Numerator / denominator (above 0) to the nearest integer, a tie to the even one."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient % 2):
        quotient += 1
    return quotient
