"""What a user names as input, found and checked before anything is read or written."""

import difflib
import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipelines.remote_files import ask_no_credentials

Kind = Literal["lines", "csv", "parquet", "archive", "table"]
Compression = Literal["gzip", "zstd"]

_KINDS: dict[str, Kind] = {
    ".ndjson": "lines",
    ".jsonl": "lines",
    ".csv": "csv",
    ".parquet": "parquet",
}
_COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
_READ = ".ndjson, .jsonl and .csv (each also with .gz or .zst) and .parquet are read"
_LIVE = ("pubsub://", "tail:")
_REMOTE = "gs://"
_TABLE = "bigquery://"


class InputErrors(Exception):  # noqa: N818 - one error with everything that is wrong
    """Inputs that are not there or cannot be read; `problems` has all that is wrong with them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True)
class InputFile:
    """One file to read, or an earlier output: a folder (`archive`) or a dataset (`table`).

    path: absolute, or an address; kind: how it is read; compression: None for none; size: its bytes
    as stored (of an earlier output, those of its events, finished runs or not).
    """

    path: str
    kind: Kind
    compression: Compression | None
    size: int

    @property
    def holds_events(self) -> bool:
        """Whether it is an earlier output, whose events say how and when they came."""
        return self.kind in {"archive", "table"}


class _ProblemError(Exception):
    """One thing that is wrong with one input."""


def find_inputs(patterns: Sequence[str]) -> list[InputFile]:
    """Files that the patterns name, each once, in the order of the patterns, then of their names.

    A pattern is a local path or glob, a gs:// address or glob, the folder of an earlier output, or
    bigquery://project.dataset.events, those of a dataset. Raises InputErrors with every problem
    there is.
    """
    found: dict[str, InputFile] = {}
    problems = []
    for pattern in patterns:
        try:
            for file in _find(pattern):
                found.setdefault(file.path, file)
        except _ProblemError as problem:
            problems.append(f"{pattern}: {problem}")
        except InputErrors as error:
            problems += error.problems
        except OSError as error:  # of a folder on the way
            problems.append(f"{pattern}: cannot be read: {error.strerror or error}")
    if problems:
        raise InputErrors(list(dict.fromkeys(problems)))
    return list(found.values())


def _find(pattern: str) -> list[InputFile]:
    if pattern.startswith(_LIVE):
        raise _ProblemError("this kind of input is read with --streaming")
    if pattern.startswith(_TABLE):
        return [_table(pattern)]
    if pattern.startswith(_REMOTE):
        return [_input_file(path, size) for path, size in _remote(pattern)]
    if "://" in pattern and not Path(pattern).exists():
        raise _ProblemError("inputs are local paths, or begin with gs:// or bigquery://")
    if not pattern:
        raise _ProblemError("an input without a name")
    return [_local_input(path) for path in _local(pattern)]


def _input_file(path: str, size: int) -> InputFile:
    kind, compression = _kind_of(path)
    return InputFile(path, kind, compression, size)


def _kind_of(path: str) -> tuple[Kind, Compression | None]:
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    compression = _COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    if compression:
        suffixes.pop()
    kind = _KINDS.get(suffixes[-1]) if suffixes else None
    if kind is None or (compression and kind == "parquet"):
        name = Path(path).name
        raise _ProblemError(f"the name {name} does not say a kind of file that is read: {_READ}")
    return kind, compression


def _local(pattern: str) -> list[Path]:
    """What a local pattern names, absolute: the file of that name, or what a glob matches."""
    path = absolute(pattern)
    if path.exists() or path.is_symlink():
        return [path]
    if not glob.has_magic(str(path)):
        raise _ProblemError(f"nothing is there{nearest_name(path)}")
    # Path.glob wants to know where the part with the wildcards begins
    names = glob.glob(str(path), recursive=True)  # noqa: PTH207
    matched = sorted(map(Path, names))
    # a folder beside the files that a glob means is passed over, unless it is an output
    files = [each for each in matched if not each.is_dir() or is_output(each)]
    if not files:
        raise _ProblemError(f"no file matches{nearest_name(path)}")
    within = next(each for each in path.parents if not glob.has_magic(str(each)))
    for each in files:
        if leads_out(each, within):
            raise _ProblemError(f"{each} is a link that leads out of {within}; name it by itself")
    return files


def leads_out(path: Path, folder: Path) -> bool:
    """Whether a path in a folder leads, by a link, to a place that is not in it."""
    real = os.path.realpath(folder)
    return not Path(os.path.realpath(path)).is_relative_to(real)


def absolute(pattern: str) -> Path:
    """The path that a text names, absolute."""
    # not resolve(): origins name the path that was given, not where a link leads
    return Path(os.path.abspath(os.path.expanduser(pattern)))  # noqa: PTH100, PTH111


def nearest_name(path: Path) -> str:
    """A hint at the name most like the first one that is missing on the way to a path."""
    missing = next((each for each in (*reversed(path.parents), path) if not each.exists()), path)
    if glob.has_magic(missing.name):
        return ""
    names = sorted(each.name for each in missing.parent.iterdir())
    near = difflib.get_close_matches(missing.name, names, 1)
    where = "" if missing == path else f": {missing} does not exist"
    return f"{where}; did you mean {missing.parent / near[0]}?" if near else where


def is_output(folder: Path) -> bool:
    """Whether a folder holds what an earlier run wrote."""
    tables = (folder / "events").is_dir() and (folder / "runs").is_dir()
    return tables or (folder / "warehouse.duckdb").is_file()


def _local_input(path: Path) -> InputFile:
    try:
        if path.is_dir():
            return _archive(path)
        file = _input_file(str(path), path.stat().st_size)
        if not path.is_file():
            raise _ProblemError(f"{path} is no regular file")
        with path.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        raise _ProblemError(f"{path} cannot be read: {error.strerror or error}") from error
    return file


def _archive(folder: Path) -> InputFile:
    if not is_output(folder):
        raise _ProblemError(
            f"the folder {folder} is no earlier output (it has no events and runs);"
            f" name the files in it, as in {folder / '*.ndjson'}"
        )
    size = sum(each.stat().st_size for each in (folder / "events").glob("*/**/[!.]*.parquet"))
    return InputFile(str(folder), "archive", None, size)


def _table(text: str) -> InputFile:
    # the service's client takes a while to import, and files do without
    from pipelines.inputs.bigquery import find_table  # noqa: PLC0415

    path, size = find_table(text)
    return InputFile(path, "table", None, size)


def _remote(pattern: str) -> Iterator[tuple[str, int]]:
    """Addresses and sizes of what a gs:// pattern names."""
    # Beam takes seconds to import, and local files do without
    from apache_beam.io.filesystem import BeamIOError  # noqa: PLC0415
    from apache_beam.io.filesystems import FileSystems  # noqa: PLC0415

    ask_no_credentials()
    try:
        # in brackets a glob character stands for itself: the name as it is, before it is a glob
        named = [glob.escape(pattern[len(_REMOTE) :])] if glob.has_magic(pattern) else []
        found: list[Any] = []
        for each in (*(f"{_REMOTE}{name}" for name in named), pattern):
            found = found or FileSystems.match([each])[0].metadata_list
    except (BeamIOError, OSError, ValueError) as error:
        raise _ProblemError(f"cannot be listed: {error}") from error
    files = sorted((each.path, each.size_in_bytes) for each in found)
    files = [(path, size) for path, size in files if not path.endswith("/")]
    if not files:
        raise _ProblemError("no file matches; a folder is named by its files, as in gs://b/f/*.csv")
    yield from files
