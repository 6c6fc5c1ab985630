"""What a quantity is multiplied with and divided by, as whole numbers, for each rate of a book."""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np

from rates.limbs import Flags, Limb
from rates.rate import Rate

LIMB = 2**32
SMALL_PRIMES = (2, 3, 5, 7)


class Ratios:
    """Unit price by lot for every rate, in lowest terms.

    With quantity and cost counted in 10^-18, cost = quantity * numerator / denominator. The arrays
    have a row for each rate and, at -1, one of zero for no rate. `doubled` are the limbs of twice
    the numerator, `divisors` single limbs whose product is the denominator. A denominator without
    such divisors (it has a factor over 2^32) is `unsplit`, and the ratio is in `exact` only.
    """

    def __init__(self, rates: Sequence[Rate]) -> None:
        self.exact = [Fraction(rate.unit_price) / Fraction(rate.per) for rate in rates]
        split = [_divisors(ratio.denominator) for ratio in self.exact]
        self.unsplit: Flags = np.array([not each for each in split] + [False])
        self.negative: Flags = np.array([ratio < 0 for ratio in self.exact] + [False])
        doubled = [2 * abs(ratio.numerator) for ratio in self.exact]
        self.doubled = _columns([_limbs(each) for each in doubled], 0)
        self.divisors = _columns([each or (1,) for each in split], 1)


def _limbs(number: int) -> tuple[int, ...]:
    """Split a number below 2^128; twice a price's 10^38 is below it."""
    return tuple(number >> bits & (LIMB - 1) for bits in range(0, max(number.bit_length(), 1), 32))


@lru_cache(maxsize=4096)  # rates of one kind have few denominators
def _divisors(number: int) -> tuple[int, ...]:
    """Write a number as a product of divisors below 2^32; () where this finds none."""
    divisors, product = [], 1
    for prime in SMALL_PRIMES:
        while number % prime == 0:
            number //= prime
            if product * prime >= LIMB:
                divisors.append(product)
                product = 1
            product *= prime
    if number >= LIMB:
        return ()
    if product * number < LIMB:
        return (*divisors, product * number)
    return (*divisors, product, number)


def _columns(rows: Sequence[Sequence[int]], filler: int) -> list[Limb]:
    width = max((len(row) for row in rows), default=1)
    table = np.full((len(rows) + 1, width), filler, np.uint64)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return [np.ascontiguousarray(column) for column in table.T]
