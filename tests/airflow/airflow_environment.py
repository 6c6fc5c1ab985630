"""The environment that Airflow runs in, apart from the project's own.

`python tests/airflow/airflow_environment.py`, or `make test-airflow`, makes it: 1.6 GB, about two
minutes.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from made_once import alone_in

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")


class NoAirflowError(Exception):
    """Airflow could not be installed; the text says what pip said."""


def made_environment() -> Path:
    """Its folder: made once for its requirements and this Python.

    Of several processes that want it, one makes it. Raises NoAirflowError.
    """
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    with alone_in(place.parent):
        if not place.exists():
            sys.stderr.write(f"making {place}, once, for Airflow: about two minutes\n")
            _make(place)
    return place


def _place() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    what = hashlib.sha256(sys.version.encode() + _REQUIREMENTS.read_bytes()).hexdigest()[:8]
    return Path(caches) / "meterbeam" / f"airflow-{what}"


def _make(place: Path) -> None:
    """Made beside its place, so that it gets there whole, in one step."""
    aside = place.with_name(f".{place.name}")
    shutil.rmtree(aside, ignore_errors=True)  # of somebody who was killed
    pip = [str(aside / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    how = ["--disable-pip-version-check", "--no-compile", "--require-hashes"]
    try:
        _run([sys.executable, "-m", "venv", str(aside)])
        _run([*pip, *how, "-r", str(_REQUIREMENTS)])
        aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoAirflowError((done.stderr or done.stdout).strip())


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{made_environment()}\n")
    except NoAirflowError as error:
        sys.exit(str(error))
