"""Hostile records by the hundred, and what to ask of them: always the same for a number."""

import random
from dataclasses import replace
from typing import Any, TypeVar

from hostile_stream import Feed, feeds
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from strategies import Case, CaseOptions
from strategies.lines import lines
from test_against_oracle import cases_and_options

T = TypeVar("T")

_FILES = 6
_DRAWS = 40  # of up to 36 lines each


def hostile_case(number: int) -> tuple[Case, CaseOptions]:
    """A catalog, rates, options, and files with some hundred lines of any kind."""
    case, asked = drawn(cases_and_options().filter(_worthwhile), number, 3)[-1]
    found = [line for some in drawn(lines(case.plan), number, _DRAWS) for line in some]
    chance = random.Random(number)  # noqa: S311
    parts = [b"".join(line + b"\n" for line in found[i::_FILES]) for i in range(_FILES)]
    names = [f"{chance.choice('abcé')}-{i}.ndjson" for i in range(_FILES)]
    return replace(case, files=tuple(zip(names, parts, strict=True)), block_size=1 << 16), asked


def hostile_feed(number: int) -> Feed:
    """Records as a stream, in an order that batch would have chosen too, in small pieces."""
    return max(drawn(feeds(), number, 20), key=_lines)


def _lines(feed: Feed) -> int:
    return sum(data.count(b"\n") for data in feed.files.values())


def drawn(strategy: SearchStrategy[T], number: int, count: int) -> list[T]:
    """So many examples, by a seed."""
    found: list[T] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(example: T) -> None:
        found.append(example)

    keep()
    return found


def _worthwhile(drawn: tuple[Case, Any]) -> bool:
    """More than one meter, and no range that leaves most out."""
    case, asked = drawn
    return len(case.plan.meters) > 1 and asked.from_us is None and asked.to_us is None
