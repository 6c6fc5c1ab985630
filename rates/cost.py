"""What quantities cost: exact for every amount and price, rounded once.

The cost is quantity * unit_price / per, to 18 decimals, a half going to the even neighbour. Counted
in 10^-18 this is one whole number times a second, divided by a third. The division is by one
divisor after the other: floor(floor(x / a) / b) = floor(x / (a * b)), and x is a multiple of a * b
only where no step leaves a remainder. The numerator is doubled, so that the last bit of the
quotient is the half to be rounded.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rates import limbs
from rates.book import RateBook

SCALE = 18


def costs(
    book: RateBook, quantity: pa.Array, index: npt.NDArray[np.int32]
) -> tuple[pa.Array, limbs.Flags]:
    """Price a column of quantities, each at the rate that `index` gives (its place in the book).

    Quantities are decimal128 or decimal256 with 18 decimals. Returns the costs, DECIMAL(38,18),
    and where they are null because they do not fit that; they are null too where the quantity is
    or where the index is -1. Raises TypeError for any other column.
    """
    if isinstance(quantity, pa.ChunkedArray):
        quantity = quantity.combine_chunks()
    if not pa.types.is_decimal(quantity.type) or quantity.type.scale != SCALE:
        raise TypeError(f"a quantity is a decimal with {SCALE} decimals, not {quantity.type}")
    if (index < 0).all():
        return pa.nulls(len(index), pa.decimal128(38, SCALE)), np.zeros(len(index), bool)
    ratios = book.ratios
    magnitude, negative = limbs.read(quantity)
    doubled = limbs.times(magnitude, [limb[index] for limb in ratios.doubled])
    inexact = np.zeros(len(index), bool)
    for divisor in ratios.divisors:
        doubled, remainder = limbs.divide(doubled, divisor[index])
        inexact |= remainder != 0
    rounded = limbs.halve_to_even(doubled, inexact)
    valid = np.asarray(quantity.is_valid()) & (index >= 0)
    for row in np.flatnonzero(ratios.unsplit[index] & valid).tolist():
        ratio = ratios.exact[index[row]]
        whole = _divided(limbs.number(magnitude, row) * abs(ratio.numerator), ratio.denominator)
        # a number that does not fit need not be kept
        rounded = limbs.put(rounded, row, min(whole, limbs.TOO_LARGE))
    return limbs.write(rounded, negative ^ ratios.negative[index], valid)


def _divided(number: int, divisor: int) -> int:
    quotient, remainder = divmod(number, divisor)
    up = 2 * remainder > divisor or (2 * remainder == divisor and quotient % 2 == 1)
    return quotient + up
