"""Builds Prism, Beam's engine for one machine, from the source of the release that is installed.

It is put where every checkout and installation of a user finds it. Four places of the source are
changed before, each for the reason that stands with it; a release's own binary runs streams too.
`python -m pipelines.build_prism`, or `make prism`.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

VERSION = f"v{version('apache-beam')}"
MODULE = "github.com/apache/beam/sdks/v2"
PROGRAM = f"{MODULE}/go/cmd/prism"
_OF_PRISM = "go/pkg/beam/runners/prism/internal"
_GO = "Go 1.26 or newer, from https://go.dev/dl/"


class BuildError(Exception):
    """Prism could not be built; the text says what to do."""


@dataclass(frozen=True)
class Change:
    """A text that stands in a file of the source just once, and the text in its place."""

    file: str
    old: str
    new: str


CHANGES = (
    # whoever reaches its port may have any program run, so only this machine may
    Change(
        "jobservices/server.go",
        'net.Listen("tcp", fmt.Sprintf(":%d", port))',
        'net.Listen("tcp", fmt.Sprintf("localhost:%d", port))',
    ),
    # a closed channel is ready again and again: one core spun from the last output of a bundle to
    # its end, and all the time in a stage without outputs
    Change(
        "stage.go",
        "\t\tcase <-dataReady:\n\t\t\tdataFinished = true\n",
        "\t\tcase <-dataReady:\n\t\t\tdataFinished = true\n\t\t\tdataReady = nil\n",
    ),
    # a timer whose key is at work was tried again at once, thousands of times, each with a new
    # goroutine that waited for the lock which the end of that work needs; that end looks at the
    # timers anyway
    Change(
        "engine/elementmanager.go",
        "\t\tem.processTimeEvents.Schedule(v.firing, ss.ID)\n"
        "\t\tem.wakeUpAt(v.firing)\n"
        "\t}\n\n"
        "\t// Add a refresh if there are still processing time events to process.\n",
        "\t\tif !em.config.EnableRTC {\n"
        "\t\t\tem.processTimeEvents.Schedule(v.firing, ss.ID)\n"
        "\t\t}\n"
        "\t}\n"
        "\tif em.config.EnableRTC && len(notYet) > 0 {\n"
        "\t\tem.processTimeEvents.Schedule(emNow+10, ss.ID)\n"
        "\t\tem.wakeUpAt(emNow + 10)\n"
        "\t}\n\n",
    ),
    Change(
        "engine/elementmanager.go",
        "nextTime != mtime.MaxTimestamp || len(notYet) > 0)",
        "nextTime != mtime.MaxTimestamp || len(notYet) > 0 && !em.config.EnableRTC)",
    ),
)


def built_prism() -> Path:
    """Where it is put: named after the release and what is changed in it."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    changes = hashlib.sha256(repr(CHANGES).encode()).hexdigest()[:8]
    return Path(caches) / "meterbeam" / f"prism-{VERSION}-{changes}"


def build_prism() -> Path:
    """Builds it, if it is not there yet. Raises BuildError."""
    target = built_prism()
    if target.exists():
        return target
    go = shutil.which("go")
    if go is None:
        raise BuildError(f"there is no Go on the PATH; Prism needs {_GO}")
    target.parent.mkdir(parents=True, exist_ok=True)
    # beside its place, so that the finished program gets there in one step
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as name:
        folder = Path(name)
        source = _unpack(_fetch(go), folder)
        for change in CHANGES:
            _apply(change, source)
        environment = os.environ | {"GOBIN": str(folder / "bin")}
        _run([go, "install", "-trimpath", "-buildvcs=false", "./go/cmd/prism"], source, environment)
        (folder / "bin" / "prism").replace(target)
    return target


def _fetch(go: str) -> Path:
    """The module as Go has it: a zip file, checked against Go's own sums."""
    answer = _run([go, "mod", "download", "-json", f"{MODULE}@{VERSION}"], Path.home())
    return Path(json.loads(answer)["Zip"])


def _unpack(module: Path, folder: Path) -> Path:
    root = f"{MODULE}@{VERSION}/"
    wanted = (root + "go/", root + "go.mod", root + "go.sum")
    with zipfile.ZipFile(module) as archive:
        archive.extractall(folder, [n for n in archive.namelist() if n.startswith(wanted)])
    return folder / root


def _apply(change: Change, source: Path) -> None:
    file = source / _OF_PRISM / change.file
    text = file.read_text()
    if text.count(change.old) != 1:
        raise BuildError(f"{change.file} of Beam {VERSION} is another than was expected")
    file.write_text(text.replace(change.old, change.new))


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(  # noqa: S603 - the Go that the user has
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise BuildError(f"{' '.join(command[:3])} failed; Prism needs {_GO}\n{said}")
    return done.stdout


def main() -> None:
    """Builds it, and says where it is or what is missing."""
    if named := os.environ.get("METERBEAM_PRISM"):
        sys.stderr.write(f"METERBEAM_PRISM is {named}: nothing to build\n")
        return
    if not built_prism().exists():
        sys.stderr.write(f"building Prism {VERSION}, once; this takes some minutes\n")
    try:
        sys.stdout.write(f"{build_prism()}\n")
    except BuildError as error:
        sys.exit(
            f"{error}\n"
            "or set METERBEAM_PRISM to a Prism you have; releases of it are at\n"
            f"https://github.com/apache/beam/releases/tag/{VERSION}"
        )


if __name__ == "__main__":
    main()
