"""The rates of a stream: looked at again and again, every version kept.

Which version holds is written down with each micro-batch, so that a stream that starts again rates
its events as it did before. Where the versions are: see pipelines/kept_rates.py.

Some meters have one rate a window. Theirs is of the version that held when the window began, by the
clock, or else of the first. So that no event can be there before it is known which, a version holds
for windows that begin at least twice `future_tolerance` after it: no arrival is further ahead of
the clock than once that, and no event of its arrival.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipelines import kept_rates
from pipelines.kept_rates import LostRatesError
from pipelines.notices import notify
from pipelines.problems import UserError
from rates import RateBook, RateErrors, load_rates, read_rate_files
from rates.load import digest


@dataclass
class RateVersions:
    """The newest rates of a source, as far as they are right.

    path: what `--rates` names, or None; dimensions: of each meter; refresh_us: how often `path` is
    read again; tolerance_us: how far an event may be ahead of its arrival, and that of the clock.
    Holds nothing but the digests it has seen last.
    """

    folder: Path
    path: str | None
    dimensions: Mapping[str, tuple[str, ...]]
    refresh_us: int
    tolerance_us: int = 0
    _current: str | None = None
    _noted: str | None = None
    _refused: str | None = None
    _next: float = 0.0

    def begin(self) -> None:
        """Keeps the rates of now: they stay, should they be broken when the first event comes.

        To be called before anything is read. Where they are broken already, the version that held
        last stays. Raises UserError where there is none, where one that ever held is lost, and
        where nothing can be written.
        """
        try:
            if self.path is not None:
                self._begin(self.path)
            kept_rates.check(self.folder)
        except LostRatesError as error:
            raise UserError(str(error)) from error
        except OSError as error:
            raise UserError(f"{self.folder} cannot be written: {error.strerror}") from error

    def current(self) -> str | None:
        """The version that holds for events read now; None where a run has no rates."""
        if self.path is None:
            return None
        if self._current is None:
            self.begin()
        elif time.monotonic() >= self._next:
            self._refresh(self.path)
        if self._current is not None and self._current != self._noted:
            from_us = time.time_ns() // 1000 + 2 * self.tolerance_us
            kept_rates.note(self.folder, self._current, from_us)
            self._noted = self._current
        return self._current

    def _begin(self, path: str) -> None:
        try:
            self._take(path)
        except RateErrors as error:
            self._current = kept_rates.newest(self.folder)
            if self._current is None:
                raise UserError([str(problem) for problem in error.problems]) from error
            self._report(error)

    def _refresh(self, path: str) -> None:
        before = self._current
        try:
            self._take(path)
        except RateErrors as error:
            self._report(error)
            return
        self._refused = None
        if self._current != before:
            notify(f"rates {path} were read again: they hold for events from now on")

    def _take(self, path: str) -> None:
        self._next = time.monotonic() + self.refresh_us / 1e6
        files = read_rate_files(path)
        found = digest(content for _, content in files)
        if found != self._current:
            load_rates(files, self.dimensions)
            kept_rates.keep(self.folder / found, files)
            self._current = found

    def _report(self, error: RateErrors) -> None:
        text = "; ".join(map(str, error.problems))
        if text != self._refused:
            self._refused = text
            notify(f"rates were not taken over, the last good ones stay: {text}", logging.WARNING)


@dataclass
class KeptBooks:
    """The books of all versions, loaded when they are first asked for.

    Holds those of the versions used. Raises LostRatesError for one that cannot be read.
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
        size = kept_rates.history_size(self.folder)
        if size != self._read_bytes:
            self._known, self._read_bytes = kept_rates.history(self.folder), size
        if not self._known:
            return [self.version(None)] * len(start_us)
        begins = [from_us for from_us, _ in self._known]
        places = np.searchsorted(begins, start_us, side="right") - 1
        return [self.version(self._known[max(place, 0)][1]) for place in places.tolist()]

    def _load(self, digest: str | None) -> RateBook:
        if digest is None:
            return RateBook.empty()
        files = kept_rates.read(self.folder / digest)
        try:
            return load_rates(files, self.dimensions)
        except RateErrors as error:
            raise LostRatesError(f"{self.folder / digest}: {error}") from None
