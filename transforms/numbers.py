"""Quantities read from text: exactly, within |value| < 10^20 and 18 decimals."""

import re
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.tables import AMOUNT

JSON_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
DECIMALS = 18
WHOLE_DIGITS = 20
_NUMBER = re.compile(JSON_NUMBER)
_SHORT = r"^-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?$"
_BOUND = pa.scalar(Decimal(10) ** 19, pa.decimal128(38, 18))


def is_number(text: str) -> bool:
    """Whether the text is just one number in JSON's syntax."""
    return _NUMBER.fullmatch(text) is not None


def in_range(digits: str) -> Decimal | None:
    """The value of a canonical number (`-15e-1`), or None where DECIMAL(38,18) cannot hold it."""
    mantissa, _, exponent = digits.partition("e")
    power = int(exponent or 0) if len(exponent) < WHOLE_DIGITS else WHOLE_DIGITS
    count = len(mantissa.lstrip("-"))
    if mantissa != "0" and (power < -DECIMALS or count + power > WHOLE_DIGITS):
        return None
    return Decimal(f"{mantissa}e{power}")  # from text: exact, whatever the context's precision


def short_numbers(texts: pa.StringArray) -> tuple[pa.Array, np.ndarray]:
    """Texts that hold a plain number of at most 19 + 18 digits, as amounts.

    Returns the amounts (null where the text is null or is something else) and a mask of the texts
    that are something else: longer numbers, exponents, no numbers at all.
    """
    plain = pc.match_substring_regex(texts, _SHORT)
    odd = pc.fill_null(pc.invert(plain), fill_value=False)
    return pc.cast(pc.if_else(plain, texts, None), AMOUNT), mask(odd)


def too_great(amounts: pa.Array) -> np.ndarray:
    """Which amounts are 10^19 or more in size: the exact path must look at their range."""
    extremes = pc.min_max(amounts).as_py()
    if extremes["min"] is None or max(-extremes["min"], extremes["max"]) < _BOUND.as_py():
        return np.zeros(len(amounts), bool)
    return mask(pc.fill_null(pc.greater_equal(pc.abs(amounts), _BOUND), fill_value=False))


def mask(booleans: pa.Array) -> np.ndarray:
    """A boolean Arrow array without nulls as a NumPy mask."""
    return booleans.to_numpy(zero_copy_only=False).astype(bool)
