"""Where rate tables are read from: a file, or a folder's `*.csv`, local or remote."""

from pathlib import Path

from rates.problems import RateErrors, RateProblem


def read_rate_files(path: str) -> list[tuple[str, bytes]]:
    """Read the rate tables at a path: one file, or a folder's `*.csv` in the order of their names.

    Remote paths (`gs://…`) are read through Beam's file systems. Returns names and contents;
    raises RateErrors where nothing is there or it cannot be read.
    """
    try:
        files = _remote(path) if "://" in path else _local(Path(path))
    except OSError as error:
        raise RateErrors([RateProblem(path, None, f"cannot be read: {error}")]) from error
    if files is None:
        raise RateErrors([RateProblem(path, None, "there is no such file or folder")])
    if not files:
        raise RateErrors([RateProblem(path, None, "the folder holds no *.csv")])
    return files


def _local(path: Path) -> list[tuple[str, bytes]] | None:
    if path.is_dir():
        found = sorted(each for each in path.glob("*.csv") if _is_table(each.name))
        return [(str(each), each.read_bytes()) for each in found]
    return [(str(path), path.read_bytes())] if path.exists() else None


def _remote(path: str) -> list[tuple[str, bytes]] | None:
    # Beam takes seconds to import, and a local table does without
    from apache_beam.io.filesystem import CompressionTypes  # noqa: PLC0415
    from apache_beam.io.filesystems import FileSystems  # noqa: PLC0415

    def names(pattern: str) -> list[str]:
        return sorted(each.path for each in FileSystems.match([pattern])[0].metadata_list)

    def content(name: str) -> bytes:
        with FileSystems.open(name, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            return bytes(file.read())

    folder = f"{path.rstrip('/')}/"
    try:
        found = [] if path == folder else names(path)
        found = found or [each for each in names(f"{folder}*.csv") if _is_table(_last(each))]
        return [(each, content(each)) for each in found] or None
    except Exception as error:  # every cloud's client fails in kinds of its own
        raise OSError(str(error)) from error


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _is_table(name: str) -> bool:
    # a hidden file is some other program's note about the folder
    return not name.startswith(".")
