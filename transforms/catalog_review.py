"""All that is wrong with the content of a catalog file, each problem at its line and key."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from transforms.catalog import nearest
from transforms.catalog_model import (
    CatalogPart,
    Defaults,
    MeterPart,
    Part,
    SourcePart,
    TextPart,
    TimePart,
)
from transforms.catalog_problems import Location, Problem, key_text, shown
from transforms.catalog_repeats import repeats
from transforms.catalog_values import kind
from transforms.yaml_nodes import Entries, Items, Node

_WANTED = {
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "union_tag_not_found": "a list of paths, or a mapping of names to paths",
}


def review(file: str, tree: Node) -> tuple[CatalogPart | None, list[Problem]]:
    """Check the content of a file; there is a catalog where nothing is wrong."""
    content = tree.plain()
    problems = [_repeated(file, tree, *repeat) for repeat in repeats(content)]
    try:
        return CatalogPart.model_validate(content), problems
    except ValidationError as error:
        wrong = error.errors(include_url=False)
        return None, problems + [
            _problem(file, tree, each["loc"], _message(each)) for each in wrong
        ]


def _repeated(file: str, tree: Node, name: str, again: Location, first: Location) -> Problem:
    place, line = _locate(tree, first)
    case = "; columns know no upper and lower case" if "dimensions" in again else ""
    message = f"{shown(name)} is taken by {key_text(place)} on line {line}{case}"
    return _problem(file, tree, again, message)


def _message(error: ErrorDetails) -> str:
    """Say what pydantic found in the words of the catalog."""
    if error["type"] == "extra_forbidden":
        *place, key = error["loc"]
        return f"unknown key {shown(str(key))}{nearest(str(key), _part_at(place).keys())}"
    if error["type"] == "missing":
        return "is required"
    if error["type"] in _WANTED:
        wanted = _WANTED[error["type"]]
        if error["type"] == "list_type" and error["loc"] != ("meters",):
            wanted = "a text or a list of texts"
        return f"must be {wanted}, not {kind(error['input'])}"
    return str(error["ctx"]["error"]) if "error" in error.get("ctx", {}) else error["msg"]


def _part_at(location: list[str | int]) -> type[Part]:
    """Find the model of the mapping at a place."""
    match location:
        case ["defaults"]:
            return Defaults
        case ["meters", _]:
            return MeterPart
        case ["sources", _]:
            return SourcePart
        case ["sources", _, "timestamp" | "received_at"]:
            return TimePart
        case ["sources", _, _]:
            return TextPart
        case _:
            return CatalogPart


def _problem(file: str, tree: Node, location: Location, message: str) -> Problem:
    place, line = _locate(tree, location)
    return Problem(file, line, key_text(place), message)


def _locate(tree: Node, location: Location) -> tuple[Location, int]:
    """Follow a place as far down as the file goes.

    pydantic also names forms of a union and keys as such, which are no places in the file; a key
    that ought to be there is named, at the line of its mapping.
    """
    node, place, line = tree, [], tree.line
    for part in location:
        if isinstance(node, Items) and isinstance(part, int):
            node = node.items[part]
            line = node.line
        elif isinstance(node, Entries) and part in node.values:
            line, node = node.lines[str(part)], node.values[str(part)]
        elif isinstance(node, Entries) and part == location[-1] and part != "[key]":
            pass
        else:
            continue
        place.append(part)
    return tuple(place), line
