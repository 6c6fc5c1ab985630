"""Pieces that wait to be brought together, in files where the runner would keep them in memory.

A runner within one process holds everything it shuffles, twice. So on one machine a piece is put
into a file and only its place is shuffled; on a cluster, whose runner has disks for that, pieces
travel as they are.
"""

import struct
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

_PLACE = struct.Struct("<qq")  # where a piece begins, and its length
_THREAD = threading.local()


@dataclass(frozen=True)
class Spill:
    """Where pieces wait: files in `folder`, one for each thread that writes, or nowhere (None)."""

    folder: str | None = None

    def put(self, piece: bytes) -> bytes:
        """What to shuffle instead of a piece. A retry puts it again, and the first is not read."""
        if self.folder is None:
            return piece
        path = Path(self.folder) / _own_name()
        with path.open("ab") as file:
            start = file.tell()
            file.write(piece)
        return _PLACE.pack(start, len(piece)) + str(path).encode()

    def get(self, shuffled: bytes) -> bytes:
        """The piece again."""
        if self.folder is None:
            return shuffled
        start, length = _PLACE.unpack_from(shuffled)
        with Path(shuffled[_PLACE.size :].decode()).open("rb") as file:
            file.seek(start)
            return file.read(length)


def _own_name() -> str:
    """A file name that this thread alone writes to."""
    if not hasattr(_THREAD, "name"):
        _THREAD.name = uuid.uuid4().hex
    name: str = _THREAD.name
    return name


IN_MEMORY = Spill()
