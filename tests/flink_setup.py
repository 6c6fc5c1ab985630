"""Gets a Flink cluster for tests: Flink, and Beam's job server for it, from package registries.

Flink's own jars come from PyPI (the sdist `apache-flink-libraries` holds the distribution), the job
server from Maven Central. Both are pinned, and checked against sums of tests/flink. What is fetched
goes into the cache folder of the user, once for all checkouts: about 400 MB.
`python tests/flink_setup.py`, or `make flink`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from made_once import alone_in

PINNED = Path(__file__).with_name("flink")
_NAMES = ("pom.xml", "requirements.txt", "jars.sha256")
_HOW = "`make flink` needs Maven and Java 11 or 17 on the PATH, and PyPI and Maven Central"


class SetupError(Exception):
    """Flink is not on this machine, or could not be fetched; the text says what to do."""


@dataclass(frozen=True)
class Home:
    """Where the jars are: of Flink, and of the job server with all that Beam needs."""

    folder: Path

    @property
    def flink(self) -> Path:
        return self.folder / "flink"

    @property
    def job_server(self) -> Path:
        return self.folder / "job-server"


def home() -> Home:
    """What `make flink` fetched. Raises SetupError if it did not."""
    place = _place()
    if not place.exists():
        raise SetupError(f"there is no Flink at {place}; run `make flink`")
    return Home(place)


def get_flink() -> Home:
    """Fetches it, if it is not there. Of several processes that want it, one does."""
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    with alone_in(place.parent):
        if not place.exists():
            sys.stderr.write("fetching Flink and its job server, once; this takes some minutes\n")
            _fetch(place)
    return Home(place)


def _place() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    pinned = b"".join((PINNED / name).read_bytes() for name in _NAMES)
    return Path(caches) / "meterbeam" / f"flink-{hashlib.sha256(pinned).hexdigest()[:8]}"


def _fetch(place: Path) -> None:
    """Made beside its place, so that it gets there whole, in one step."""
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".flink-") as name:
        made = Path(name, "made")
        made.mkdir()
        _fetch_job_server(Home(made).job_server)
        _fetch_flink(Path(name), Home(made).flink)
        made.rename(place)


def _fetch_job_server(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise SetupError(f"there is no mvn: {_HOW}")
    goal = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"
    _run([maven, "-q", "-B", "-f", str(PINNED / "pom.xml"), goal, f"-DoutputDirectory={folder}"])
    sums = dict(line.split()[::-1] for line in (PINNED / "jars.sha256").read_text().splitlines())
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.iterdir()}
    other = sorted(name for name in sums | found if sums.get(name) != found.get(name))
    if other:
        raise SetupError(f"Maven gave other jars than were pinned: {', '.join(other[:5])}")


def _fetch_flink(folder: Path, lib: Path) -> None:
    """From the sdist, which pip checks. Wheels of it are none, and its build is not wanted."""
    pinned = ["--require-hashes", "-r", str(PINNED / "requirements.txt")]
    only = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    _run([sys.executable, "-m", "pip", "download", "-q", "-d", str(folder), *only, *pinned])
    (sdist,) = folder.glob("apache-flink-libraries-*.tar.gz")
    lib.mkdir()
    with tarfile.open(sdist) as archive:
        for member in archive:
            parts = Path(member.name).parts
            if member.isfile() and parts[1:3] == ("deps", "lib"):
                content = archive.extractfile(member)
                (lib / parts[-1]).write_bytes(content.read() if content else b"")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise SetupError(f"{Path(command[0]).name} failed; {_HOW}\n{said}")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{get_flink().folder}\n")
    except SetupError as error:
        sys.exit(str(error))
