"""The rates of a meter that fill the same columns, found by the codes of those columns."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rates.rate import Rate

CUSTOMER = "customer_id"

Codes = npt.NDArray[np.int64]
History = Sequence[tuple[int, Rate]]  # rates with the same cells, and their places in the book


class Shape:
    """Rates that fill the same columns, in a form that whole columns are looked up in.

    The columns are joined one after the other: `levels` hold the sorted pairs of a group found so
    far and the code of the next column; a pair's place is the group for the column after it. What
    a group's rates say over time are segments, sorted by group and period.
    """

    def __init__(
        self,
        columns: Sequence[str],
        histories: Mapping[tuple[str, ...], History],
        codes: Mapping[str, Mapping[str, int]],
        boundaries: Codes,
    ) -> None:
        self.columns = tuple(columns)
        self._sizes = [len(codes[column]) + 1 for column in columns]
        self._periods = len(boundaries) + 1
        self._levels: list[Codes] = []
        group = np.zeros(len(histories), np.int64)
        for place, column in enumerate(columns):
            of_column = np.array([codes[column][cells[place]] for cells in histories], np.int64)
            pairs, group = np.unique(group * self._sizes[place] + of_column, return_inverse=True)
            self._levels.append(pairs)
        segments = sorted(_segments(zip(group.tolist(), histories.values(), strict=True)))
        # the period that begins at a boundary is the boundary's place plus one
        starts = np.searchsorted(boundaries, [start for _, start, _ in segments], "right")
        of_group = np.array([of for of, _, _ in segments], np.int64)
        self._starts = of_group * self._periods + starts
        self._rates = np.array([rate for _, _, rate in segments], np.int32)

    def find(self, codes: Mapping[str, Codes], period: Codes) -> npt.NDArray[np.int32]:
        """Return the rate in effect for each row of codes and periods; -1 where there is none."""
        group = np.zeros(len(period), np.int64)
        for column, size, pairs in zip(self.columns, self._sizes, self._levels, strict=True):
            wanted = group * size + codes[column]
            place = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
            # a group of -1 makes the next pair negative too, and no pair is
            group = np.where(pairs[place] == wanted, place, -1)
        place = np.searchsorted(self._starts, group * self._periods + period, "right") - 1
        found = (place >= 0) & (self._starts[place] // self._periods == group)
        return np.where(found, self._rates[place], np.int32(-1))


def _segments(groups: Iterable[tuple[int, History]]) -> Iterator[tuple[int, int, int]]:
    for group, history in groups:
        for start, rate in _over_time(history):
            yield group, start, rate


def _over_time(history: History) -> Iterator[tuple[int, int]]:
    """Give the moments at which another of the rates, or none (-1), comes into effect."""
    coming = sorted(history, key=lambda each: each[1].effective_from_us, reverse=True)
    moments = {rate.effective_from_us for _, rate in history} | {
        rate.effective_to_us for _, rate in history if rate.effective_to_us is not None
    }
    begun: list[tuple[int, Rate]] = []  # the latest start on top: it is the one that holds
    for moment in sorted(moments):
        while coming and coming[-1][1].effective_from_us <= moment:
            begun.append(coming.pop())
        while begun and begun[-1][1].end_us <= moment:
            begun.pop()
        yield moment, begun[-1][0] if begun else -1


def by_shape(
    rates: Iterable[tuple[int, Rate]],
) -> dict[tuple[str, ...], dict[tuple[str, ...], list[tuple[int, Rate]]]]:
    """Sort rates into shapes (their filled columns) and, within them, by cells.

    The shapes come in the order in which they win: those that name the customer before those that
    do not, then those with more columns. Shapes that are equal in this never meet.
    """
    shapes: dict[tuple[str, ...], dict[tuple[str, ...], list[tuple[int, Rate]]]] = {}
    for place, rate in sorted(rates, key=lambda each: each[1].precedence[:2], reverse=True):
        named = () if rate.customer_id is None else ((CUSTOMER, rate.customer_id),)
        columns, cells = [*zip(*named, *rate.cells, strict=True)] or [(), ()]
        histories = shapes.setdefault(columns, defaultdict(list))
        histories[cells].append((place, rate))
    return shapes
