"""JSON trees that can be written in many spellings of one meaning."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn


@dataclass(frozen=True)
class OneOf:
    """JSON texts of one meaning; each time it is written, any of them is."""

    texts: tuple[str, ...]


Node: TypeAlias = "str | OneOf | list[Node] | Mapping[str, Node]"
Maybe: TypeAlias = "Node | None"  # None where nothing is written
Tree: TypeAlias = dict[str, Node]


def raw(*texts: str) -> OneOf:
    """Give a node of these JSON texts."""
    return OneOf(texts)


NULL = raw("null")


def _unescaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _in_ascii(text: str) -> str:
    return json.dumps(text).replace("/", "\\/")


def _all_escaped(text: str) -> str:
    units = text.encode("utf-16-be")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return '"' + "".join(f"\\u{pair}" for pair in pairs) + '"'


def _first_escaped(text: str) -> str:
    first, rest = text[:1], text[1:]
    return _all_escaped(first)[:-1].upper().replace("U", "u") + _unescaped(rest)[1:]


_QUOTES = (_unescaped, _unescaped, _unescaped, _in_ascii, _first_escaped, _all_escaped)
# white space before and after each mark
_GAPS = (("", ""), ("", ""), ("", " "), (" ", "\t"), ("\r", " \r "))


@dataclass(frozen=True)
class _Style:
    quote: Callable[[str], str]
    before: str
    after: str
    backwards: bool

    def write(self, draw: DrawFn, node: Node) -> str:
        if isinstance(node, str):
            return self.quote(node)
        if isinstance(node, OneOf):
            return node.texts[0] if len(node.texts) == 1 else draw(st.sampled_from(node.texts))
        if isinstance(node, list):
            return self._wrap("[", [self.write(draw, item) for item in node], "]")
        colon = f"{self.before}:{self.after}"
        fields = [self.quote(name) + colon + self.write(draw, node[name]) for name in node]
        return self._wrap("{", fields[::-1] if self.backwards else fields, "}")

    def _wrap(self, start: str, inner: list[str], end: str) -> str:
        joined = f"{self.before},{self.after}".join(inner)
        return f"{start}{self.after if inner else ''}{joined}{self.before if inner else ''}{end}"


def written(draw: DrawFn, node: Node) -> str:
    """Write a tree in some style: escapes, white space and the order of fields."""
    before, after = draw(st.sampled_from(_GAPS))
    quote = draw(st.sampled_from(_QUOTES))
    return _Style(quote, before, after, draw(st.booleans())).write(draw, node)


def put(tree: Tree, keys: tuple[str, ...], node: Maybe) -> None:
    """Set what is at the end of a path, unless there is no node or something else is on the way."""
    if node is None:
        return
    inside = tree
    for key in keys[:-1]:
        below = inside.setdefault(key, {})
        if not isinstance(below, dict):
            return
        inside = below
    # a copy, as a path may later lead into it
    inside[keys[-1]] = copied(node) if isinstance(node, dict) else node


def copied(tree: Tree) -> Tree:
    """Give a tree whose objects may be changed."""
    return {name: copied(node) if isinstance(node, dict) else node for name, node in tree.items()}
