"""What can be wrong with a catalog, said so that it can be put right."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

Location = tuple[str | int, ...]  # keys and places in lists, from the top of the file

_SHOWN = 60  # characters of a value that a message repeats
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a catalog: `key` is its place, like `meters[2].aggregation`."""

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.message) if part)


class CatalogErrors(Exception):  # noqa: N818 - it carries every problem there is, not one
    """All that is wrong with a catalog, in the order of its lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __reduce__(self) -> tuple[type["CatalogErrors"], tuple[tuple[Problem, ...]]]:
        return CatalogErrors, (self.problems,)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def key_text(location: Location) -> str:
    """Write a place in the file as its author would look for it: `meters[2].where["a b"]`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{shown(part)}]"
    return text


def shown(text: str) -> str:
    """Quote a value for a message, cut where it is long."""
    return repr(str(text)) if len(text) <= _SHOWN else repr(f"{text[:_SHOWN]}…")
