"""Rates that no event can ever have: shut out by their meter, or by rates that always win."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from math import prod

from rates import Rate
from transforms.catalog import Meter

Period = tuple[int, int]  # from and to, in microseconds since the epoch
Cells = tuple[tuple[str, str], ...]

# of these, a rate change cuts a window; of the others, the rate at its start holds for all of it
_CUT = frozenset({"sum", "count"})
_MOST_COMBINATIONS = 1000  # of texts that `where` leaves to dimensions, tried one by one
_NAMED = 3  # of the rates that win, in a message


class MeterShadows:
    """The rates of one meter, and what is certain about when they lose.

    A dimension has known texts where the meter's `where` names them; of others anything may come.
    """

    def __init__(self, meter: Meter, rates: Iterable[Rate]) -> None:
        self._meter = meter
        self._texts = _known_texts(meter)
        self._histories: dict[tuple[str | None, Cells], list[Rate]] = defaultdict(list)
        for rate in rates:
            self._histories[rate.customer_id, rate.cells].append(rate)
        self._shapes = sorted({tuple(name for name, _ in cells) for _, cells in self._histories})

    def why_never(self, rate: Rate) -> str | None:
        """Say why the rate never applies; None where it may."""
        for name, text in rate.cells:
            if text not in self._texts.get(name, {text}):
                return f"`where` of meter {self._meter.name} lets no {name}={text} pass"
        if not self._counts([(rate.effective_from_us, rate.end_us)]):
            return f"no window of meter {self._meter.name} starts while it is in effect"
        winners: set[tuple[str, int, str]] = set()
        for texts in self._combinations(rate):
            better = list(self._better(rate, texts))
            periods = [(each.effective_from_us, each.end_us) for each in better]
            if self._counts(_remaining((rate.effective_from_us, rate.end_us), periods)):
                return None
            winners |= {(each.file, each.line, each.place) for each in better}
        named = ", ".join(place for _, _, place in sorted(winners)[:_NAMED])
        more = ", …" if len(winners) > _NAMED else ""
        return f"other rates always win over it ({named}{more})"

    def _combinations(self, rate: Rate) -> Iterator[Mapping[str, str]]:
        """Give all that is known of the texts of events that the rate matches."""
        given = dict(rate.cells)
        used = {name for shape in self._shapes for name in shape}
        known = {name: self._texts[name] for name in used & self._texts.keys() - given.keys()}
        if prod(map(len, known.values())) > _MOST_COMBINATIONS:
            known = {}
        for texts in product(*(sorted(each) for each in known.values())):
            yield {**given, **dict(zip(known, texts, strict=True))}

    def _better(self, rate: Rate, texts: Mapping[str, str]) -> Iterator[Rate]:
        """Find the rates that win over this one for every event with these texts."""
        for shape in self._shapes:
            if not texts.keys() >= set(shape):
                continue
            cells = tuple((name, texts[name]) for name in shape)
            # a rate that names a customer wins for that one only, so it is compared to its like
            for other in self._histories.get((rate.customer_id, cells), ()):
                if other.precedence > rate.precedence:
                    yield other

    def _counts(self, periods: Iterable[Period]) -> bool:
        """Whether the rate is looked up at any moment of the periods."""
        if self._meter.aggregation in _CUT:
            return any(start < end for start, end in periods)
        window_us = self._meter.window_us
        return any(-(-start // window_us) * window_us < end for start, end in periods)


def _known_texts(meter: Meter) -> dict[str, frozenset[str]]:
    """Give the texts that `where` leaves to dimensions that are read at the same path."""
    known: dict[str, frozenset[str]] = {}
    for name, path in meter.dimensions:
        for where, texts in meter.where:
            if where == path:
                known[name] = known.get(name, texts) & texts
    return {name: texts for name, texts in known.items() if texts}


def _remaining(period: Period, covers: Iterable[Period]) -> list[Period]:
    """Give what is left of a period without those that cover it."""
    start, end = period
    left = []
    for cover_start, cover_end in sorted(covers):
        if cover_start > start:
            left.append((start, min(cover_start, end)))
        start = max(start, cover_end)
        if start >= end:
            break
    if start < end:
        left.append((start, end))
    return left
