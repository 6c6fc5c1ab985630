"""The rates of a run, and which of them applies to usage."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rates.match import MeterRates
from rates.rate import Rate
from rates.ratio import Ratios

Places = npt.NDArray[np.int32]

_AMOUNT = pa.decimal128(38, 18)
_TIME = pa.timestamp("us", tz="UTC")
_UNRATED = MeterRates(())


@dataclass(frozen=True)
class RateBook:
    """Checked rates, in an order that the order of files and rows has no part in.

    `digest` is the SHA-256, in hex, over the contents of the tables. What look-ups need is worked
    out when it is first used, and is no part of a pickle.
    """

    rates: tuple[Rate, ...]
    digest: str

    @classmethod
    def of(cls, rates: Iterable[Rate], digest: str) -> "RateBook":
        """Put rates that do not clash in order."""
        return cls(tuple(sorted(rates, key=_order)), digest)

    @classmethod
    def empty(cls) -> "RateBook":
        """Return the book without a rate: all that it is asked for is unrated."""
        return cls((), hashlib.sha256().hexdigest())

    def __reduce__(self) -> tuple[Callable[..., "RateBook"], tuple[tuple[Rate, ...], str]]:
        return RateBook, (self.rates, self.digest)

    def version(self, digest: str | None) -> "RateBook":  # noqa: ARG002 - a book has no other
        """Return the book itself: rates that do not change while they are used have one version."""
        return self

    def of_windows(self, start_us: npt.NDArray[np.int64]) -> list["RateBook"]:
        """Return the book for each window that begins at these moments: itself."""
        return [self] * len(start_us)

    def boundaries(self, meter: str) -> npt.NDArray[np.int64]:
        """Return all moments (µs since the epoch, sorted) at which a rate begins or ends."""
        return self._meter(meter).boundaries

    def match_one(
        self,
        meter: str,
        customer_id: str | None,
        dimensions: Mapping[str, str | None],
        at_us: int,
    ) -> Rate | None:
        """Return the rate of usage at a moment (µs since the epoch): the rule, row by row."""
        return max(
            (
                rate
                for rate in self.rates
                if rate.meter == meter and rate.holds(customer_id, dimensions, at_us)
            ),
            key=lambda rate: rate.precedence,
            default=None,
        )

    def match(
        self,
        meter: str,
        customers: pa.Array,
        dimensions: Mapping[str, pa.Array],
        at_us: npt.NDArray[np.int64],
    ) -> Places:
        """Return, for columns of usage, the places in `rates` of what `match_one` finds.

        Columns are of texts, dictionary-encoded or not; a dimension that is not given is null. A
        place of -1 is no rate.
        """
        return self._meter(meter).match(customers, dimensions, at_us)

    def columns(self, index: Places) -> dict[str, pa.Array]:
        """Return what usage says of its rates, given as places; null at -1.

        rate_label and currency are texts, rate_effective_from a timestamp (µs, UTC), unit_price
        and per DECIMAL(38,18).
        """
        places = pa.array(index, mask=index < 0)
        return {name: column.take(places) for name, column in self._terms.items()}

    def same_terms(self) -> Places:
        """Return for each rate the first one of its meter that usage cannot tell it from.

        These have the same label, effective_from, unit_price, per and currency.
        """
        first: dict[object, int] = {}
        return np.array(
            [first.setdefault(_terms(rate), place) for place, rate in enumerate(self.rates)],
            np.int32,
        )

    @cached_property
    def ratios(self) -> Ratios:
        """What quantities are multiplied with and divided by, in the order of `rates`."""
        return Ratios(self.rates)

    @cached_property
    def _meters(self) -> dict[str, MeterRates]:
        of_meter: dict[str, list[tuple[int, Rate]]] = defaultdict(list)
        for place, rate in enumerate(self.rates):
            of_meter[rate.meter].append((place, rate))
        return {meter: MeterRates(rates) for meter, rates in of_meter.items()}

    def _meter(self, meter: str) -> MeterRates:
        return self._meters.get(meter) or _UNRATED

    @cached_property
    def _terms(self) -> dict[str, pa.Array]:
        rates = self.rates
        return {
            "rate_label": pa.array([rate.label for rate in rates], pa.string()),
            "rate_effective_from": pa.array([rate.effective_from_us for rate in rates], _TIME),
            "unit_price": pa.array([rate.unit_price for rate in rates], _AMOUNT),
            "per": pa.array([rate.per for rate in rates], _AMOUNT),
            "currency": pa.array([rate.currency for rate in rates], pa.string()),
        }


def _order(rate: Rate) -> tuple[object, ...]:
    """Sort by what tells two rates of a book apart: no two are the same in all of it."""
    named = rate.customer_id is not None
    return rate.meter, named, rate.customer_id or "", rate.cells, rate.effective_from_us


def _terms(rate: Rate) -> tuple[object, ...]:
    start = rate.effective_from_us
    return rate.meter, rate.label, start, rate.unit_price, rate.per, rate.currency
