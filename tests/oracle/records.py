"""Cutting the bytes of an NDJSON file into records."""

from dataclasses import dataclass

_WHITE_SPACE = b" \t\r\n"


@dataclass(frozen=True)
class Record:
    """One line as it came: `offset` is where it starts in the file, `raw` has no line end."""

    path: str
    offset: int
    raw: bytes

    @property
    def origin(self) -> str:
        """Where the record comes from, as the tables write it."""
        return f"{self.path}:{self.offset}"


def split_records(path: str, content: bytes) -> list[Record]:
    r"""Give the lines that are not white space; `\n` and `\r\n` end one, a lone `\r` does not."""
    found = []
    offset = 0
    for line in content.split(b"\n"):
        ended = offset + len(line) < len(content)
        raw = line[:-1] if ended and line.endswith(b"\r") else line
        if raw.strip(_WHITE_SPACE):
            found.append(Record(path, offset, raw))
        offset += len(line) + 1
    return found
