"""What can be wrong with a rate table, said so that it can be put right."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

SHOWN = 60  # characters of a cell that a message repeats


@dataclass(frozen=True, slots=True)
class RateProblem:
    """One thing wrong with a rate table; `line` is the physical line, None for a whole file."""

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message}"


class RateErrors(Exception):  # noqa: N818 - it carries every problem there is, not one
    """All that is wrong with the rates, in the order of files and lines."""

    def __init__(self, problems: Iterable[RateProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def shown(text: str) -> str:
    """Quote the text of a cell for a message."""
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")


def nearest(name: str, known: Sequence[str]) -> str:
    """End a message about an unknown name with the known one most like it."""
    found = _nearest(name, tuple(known))
    return f"; the nearest is {found!r}" if found else ""


@lru_cache(maxsize=1024)  # a wrong name tends to be wrong on every line
def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    lowered = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.0)
    return lowered[found[0]] if found else None
