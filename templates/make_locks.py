"""Makes the locks of the image: what it needs of requirements.lock, at the same versions.

`python templates/make_locks.py`: image.lock has what the command needs, and build.lock what makes a
wheel of it. What needs what is told by the packages that are installed, so they must be the locked.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
LOCK = HERE.parent / "requirements.lock"
PROJECT = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
LOCKS = {
    "image.lock": [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["report"],
    ],
    "build.lock": PROJECT["build-system"]["requires"],
}
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)==.*(?:\n +--hash=.*)+", re.MULTILINE)
# what pip itself needs is in each new environment
_THERE = {"pip", "setuptools"}


def entries(lock: Path) -> dict[str, str]:
    """The packages of a lock file: names, and the lines with version and hashes."""
    return {canonicalize_name(each[1]): each[0] for each in _ENTRY.finditer(lock.read_text())}


def needed(roots: Iterable[str]) -> set[str]:
    """The names of what requirements need, and what that needs, on this kind of machine."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(each) for each in roots]
    while waiting:
        each = waiting.pop()
        name = canonicalize_name(each.name)
        for extra in {"", *each.extras}:
            if (name, extra) not in found:
                found.add((name, extra))
                waiting.extend(_of(name, extra))
    return {name for name, _ in found}


def _of(name: str, extra: str) -> Iterator[Requirement]:
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def lock_of(roots: Iterable[str]) -> str:
    """The lock file for some requirements."""
    known = entries(LOCK)
    names = sorted(needed(roots) - _THERE)
    return "".join(f"{known[name]}\n" for name in names)


if __name__ == "__main__":
    for file, roots in LOCKS.items():
        (HERE / file).write_text(lock_of(roots))
