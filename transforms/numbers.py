"""Quantities read from text: exactly, within |value| < 10^20 and 18 decimals."""

import re
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import text_parts
from transforms.tables import AMOUNT

JSON_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
DECIMALS = 18
WHOLE_DIGITS = 20
_NUMBER = re.compile(JSON_NUMBER)
_SHORT = r"^-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?$"
_FEW_DIGITS = 18
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
    if not texts.null_count:
        return _short(texts)
    # none of this is free for what is null
    present = texts.is_valid()
    amounts, odd = _short(texts.drop_null())
    all_odd = np.zeros(len(texts), bool)
    all_odd[mask(present)] = odd
    return pc.replace_with_mask(pa.nulls(len(texts), AMOUNT), present, amounts), all_odd


def _short(texts: pa.StringArray) -> tuple[pa.Array, np.ndarray]:
    whole = _whole(texts)
    if whole is not None:
        return whole.cast(AMOUNT), np.zeros(len(texts), bool)
    plain = pc.match_substring_regex(texts, _SHORT)
    return pc.cast(pc.if_else(plain, texts, None), AMOUNT), ~mask(plain)


def _whole(texts: pa.StringArray) -> pa.Array | None:
    """Texts that are whole numbers of a few digits, in a tenth of the time; None if one is not."""
    bounds, chars = text_parts(texts)
    lengths = np.diff(bounds)
    if not 0 < lengths.min(initial=1) <= lengths.max(initial=1) <= _FEW_DIGITS:
        return None
    first = chars[bounds[:-1]]
    # Arrow reads `007` and `0x1f` too, and nothing else that JSON does not
    if ((first < ord("0")) | ((first == ord("0")) & (lengths > 1))).any():
        return None
    try:
        return texts.cast(pa.int64())
    except pa.ArrowInvalid:
        return None


def too_great(amounts: pa.Array) -> np.ndarray:
    """Which amounts are 10^19 or more in size: the exact path must look at their range."""
    extremes = pc.min_max(amounts).as_py()
    if extremes["min"] is None or max(-extremes["min"], extremes["max"]) < _BOUND.as_py():
        return np.zeros(len(amounts), bool)
    return mask(pc.fill_null(pc.greater_equal(pc.abs(amounts), _BOUND), fill_value=False))


def mask(booleans: pa.Array) -> np.ndarray:
    """A boolean Arrow array without nulls as a NumPy mask."""
    return booleans.to_numpy(zero_copy_only=False).astype(bool)
