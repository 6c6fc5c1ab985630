"""Which Prism to run: Beam's engine for one machine, a program of its own, written in Go.

It is looked for where `make prism` puts it and where other ways of getting it leave it; Beam's own
download is the last resort.
"""

import logging
import mmap
import os
import re
import shutil
import socket
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions, PrismRunnerOptions
from apache_beam.runners.portability.prism_runner import PrismJobServer

from pipelines.build_prism import MODULE, PROGRAM, VERSION, built_prism
from pipelines.notices import notify
from pipelines.problems import UserError

# what Go's linker writes into every program: its package, and then the version of its module
_BUILD = re.compile(
    rb"path\t" + re.escape(PROGRAM.encode()) + rb"\nmod\t" + re.escape(MODULE.encode()) + rb"\t"
    rb"(v[0-9][0-9A-Za-z.+-]*)?"
)
_FETCH_S = 5.0  # for each answer of a server, not for the whole


def get_prism(options: PipelineOptions) -> Path:
    """The binary to run. Raises UserError, with all the ways out, if there is none."""
    path = find_prism(options) or _download(options)
    build = _build(path)
    if build and build[1] and build[1].decode() != VERSION:
        said = f"warning: {path} is of Beam {build[1].decode()}, but Beam here is {VERSION}"
        notify(said, logging.WARNING)
    return path


def find_prism(options: PipelineOptions) -> Path | None:
    """The binary that is named, or else one that is on this machine, best of this Beam's version.

    Raises UserError if the one that is named is not there.
    """
    named = options.view_as(PrismRunnerOptions).prism_location
    if named:
        return _named("--prism_location", named, options)
    if named := os.environ.get("METERBEAM_PRISM"):
        location = PipelineOptions([f"--prism_location={named}"])
        return _named("METERBEAM_PRISM", named, location)
    other = None
    for path in _usual_places():
        build = _build(path)
        if build and build[1] in (None, VERSION.encode()):
            return path
        other = other or (path if build else None)
    return other


def _usual_places() -> Iterator[Path]:
    yield built_prism()
    yield built_prism().with_name(f"prism-{VERSION}")  # put there by hand
    if found := shutil.which("prism"):
        yield Path(found)
    if folder := os.environ.get("GOBIN"):
        yield Path(folder, "prism")
    for folder in filter(None, os.environ.get("GOPATH", "").split(os.pathsep)):
        yield Path(folder, "bin", "prism")
    yield Path.home() / "go" / "bin" / "prism"
    with suppress(ValueError):  # Beam has none for this kind of machine
        release = PrismJobServer(PipelineOptions([])).path_to_binary()
        yield Path(PrismJobServer.BIN_CACHE, Path(release).stem)


def _build(path: Path) -> re.Match[bytes] | None:
    """What a program says of how it was built, if it is Prism: others have that name too."""
    if not (path.is_file() and os.access(path, os.X_OK) and path.stat().st_size):
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = _BUILD.search(content)
        return found and _BUILD.search(found[0])  # of bytes that outlive the file


def _named(by: str, location: str, options: PipelineOptions) -> Path:
    """A binary that the user names: a file, the zip file of a release, or an address of either."""
    path = Path(location).expanduser()
    if "://" in location or zipfile.is_zipfile(path):
        try:
            return _fetch(options)
        except Exception as error:
            raise UserError(f"{by} {location}: {error}") from error
    if not path.is_file():
        raise UserError(f"{by} {location}: no such file")
    if not os.access(path, os.X_OK):
        raise UserError(f"{by} {location}: not executable; chmod +x it")
    return path.absolute()


def _download(options: PipelineOptions) -> Path:
    try:
        return _fetch(options)
    except Exception as error:  # whatever keeps Beam from it
        raise UserError(
            f"no Prism {VERSION}, which runs streams on this machine, and {error}\n"
            "the ways out:\n"
            "  make prism                 builds it, with Go 1.26; so does, without a checkout,\n"
            "                             python -m pipelines.build_prism\n"
            "  --prism_location FILE      one you have, or METERBEAM_PRISM=FILE; releases are at\n"
            f"                             https://github.com/apache/beam/releases/tag/{VERSION}"
        ) from error


def _fetch(options: PipelineOptions) -> Path:
    """Beam's own way: from a release into Beam's own cache, if it is not there."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_FETCH_S)
    try:
        location = PrismJobServer(options).path_to_binary()
        named = options.view_as(PrismRunnerOptions).prism_location is not None
        if "://" in location:
            notify(f"fetching {location}")
        # the cache is named, or else it would be unpacked into the folder one is in
        cache = PrismJobServer.BIN_CACHE
        return Path(PrismJobServer.local_bin(location, cache, ignore_cache=named))
    finally:
        socket.setdefaulttimeout(before)
