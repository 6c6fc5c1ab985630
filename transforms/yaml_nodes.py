"""What a YAML file holds, as texts, lists and mappings that know their lines."""

from dataclasses import dataclass, field
from typing import Any


class Null(str):
    """A value that YAML calls null: where a text is wanted, it is the text as written."""

    __slots__ = ()


@dataclass(frozen=True)
class Scalar:
    """A text as written, with the line it begins on."""

    text: str
    line: int
    size: int = 1

    def plain(self) -> str:
        """Give the text."""
        return self.text


@dataclass
class Items:
    """A list; `size` counts the values in it, those of an alias each time it is used."""

    line: int
    items: "list[Node]" = field(default_factory=list)
    size: int = 1

    def plain(self) -> list[Any]:
        """Give the list without lines."""
        return [item.plain() for item in self.items]


@dataclass
class Entries:
    """A mapping, with the line of each key; `size` as of a list."""

    line: int
    values: "dict[str, Node]" = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    size: int = 1

    def plain(self) -> dict[str, Any]:
        """Give the mapping without lines."""
        return {key: node.plain() for key, node in self.values.items()}


Node = Scalar | Items | Entries
