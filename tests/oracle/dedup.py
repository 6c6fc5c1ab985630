"""Which events are accepted, which repeat one, and which contradict one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from oracle.amounts import as_number, exact
from oracle.catalog import Meter
from oracle.events import Event, as_text, find
from oracle.json_text import Json, Number


@dataclass(frozen=True)
class Standing:
    """An event and its outcome: accepted, duplicate or conflict."""

    event: Event
    outcome: str


def deduplicate(events: Iterable[Event], meters: Sequence[Meter]) -> Iterator[Standing]:
    """Let the first of each key hold it; `meters` are all that the catalog has."""
    first: dict[tuple[object, ...], Event] = {}
    for event in sorted(events, key=lambda event: event.order):
        holder = first.setdefault(event.key, event)
        if holder is event:
            yield Standing(event, "accepted")
        else:
            same = _facts(event, meters) == _facts(holder, meters)
            yield Standing(event, "duplicate" if same else "conflict")


def _facts(event: Event, meters: Sequence[Meter]) -> list[object]:
    """All that the meters of its type can see of an event."""
    facts: list[object] = [event.customer_id, event.event_type, event.event_time]
    for meter in meters:
        if event.event_type in meter.event_types:
            facts += [_fact(find(event.content, keys)) for _, keys in meter.dimensions]
            facts += [_fact(find(event.content, keys)) for keys, _ in meter.where]
            value = find(event.content, meter.value) if meter.value else None
            number = as_number(value) if meter.reads_numbers else None
            facts.append(_fact(value) if number is None else number)
    return facts


def _fact(value: Json) -> object:
    return canonical(value) if isinstance(value, dict | list) else as_text(value)


def canonical(value: Json) -> list[object]:
    """Give equal lists for equal JSON values, whatever the order of fields or spelling of numbers.

    Each object or array says how many values of its own follow, so no two values share a list.
    """
    seen: list[object] = []
    waiting: list[Json] = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            names = sorted(node)
            seen.append(("object", names))
            waiting += [node[name] for name in names]
        elif isinstance(node, list):
            seen.append(("array", len(node)))
            waiting += node
        else:
            seen.append(exact(node.text) if isinstance(node, Number) else ("word", node))
    return seen
