"""What is allowed in a catalog and its rates, and yet most likely not meant."""

from collections.abc import Iterator

from pipelines.shadowed_rates import MeterShadows
from rates import Rate, RateBook
from transforms.catalog import Catalog, Meter


def warnings(catalog: Catalog, book: RateBook) -> list[str]:
    """Tell what will surprise: usage without a price, and rates and dimensions without a use.

    A rate is named only if it is certain that no event can ever have it. There are no warnings
    where there are no rate tables: nobody asked for costs.
    """
    if book == RateBook.empty():
        return []
    of_meter: dict[str, list[Rate]] = {meter.name: [] for meter in catalog.meters}
    for rate in book.rates:
        of_meter[rate.meter].append(rate)
    found: list[str] = []
    for meter in catalog.meters:
        rates = of_meter[meter.name]
        found += [f"{catalog.name}: meter {meter.name}: {text}" for text in _of_meter(meter, rates)]
        found += _of_rates(meter, rates)
    return found


def _of_meter(meter: Meter, rates: list[Rate]) -> Iterator[str]:
    if not rates:
        yield "no rate names it, so its usage has no cost"
        return
    used = {name for rate in rates for name in rate.shape}
    for name, _ in meter.dimensions:
        if name not in used:
            yield f"no rate uses its dimension {name!r}"


def _of_rates(meter: Meter, rates: list[Rate]) -> Iterator[str]:
    shadows = MeterShadows(meter, rates)
    for rate in sorted(rates, key=lambda each: (each.file, each.line)):
        reason = shadows.why_never(rate)
        if reason:
            yield f"{rate.place}: the rate {rate.label!r} never applies: {reason}"
