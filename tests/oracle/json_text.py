"""A strict reader of one JSON text (RFC 8259) that keeps scalars as they are written.

It is a table of what may follow what, so that nesting costs no recursion and each rule is a line.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

MAX_LEVELS = 512


@dataclass(frozen=True)
class Number:
    """A JSON number, as written."""

    text: str


Json: TypeAlias = "bool | str | Number | list[Json] | dict[str, Json] | None"


class NotJsonError(ValueError):
    """The text is not one JSON value within the limits of the contract."""


@dataclass(frozen=True)
class Reading:
    """A value, and whether some object in it has a field twice.

    A field written twice has no value: it is left out of its object.
    """

    value: Json
    duplicate_field: bool


NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_ESCAPE = r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
_TOKEN = re.compile(
    rf'(?P<string>"(?:[^"\\\x00-\x1f]|{_ESCAPE})*+")'
    rf"|(?P<number>{NUMBER.pattern})|(?P<word>true|false|null)|(?P<mark>[\[\]{{}}:,])"
)
_WHITE_SPACE = re.compile(r"[ \t\n\r]*")
_SHORT_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}

# What the reader may wait for.
Wants: TypeAlias = Literal[
    "value", "first item", "next item", "first field", "field", "colon", "next field", "end"
]


@dataclass
class _Open:
    """An object or array that has not been closed yet."""

    mark: str
    items: list[Json] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    @property
    def twice(self) -> set[str]:
        return {name for name, times in Counter(self.names).items() if times > 1}

    def value(self) -> Json:
        if self.mark == "[":
            return self.items
        twice = self.twice
        pairs = zip(self.names, self.items, strict=True)
        return {name: item for name, item in pairs if name not in twice}


class _Reader:
    """Takes token after token; `wants` says which may come next."""

    def __init__(self) -> None:
        self.open: list[_Open] = []
        self.wants: Wants = "value"
        self.result: Json = None
        self.duplicate_field = False

    def take(self, kind: str, text: str) -> None:
        match self.wants, kind, text:
            case (("first field" | "field"), "string", _):
                self.open[-1].names.append(_text(text))
                self.wants = "colon"
            case (("value" | "first item"), ("string" | "number" | "word"), _):
                self._put(_scalar(kind, text))
            case (("value" | "first item"), _, ("[" | "{")):
                self._enter(text)
            case (("first item" | "next item"), _, "]") | (("first field" | "next field"), _, "}"):
                self._leave()
            case ("colon", _, ":") | ("next item", _, ","):
                self.wants = "value"
            case ("next field", _, ","):
                self.wants = "field"
            case _:
                raise NotJsonError(f"{text[:20]!r} where {self.wants} should be")

    def _enter(self, mark: str) -> None:
        self.open.append(_Open(mark))
        if len(self.open) > MAX_LEVELS:
            raise NotJsonError("too many levels")
        self.wants = "first item" if mark == "[" else "first field"

    def _leave(self) -> None:
        closed = self.open.pop()
        self.duplicate_field |= bool(closed.twice)
        self._put(closed.value())

    def _put(self, value: Json) -> None:
        if not self.open:
            self.result = value
            self.wants = "end"
        else:
            self.open[-1].items.append(value)
            self.wants = "next item" if self.open[-1].mark == "[" else "next field"


def read_json(text: str) -> Reading:
    """Read one value, exactly; raises NotJsonError."""
    reader = _Reader()
    for kind, token in _tokens(text):
        reader.take(kind, token)
    if reader.wants != "end":
        raise NotJsonError(f"the text ends where {reader.wants} should be")
    return Reading(reader.result, reader.duplicate_field)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = _skip(text, 0)
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise NotJsonError(f"no JSON at {at}")
        yield str(found.lastgroup), found.group()
        at = _skip(text, found.end())


def _skip(text: str, at: int) -> int:
    found = _WHITE_SPACE.match(text, at)
    return found.end() if found else at


def _scalar(kind: str, token: str) -> Json:
    if kind == "string":
        return _text(token)
    return Number(token) if kind == "number" else _WORDS[token]


def _text(token: str) -> str:
    """Decode a string literal; a surrogate that is not half of a pair is not JSON."""
    text = re.sub(_ESCAPE, lambda found: _character(found.group()), token[1:-1])
    try:
        # Two escapes that are a pair become one character here.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise NotJsonError("a lone surrogate") from None


def _character(escape: str) -> str:
    if escape[1] == "u":
        return chr(int(escape.removeprefix(r"\u"), base=16))
    return _SHORT_ESCAPES.get(escape[1], escape[1])
