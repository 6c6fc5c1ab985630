"""The environment that the polars peer runs on: made once, apart from the project's own.

`python benchmarks/polars_env.py` makes it, in ~/.cache/meterbeam, and says where its Python is.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

_REQUIREMENTS = Path(__file__).with_name("polars_requirements.txt")


class NoPolarsError(Exception):
    """The environment could not be made; the text is what pip said."""


def polars_python() -> Path:
    """The Python of the environment, which is made first if it is not there.

    Of several processes that want it, one makes it. Raises NoPolarsError.
    """
    place = _place()
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(place.parent, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.exists():
                _make(place)
        finally:
            os.close(lock)
    return place / "bin" / "python"


def _place() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    what = hashlib.sha256(sys.version.encode() + _REQUIREMENTS.read_bytes()).hexdigest()[:8]
    return Path(caches) / "meterbeam" / f"polars-{what}"


def _make(place: Path) -> None:
    """Made beside its place, so that it gets there whole, in one step."""
    aside = place.with_name(f".{place.name}")
    shutil.rmtree(aside, ignore_errors=True)  # of somebody who was killed
    install = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    try:
        _run([sys.executable, "-m", "venv", str(aside)])
        _run([str(aside / "bin/python"), "-m", "pip", *install, "-r", str(_REQUIREMENTS)])
        aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoPolarsError(f"no environment for polars: {(done.stderr or done.stdout).strip()}")


if __name__ == "__main__":
    try:
        print(polars_python())
    except NoPolarsError as error:
        sys.exit(str(error))
