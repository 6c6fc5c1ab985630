"""Numbers as they are written in JSON: their value, without ever rounding."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from oracle.json_text import NUMBER, Json, Number

SCALE = 18
MAX_DIGITS = 38


@dataclass(frozen=True)
class Exact:
    """± digits x 10^exponent, digits without zeros at either end, so equal values are equal.

    Zero has no digits. This holds 1e999999999999 as easily as 1.
    """

    negative: bool
    digits: str
    exponent: int

    @property
    def magnitude(self) -> int:
        """The least n with |value| < 10^n."""
        return len(self.digits) + self.exponent

    @property
    def in_range(self) -> bool:
        """Tell whether |value| < 10^20, with at most 18 decimals."""
        return not self.digits or (self.magnitude <= MAX_DIGITS - SCALE and self.exponent >= -SCALE)

    @property
    def fraction(self) -> Fraction:
        """The value, for numbers that are in range."""
        return Fraction(
            Decimal(f"{'-' if self.negative else ''}{self.digits or 0}e{self.exponent}")
        )

    def floor_scaled(self, places: int) -> int:
        """Give the greatest integer that is not above value x 10^places; magnitude stays small."""
        exponent = self.exponent + places
        if not self.digits:
            return 0
        if exponent >= 0:
            whole, rest = int(self.digits + "0" * exponent), 0
        else:
            # The last digit is not zero, so cutting any leaves a rest.
            whole, rest = int(self.digits[:exponent] or 0), 1
        return -whole - rest if self.negative else whole


def exact(text: str) -> Exact:
    """Read a JSON number."""
    mantissa, _, power = text.lower().partition("e")
    whole, _, decimals = mantissa.lstrip("-").partition(".")
    digits = (whole + decimals).lstrip("0")
    if not digits:
        return Exact(negative=False, digits="", exponent=0)
    kept = digits.rstrip("0")
    # int() refuses very long texts, Decimal does not.
    exponent = int(Decimal(power or 0)) - len(decimals) + len(digits) - len(kept)
    return Exact(text.startswith("-"), kept, exponent)


def as_number(value: Json) -> Exact | None:
    """Read a JSON number, or a string that holds just one; None for all else."""
    text = value.text if isinstance(value, Number) else value
    return exact(text) if isinstance(text, str) and NUMBER.fullmatch(text) else None


def rounded(value: Fraction) -> Decimal | None:
    """Give the value to 18 decimals, half to even; None where DECIMAL(38,18) cannot hold it."""
    units = round(value * 10**SCALE)
    return Decimal(f"{units}e-{SCALE}") if abs(units) < 10**MAX_DIGITS else None
