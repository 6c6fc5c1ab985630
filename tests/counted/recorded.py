"""The figures of a good run, and what is wrong with one that has others."""

import json
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from counted.command import MODULES, PACKAGES
from counted.counter import INSTRUCTIONS

FILE = Path(__file__).parents[1] / "counts.json"
COMMAND = "make record-counts"
WORSE, BETTER = 0.01, 0.03  # shares of the recorded figure
LEAST = 0.5  # that a figure of 0 may become

Figures = Mapping[str, Mapping[str, float]]


PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
OF_PYTHON = {INSTRUCTIONS, MODULES, PACKAGES}  # each version has its own


@dataclass(frozen=True)
class Recorded:
    """The figures by area, and the Python they were counted on."""

    python: str
    areas: Mapping[str, Figures]

    @classmethod
    def read(cls) -> Self:
        """What the file says."""
        return cls(**json.loads(FILE.read_text()))

    def write(self) -> None:
        """Writes the file anew."""
        FILE.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")

    def differences(self, area: str, now: Figures) -> Iterator[str]:
        """What is wrong on this Python with the figures of an area."""
        apart = OF_PYTHON if self.python != PYTHON else set()
        yield from differences(area, self.areas.get(area, {}), now, apart)


def differences(
    area: str, before: Figures, now: Figures, apart: Collection[str] = ()
) -> Iterator[str]:
    """What is worse, better, new or gone, each as a line that says what to do; but some figures."""
    for step in sorted({*before, *now}):
        old, new = before.get(step, {}), now.get(step, {})
        for figure in sorted({*old, *new} - {*apart}):
            told = _difference(old.get(figure), new.get(figure))
            if told:
                yield f"{area}: {step}: {figure}: {told}"


def _difference(old: float | None, new: float | None) -> str | None:
    if old is None or new is None:
        what = "is new" if old is None else "is gone"
        return f"{what} ({new if old is None else old:,g}); if it is meant, {COMMAND}"
    if new > old * (1 + WORSE) and new - old > _least(old):
        return (
            f"{new:,g}, but {old:,g} is recorded ({_share(old, new)}): the step does more than it"
            f" did; mend it, or {COMMAND} and say in the commit what it is worth"
        )
    if new < old * (1 - BETTER):
        return f"{new:,g}, {old:,g} is recorded ({_share(old, new)}): better; keep it: {COMMAND}"
    return None


def _least(old: float) -> float:
    return 0 if old else LEAST


def _share(old: float, new: float) -> str:
    return f"{new / old - 1:+.1%}" if old else "from nothing"
