"""The rates of a stream: looked at again and again, every version kept.

Which version holds is written down with each micro-batch, so that a stream that starts again rates
its events as it did before. The versions are in `OUT/.stream-<run id>/rates/<digest>/`, and when
each began is in the file `history` beside them.

Some meters have one rate a window. Theirs is of the version that held when the window began, by the
clock, or else of the first. So that no event can be there before it is known which, a version holds
for windows that begin at least `future_tolerance` after it: no event is further ahead of its time.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipelines.notices import notify
from pipelines.warehouse import written_aside
from rates import RateBook, RateErrors, load_rates, read_rate_files
from rates.load import digest

_HISTORY = "history"


@dataclass
class RateVersions:
    """The newest rates of a source, as far as they are right.

    path: what `--rates` names, or None; dimensions: of each meter; refresh_us: how often `path` is
    read again; tolerance_us: how far ahead of the clock an event may be. Holds nothing but the
    digests it has seen last.
    """

    folder: Path
    path: str | None
    dimensions: Mapping[str, tuple[str, ...]]
    refresh_us: int
    tolerance_us: int = 0
    _current: str | None = None
    _refused: str | None = None
    _next: float = 0.0

    def current(self) -> str | None:
        """The version that holds for events read now; None where a run has no rates."""
        if self.path is None:
            return None
        now = time.monotonic()
        if self._current is None or now >= self._next:
            self._next = now + self.refresh_us / 1e6
            self._refresh(self.path)
        return self._current

    def _refresh(self, path: str) -> None:
        try:
            files = read_rate_files(path)
            found = digest(content for _, content in files)
            if found == self._current:
                self._refused = None
                return
            load_rates(files, self.dimensions)
        except RateErrors as error:
            self._report(error)
            return
        _keep(self.folder / found, files)
        self._begin(found)
        if self._current is not None:
            notify(f"rates {path} were read again: they hold for events from now on")
        self._current, self._refused = found, None

    def _begin(self, version: str) -> None:
        """Writes down when a version begins, before any event is read under it."""
        path = self.folder / _HISTORY
        known = _history(path)
        if not known or known[-1][1] != version:
            from_us = time.time_ns() // 1000 + self.tolerance_us
            with path.open("a") as file:
                file.write(f"{from_us} {version}\n")

    def _report(self, error: RateErrors) -> None:
        text = "; ".join(map(str, error.problems))
        if self._current is None:  # they were right when the run began
            self._current = newest(self.folder)
        if text != self._refused:
            self._refused = text
            notify(f"rates were not taken over, the last good ones stay: {text}")


def _history(path: Path) -> list[tuple[int, str]]:
    """From when on (µs) each version holds for windows; an entry that was cut short is none."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    entries = [line.split() for line in lines if line.endswith("\n")]
    return [(int(from_us), version) for from_us, version in entries]


def _keep(folder: Path, files: list[tuple[str, bytes]]) -> None:
    """Keeps a version, whole or not at all."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(folder) as aside:
        aside.mkdir()
        for number, (_, content) in enumerate(files):
            (aside / f"{number:04}.csv").write_bytes(content)


def newest(folder: Path) -> str | None:
    """The version that held last."""
    known = _history(folder / _HISTORY)
    return known[-1][1] if known else None


@dataclass
class KeptBooks:
    """The books of all versions, loaded when they are first asked for.

    Holds those of the versions used.
    """

    folder: Path
    dimensions: Mapping[str, tuple[str, ...]]
    _books: dict[str | None, RateBook] = field(default_factory=dict)
    _known: list[tuple[int, str]] = field(default_factory=list)
    _read_bytes: int = 0

    def version(self, digest: str | None) -> RateBook:
        """The book of a version; an empty one for None."""
        if digest not in self._books:
            self._books[digest] = self._load(digest)
        return self._books[digest]

    def of_windows(self, start_us: np.ndarray) -> list[RateBook]:
        """The book for each of some windows that have one rate, by where they begin (µs)."""
        path = self.folder / _HISTORY
        size = path.stat().st_size if path.exists() else 0
        if size != self._read_bytes:
            self._known, self._read_bytes = _history(path), size
        if not self._known:
            return [self.version(None)] * len(start_us)
        begins = [from_us for from_us, _ in self._known]
        places = np.searchsorted(begins, start_us, side="right") - 1
        return [self.version(self._known[max(place, 0)][1]) for place in places.tolist()]

    def _load(self, digest: str | None) -> RateBook:
        if digest is None:
            return RateBook.empty()
        return load_rates(read_rate_files(str(self.folder / digest)), self.dimensions)
