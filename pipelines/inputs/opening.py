"""Input files opened for reading: local or remote, decompressed on the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from pipelines.inputs.block import InputReadError
from pipelines.inputs.find import InputFile


class Stream(Protocol):
    """What is read from an opened file."""

    def read(self, size: int, /) -> bytes:
        """Give up to `size` bytes more; none at the end."""
        ...

    def seek(self, offset: int, /) -> int:
        """Go on at an offset. Not of what is decompressed."""
        ...


@contextmanager
def opened(file: InputFile) -> Iterator[Stream]:
    """Open a file, as the bytes it holds once decompressed (gzip members and zstd frames in a row).

    What goes wrong while it is open is raised as InputReadError, with the file's name.
    """
    with naming(file.path), _raw(file.path) as raw:
        if file.compression is None:
            yield raw
            return
        source = pa.PythonFile(raw, mode="r")
        # damaged or cut short, it raises where the damage is, not at the start
        yield pa.CompressedInputStream(source, file.compression)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Name the file in errors of reading it, and make them one kind."""
    try:
        yield
    except (OSError, EOFError, pa.ArrowException) as error:
        raise InputReadError(f"{path} cannot be read: {error}") from error


@contextmanager
def _raw(path: str) -> Iterator[Stream]:
    if "://" not in path:
        # what is read is large, and a buffer in between only copies it once more
        with Path(path).open("rb", buffering=0) as local:
            yield local
        return
    # Beam takes seconds to import, and local files do without
    from apache_beam.io.filesystem import CompressionTypes  # noqa: PLC0415
    from apache_beam.io.filesystems import FileSystems  # noqa: PLC0415

    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as remote:
        yield remote
