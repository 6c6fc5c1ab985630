"""One followed folder: which files are new in it, and whether it has ended."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.inputs.find import leads_out
from pipelines.inputs.tail_file import TailFile

END = "_END"
"""A file of this name says that a folder will have nothing new."""

_SUFFIXES = (".ndjson", ".jsonl")
_NOT_INPUTS = (".", "_")
_LOOKS_US = 100_000
# a name that comes while a folder is listed may leave no trace in its time
_SETTLES_US = 300_000
# and some file systems keep no such time
_LISTS_US = 5_000_000


@dataclass(eq=False)
class TailFolder:
    """A folder by its path, and the files in it that are followed, by name.

    It is listed only when the time of its last change is new, or nobody did for five seconds.
    """

    path: str
    report: Callable[[str], None]
    files: dict[str, TailFile] = field(default_factory=dict)
    ended: bool = False
    _known: set[str] = field(default_factory=set)
    _looked_us: int | None = None
    _listed_us: int = 0
    _changed_us: int = 0
    _change: int | None = None
    _reported: bool = False

    def has_end(self) -> bool:
        """Whether `_END` is there."""
        return os.path.exists(f"{self.path}/{END}")  # noqa: PTH110 - asked at each poll

    def new_names(self, steady_us: int, *, at_once: bool) -> list[str] | None:
        """Names of input files that were not there before, sorted; None where that is not known.

        It looks ten times a second, or `at_once`.
        """
        try:
            if at_once or self._may_have_changed(steady_us):
                return self._list(steady_us)
        except OSError as error:
            if not self._reported:
                self.report(f"{self.path} cannot be listed: {error.strerror or error}")
            self._reported = True
            return None
        return []

    def forget(self, path: str) -> None:
        """A file of this path is not followed any more; if it comes again, its name is new."""
        name = Path(path).name
        self._known.discard(name)
        del self.files[name]

    def _may_have_changed(self, steady_us: int) -> bool:
        if self._looked_us is not None and steady_us - self._looked_us < _LOOKS_US:
            return False
        first, self._looked_us = self._looked_us is None, steady_us
        change = Path(self.path).stat().st_mtime_ns
        if change != self._change:
            self._change, self._changed_us = change, steady_us
        settled = steady_us - self._changed_us > _SETTLES_US
        return first or not settled or steady_us - self._listed_us > _LISTS_US

    def _list(self, steady_us: int) -> list[str]:
        names = set(os.listdir(self.path))  # noqa: PTH208 - names are all that is wanted
        self._listed_us = steady_us
        files = []
        self._known, before = names, self._known
        for name in sorted(each for each in names - before if self._is_input(each)):
            path = Path(self.path, name)
            try:
                mode = path.stat().st_mode
            except OSError:  # a link that leads nowhere, yet
                self._known.discard(name)
                continue
            if leads_out(path, Path(self.path)):
                self.report(f"{path} is not read: it is a link that leads out of the folder")
            elif stat.S_ISREG(mode):
                files.append(name)
        return files

    def _is_input(self, name: str) -> bool:
        if name.startswith(_NOT_INPUTS) or not name.lower().endswith(_SUFFIXES):
            return False
        try:
            name.encode()
        except UnicodeEncodeError:
            self.report(f"{self.path}/{name!a} is not read: its name is not UTF-8")
            return False
        return True
