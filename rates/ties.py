"""Rates of which no rule says which one applies: found when rates are loaded, never met later.

Rows are compared two by two, whatever a third row may say. Two rows tie where both name the
customer or neither does, both fill as many dimensions but not the same cells, no dimension is
filled with different texts, and a moment exists at which both are in effect.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import combinations, islice

from rates.cells import moment_text
from rates.problems import RateProblem
from rates.rate import Rate

LISTED = 1000  # ties that are said; a table with more is wrong in one way, many times

_Buckets = Mapping[tuple[str, ...], Sequence[Rate]]


def clashes(rates: Iterable[Rate]) -> list[RateProblem]:
    """Find rows with the same cells and start, and rows that could tie for some event."""
    # the order of files and rows must not decide which of two rows is said to clash
    ordered = sorted(rates, key=lambda rate: (rate.file, rate.line))
    ties = [_tie(*pair) for pair in islice(_tied(ordered), LISTED + 1)]
    if len(ties) > LISTED:
        last = ties[LISTED]
        ties[LISTED] = RateProblem(last.file, None, f"more than {LISTED} ties; no more are listed")
    return [*_repeats(ordered), *ties]


def _repeats(rates: Iterable[Rate]) -> Iterator[RateProblem]:
    """Find rows of which neither supersedes the other: the same cells from the same moment on."""
    seen: dict[object, Rate] = {}
    for rate in rates:
        key = (rate.meter, rate.customer_id, rate.cells, rate.effective_from_us)
        first = seen.setdefault(key, rate)
        if first is not rate:
            yield RateProblem(
                rate.file,
                rate.line,
                f"meter {rate.meter} has a rate for {rate.scope} with the effective_from"
                f" {moment_text(rate.effective_from_us)} already, at {first.place}",
            )


def _tied(rates: Iterable[Rate]) -> Iterator[tuple[Rate, Rate]]:
    """Find all pairs that tie.

    Rows of one shape that differ, differ in a text, so no event meets both. Two shapes are joined
    on the dimensions they share: the work grows with the rows, not with the pairs of them.
    """
    groups: dict[object, dict[tuple[str, ...], list[Rate]]] = defaultdict(lambda: defaultdict(list))
    for rate in rates:
        groups[rate.meter, rate.customer_id, len(rate.cells)][rate.shape].append(rate)
    for shapes in groups.values():
        projected: dict[object, _Buckets] = {}
        for one, two in combinations(sorted(shapes), 2):
            shared = frozenset(one) & frozenset(two)
            for shape in (one, two):
                if (shape, shared) not in projected:
                    projected[shape, shared] = _project(shapes[shape], shared)
            left, right = projected[one, shared], projected[two, shared]
            for cells in left.keys() & right.keys():
                yield from _overlapping(left[cells], right[cells])


def _project(rates: Iterable[Rate], names: frozenset[str]) -> _Buckets:
    buckets: dict[tuple[str, ...], list[Rate]] = defaultdict(list)
    for rate in rates:
        buckets[tuple(text for name, text in rate.cells if name in names)].append(rate)
    return buckets


def _overlapping(left: Sequence[Rate], right: Sequence[Rate]) -> Iterator[tuple[Rate, Rate]]:
    """Find the pairs, one of each side, that are ever in effect together."""
    running: tuple[list[tuple[int, int, Rate]], list[tuple[int, int, Rate]]] = ([], [])
    sided = [(rate, 0) for rate in left] + [(rate, 1) for rate in right]
    sided.sort(key=lambda each: each[0].effective_from_us)
    for order, (rate, side) in enumerate(sided):
        others = running[1 - side]
        while others and others[0][0] <= rate.effective_from_us:
            heappop(others)
        yield from ((other, rate) for _, _, other in others)
        heappush(running[side], (rate.end_us, order, rate))


def _tie(one: Rate, two: Rate) -> RateProblem:
    first, second = sorted((one, two), key=lambda rate: (rate.file, rate.line))
    both = ", ".join(f"{name}={text}" for name, text in sorted({*one.cells, *two.cells}))
    since = moment_text(max(one.effective_from_us, two.effective_from_us))
    return RateProblem(
        second.file,
        second.line,
        f"ties with {first.place} for meter {second.meter} at {both} from {since} on:"
        f" {second.scope} ({second.period}) and {first.scope} ({first.period}) have as many cells"
        " each, so neither is the nearer match; fill one cell more in one of them, or end one"
        " before the other begins",
    )
