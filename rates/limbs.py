"""Whole numbers wider than a machine word, a column at a time.

A column is a list of limbs: arrays of uint64 that hold 32 bits each, the lowest first, so that a
product of two limbs with two carries still fits 64 bits. Signs are kept apart.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

BITS = np.uint64(32)
LOW = np.uint64(2**32 - 1)
TOO_LARGE = 10**38  # for the digits of DECIMAL(38,18)

Limb = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]


def read(decimals: pa.Array) -> tuple[list[Limb], Flags]:
    """Return the unscaled magnitudes of a decimal column, and where they are negative.

    Null rows hold anything.
    """
    width = decimals.type.byte_width // 4
    start, count = decimals.offset * width, len(decimals) * width
    words = np.frombuffer(decimals.buffers()[1], "<u4", start + count)[start:].reshape(-1, width)
    negative = words[:, -1] >= 2**31
    flip = np.where(negative, LOW, np.uint64(0))
    carry = negative.astype(np.uint64)
    limbs = []
    for place in range(width):
        total = (words[:, place] ^ flip) + carry
        limbs.append(total & LOW)
        carry = total >> BITS
    return trimmed(limbs), negative


def trimmed(limbs: list[Limb]) -> list[Limb]:
    """Leave out the highest limbs where they are zero in every row."""
    while len(limbs) > 1 and not limbs[-1].any():
        limbs = limbs[:-1]
    return limbs


def times(limbs: Sequence[Limb], factor: Sequence[Limb]) -> list[Limb]:
    """Multiply two columns, row by row."""
    product: list[Limb] = [np.zeros_like(limbs[0]) for _ in range(len(limbs) + len(factor))]
    for low, one in enumerate(limbs):
        carry = np.zeros_like(one)
        for high, other in enumerate(factor, low):
            total = one * other + product[high] + carry
            product[high] = total & LOW
            carry = total >> BITS
        product[low + len(factor)] = carry
    return trimmed(product)


def divide(limbs: Sequence[Limb], divisor: Limb) -> tuple[list[Limb], Limb]:
    """Divide a column by one of single limbs, row by row: the quotient and the remainder."""
    quotient = list(limbs)
    remainder = np.zeros_like(divisor)
    for place in reversed(range(len(limbs))):
        total = (remainder << BITS) | limbs[place]
        quotient[place] = total // divisor
        remainder = total - quotient[place] * divisor
    return trimmed(quotient), remainder


def halve_to_even(limbs: Sequence[Limb], inexact: Flags) -> list[Limb]:
    """Halve a column, a half going to the even neighbour; `inexact`: the row is a little more."""
    half = (limbs[0] & np.uint64(1)).astype(bool)
    above = [*limbs[1:], np.zeros_like(limbs[0])]
    halved = [
        (limb >> np.uint64(1)) | ((upper & np.uint64(1)) << np.uint64(31))
        for limb, upper in zip(limbs, above, strict=True)
    ]
    odd = (halved[0] & np.uint64(1)).astype(bool)
    carry = (half & (inexact | odd)).astype(np.uint64)
    for place, limb in enumerate(halved):
        halved[place] = (limb + carry) & LOW
        carry = (limb + carry) >> BITS
    return trimmed([*halved, carry])


def number(limbs: Sequence[Limb], row: int) -> int:
    """Return one row of a column as a number."""
    return sum(int(limb[row]) << 32 * place for place, limb in enumerate(limbs))


def put(limbs: Sequence[Limb], row: int, value: int) -> list[Limb]:
    """Set one row of a column to a number below 2^128."""
    padded = [*limbs, *(np.zeros_like(limbs[0]) for _ in range(len(limbs), 4))]
    for place, limb in enumerate(padded):
        limb[row] = value >> 32 * place & (2**32 - 1)
    return padded


def write(limbs: Sequence[Limb], negative: Flags, valid: Flags) -> tuple[pa.Array, Flags]:
    """Return a column of DECIMAL(38,18), and which valid rows are null as they do not fit it."""
    zero = np.zeros_like(limbs[0])
    low, high = ((*limbs, *[zero] * 4)[place : place + 2] for place in (0, 2))
    words = np.empty((len(zero), 2), "<u8")
    words[:, 0] = low[0] | (low[1] << BITS)
    words[:, 1] = high[0] | (high[1] << BITS)
    limit_high, limit_low = divmod(TOO_LARGE, 2**64)
    over = (words[:, 1] > limit_high) | ((words[:, 1] == limit_high) & (words[:, 0] >= limit_low))
    for limb in limbs[4:]:
        over |= limb != 0
    # two's complement: the high word takes the carry where the low one is zero
    words[negative] = ~words[negative]
    words[negative, 0] += np.uint64(1)
    words[negative, 1] += (words[negative, 0] == 0).astype(np.uint64)
    mask = np.packbits(valid & ~over, bitorder="little")
    buffers = [pa.py_buffer(mask), pa.py_buffer(words)]
    return pa.Array.from_buffers(pa.decimal128(38, 18), len(words), buffers), valid & over
