r"""Paths: how a catalog names a field of a JSON record.

A path is keys joined by dots, each going one object down: `llm.model`. A key that holds a dot, or
begins or ends with a space, is written in double quotes (`usage."gpt-4.1"`), in which `\"` and
`\\` are a quote and a backslash. A path that begins with `$.` starts at the whole record, any
other where the source keeps its properties.
"""

import re
from dataclasses import dataclass

MAX_KEYS = 512  # a record nested deeper than this is refused, so a longer path finds nothing

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r'[^."][^.]*')
_INDEX = re.compile(r"\[(?:\d*|\*)\]")


@dataclass(frozen=True)
class Path:
    """Where a field is: its keys, from the whole record or from the source's properties."""

    whole_record: bool
    keys: tuple[str, ...]

    @property
    def dotted(self) -> str:
        """The keys joined by dots, without quotes: the name of a dimension given as a bare path."""
        return ".".join(self.keys)


def parse_path(text: str) -> Path:
    """Read a path as a catalog writes it; ValueError says what is wrong with it."""
    if text in {"", "$", "$.", "."}:
        raise ValueError("a path must name a field")
    whole_record = text.startswith("$.")
    keys = tuple(_keys(text, 2 if whole_record else 0))
    if len(keys) > MAX_KEYS:
        raise ValueError(f"a path has at most {MAX_KEYS} keys, this one has {len(keys)}")
    return Path(whole_record, keys)


def _keys(text: str, start: int) -> list[str]:
    keys = []
    while True:
        key, end = (
            _quoted_key(text, start) if text[start : start + 1] == '"' else _bare_key(text, start)
        )
        keys.append(key)
        if end == len(text):
            return keys
        if text[end] != ".":
            raise ValueError(f"after {text[start:end]} comes a dot or the end, not {text[end]!r}")
        start = end + 1


def _quoted_key(text: str, start: int) -> tuple[str, int]:
    match = _QUOTED.match(text, start)
    if match is None:
        raise ValueError(f"the double quote at character {start + 1} is not closed")
    return _unescaped(match[1]), match.end()


def _unescaped(quoted: str) -> str:
    for escape in re.findall(r"\\(.)", quoted, re.DOTALL):
        if escape not in '"\\':
            raise ValueError(
                f'in quotes a backslash comes before " or \\ only, not before {escape!r}'
            )
    return re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)


def _bare_key(text: str, start: int) -> tuple[str, int]:
    match = _BARE.match(text, start)
    if match is None:
        raise ValueError("there is an empty key: two dots in a row, or one at an end")
    key = match[0]
    if '"' in key:
        raise ValueError(
            f'{key}: double quotes go around a whole key; one that is part of it is \\" inside them'
        )
    if key != key.strip():
        raise ValueError(f'{key!r} begins or ends with a space; if the key does, write "{key}"')
    if _INDEX.search(key):
        raise ValueError(
            f'{key}: a path does not go into arrays; if this is the whole key, write "{key}"'
        )
    return key, match.end()
