"""YAML read for its texts and lines: no scalar becomes a number, a boolean or a date.

Nothing is made from tags, and a file that aliases expand beyond reason is refused unexpanded.
"""

import yaml
from yaml.reader import Reader

from transforms.catalog_problems import Location, Problem, key_text, shown
from transforms.yaml_mistakes import YamlMistake, explain
from transforms.yaml_nodes import Entries, Items, Node, Null, Scalar

DEEPEST = 50
MOST_EXPANDED = 100_000  # values that aliases may add to those written out

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TEXT_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str"})
_FRAMES = (yaml.StreamStartEvent, yaml.DocumentStartEvent, yaml.DocumentEndEvent)


def read_yaml(file: str, content: bytes) -> tuple[Node | None, list[Problem]]:
    """Read a file of one YAML document, and find all that is wrong with it as YAML.

    There is no node where the file holds nothing, or cannot be read to its end: then the last
    problem says why.
    """
    builder, text = None, ""
    try:
        text = _decode(content)
        builder = _Builder(file, text)
        return builder.document(), builder.problems
    except yaml.MarkedYAMLError as error:
        mistake = explain(error, text.splitlines())
    except YamlMistake as error:
        mistake = error
    found = builder.problems if builder else []
    return None, [*found, Problem(file, mistake.line, "", str(mistake))]


def _decode(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise YamlMistake(line, "the file is not UTF-8 text from here on") from None
    odd = Reader.NON_PRINTABLE.search(text)
    if odd:
        line = text[: odd.start()].count("\n") + 1
        raise YamlMistake(line, f"YAML does not take the character {odd[0]!r} as it is")
    return text


class _Builder:
    """Makes nodes of the parser's events."""

    def __init__(self, file: str, text: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._events = yaml.parse(text, Loader=yaml.SafeLoader)
        self._line = 1  # of the last event
        self._anchors: dict[str, Node | None] = {}  # None while the node is being read
        self._written = 0

    def document(self) -> Node | None:
        """Read the one document there may be."""
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        node = self._node(event, ())
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            raise YamlMistake(_line(after), "a second document begins here; a catalog is one")
        return None if isinstance(node, Scalar) and isinstance(node.text, Null) else node

    def _next(self) -> yaml.Event:
        try:
            event = next(event for event in self._events if not isinstance(event, _FRAMES))
        except (ValueError, OverflowError):
            said = "not YAML, here or soon after: an escape beyond Unicode, or too long a number"
            raise YamlMistake(self._line, said) from None
        self._line = _line(event)
        return event

    def _node(self, event: yaml.Event, at: Location) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if len(at) > DEEPEST:
            raise YamlMistake(_line(event), f"this is nested more than {DEEPEST} deep")
        self._check_tag(event, at)
        self._written += 1
        anchor = event.anchor if isinstance(event, yaml.NodeEvent) else None
        if anchor:
            self._anchors[anchor] = None
        node = self._new_node(event, at)
        if node.size > self._written + MOST_EXPANDED:
            raise YamlMistake(node.line, f"aliases make this more than {MOST_EXPANDED} values")
        if anchor:
            self._anchors[anchor] = node
        return node

    def _new_node(self, event: yaml.Event, at: Location) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, at)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._items(event, at)
        return self._entries(event, at)

    def _scalar(self, event: yaml.ScalarEvent, at: Location) -> Scalar:
        text = event.value
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._problem(_line(event), at, r"\ud800 to \udfff are no characters: use \U0001f600")
        null = event.implicit[0] and text in _NULLS
        return Scalar(Null(text) if null else text, _line(event))

    def _items(self, event: yaml.Event, at: Location) -> Items:
        node = Items(_line(event))
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            node.items.append(self._node(event, (*at, len(node.items))))
            node.size += node.items[-1].size
        return node

    def _entries(self, event: yaml.Event, at: Location) -> Entries:
        node = Entries(_line(event))
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            line, key = _line(event), self._key(event, at)
            value = self._node(self._next(), (*at, key or "?"))
            if key is None:
                continue
            if key in node.values:
                both = f"the key {shown(key)} is given twice, on lines {node.lines[key]} and {line}"
                self._problem(line, (*at, key), both)
                continue
            node.values[key], node.lines[key] = value, line
            node.size += value.size
        return node

    def _key(self, event: yaml.Event, at: Location) -> str | None:
        """Give the text of a key; None where it is no text, or one that YAML means something by."""
        node = self._node(event, (*at, "?"))
        if not isinstance(node, Scalar):
            self._problem(node.line, at, "a key must be a text, not a list or a mapping")
            return None
        if node.text == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
            self._problem(node.line, at, "<< does not merge mappings here: write the keys out")
            return None
        return str(node.text)

    def _alias(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            raise YamlMistake(_line(event), f"*{event.anchor} stands for nothing above it")
        node = self._anchors[event.anchor]
        if node is None:
            raise YamlMistake(_line(event), f"*{event.anchor} stands inside what it stands for")
        return node

    def _check_tag(self, event: yaml.Event, at: Location) -> None:
        tag = event.tag if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) else None
        if tag not in (_TEXT_TAGS if isinstance(event, yaml.ScalarEvent) else {None}):
            name = str(tag).replace("tag:yaml.org,2002:", "!!")
            self._problem(_line(event), at, f"the tag {name} has no meaning here: leave it out")

    def _problem(self, line: int, at: Location, message: str) -> None:
        self.problems.append(Problem(self._file, line, key_text(at), message))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
