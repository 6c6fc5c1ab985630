"""What tests make once and keep on this machine."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class NoEnvironmentError(Exception):
    """An environment could not be made; the text is what pip said."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes waiting that want to make something in a folder."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def environment(
    name: str,
    requirements: Path,
    takes: str,
    last: Callable[[Path], Sequence[str]] | None = None,
) -> Path:
    """The folder of an environment: made once for these requirements and this Python.

    It is apart from the project's own. `takes` tells who waits for how long; `last` gives the
    command that ends the making, from the folder. Of several processes that want it, one makes it.
    Raises NoEnvironmentError.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    what = hashlib.sha256(sys.version.encode() + requirements.read_bytes()).hexdigest()[:8]
    place = Path(caches) / "meterbeam" / f"{name}-{what}"
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with alone_in(place.parent):
        if not place.exists():
            sys.stderr.write(f"making {place}, once: {takes}\n")
            _make(place, requirements, last)
    return place


def _make(place: Path, requirements: Path, last: Callable[[Path], Sequence[str]] | None) -> None:
    """Made beside its place, so that it gets there whole, in one step."""
    aside = place.with_name(f".{place.name}")
    shutil.rmtree(aside, ignore_errors=True)  # of somebody who was killed
    pip = [str(aside / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    how = ["--disable-pip-version-check", "--no-compile", "--require-hashes"]
    try:
        _run([sys.executable, "-m", "venv", str(aside)])
        _run([*pip, *how, "-r", str(requirements)])
        if last:
            _run(last(aside))
        aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoEnvironmentError((done.stderr or done.stdout).strip())
