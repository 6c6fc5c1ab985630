"""Sources: the built-in ones and mappings of one's own."""

import re
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from strategies.yaml_text import quoted, scalar

Keys: TypeAlias = tuple[str, ...]

_SEGMENT = re.compile(r'"([^"]*)"|([^."]+)')
_PLACES = {"epoch_s": 6, "epoch_ms": 3, "epoch_us": 0}


def keys_of(path: str) -> Keys:
    """Give the keys of a path without `$.`."""
    return tuple(quoted_key or key for quoted_key, key in _SEGMENT.findall(path))


@dataclass(frozen=True)
class TextPlan:
    """Where a text goes, or the constant that it is."""

    path: str | None
    const: str | None = None
    as_text: bool = False


@dataclass(frozen=True)
class TimePlan:
    """Where a time goes and how it is written; `places` is None for RFC 3339."""

    path: str
    places: int | None = None
    zone: bool = False


@dataclass(frozen=True)
class SourcePlan:
    """How to build a record so that this source reads it."""

    name: str
    event_type: TextPlan
    customer_id: TextPlan
    timestamp: TimePlan
    id: TextPlan | None
    received_at: TimePlan | None
    base: Keys
    objects: tuple[Keys, ...]
    yaml: str = ""

    @property
    def required(self) -> list[Keys]:
        """The paths that every record has to fill."""
        paths = (self.event_type.path, self.customer_id.path, self.timestamp.path)
        found = [*paths, self.received_at.path if self.received_at else None]
        return [keys_of(path) for path in found if path]

    def resolve(self, path: str) -> Keys:
        """Give the keys, from the root of the record, of a path that a meter writes."""
        return keys_of(path[2:]) if path.startswith("$.") else self.base + keys_of(path)


def _native(name: str, received_at: TimePlan | None) -> SourcePlan:
    return SourcePlan(
        name,
        TextPlan("event_type"),
        TextPlan("customer_id"),
        TimePlan("timestamp"),
        TextPlan("id"),
        received_at,
        ("properties",),
        (("properties",), ("metadata",)),
    )


BUILT_IN = (
    _native("native", None),
    _native("recorded", TimePlan("received_at")),
    SourcePlan(
        "cloudevents",
        TextPlan("type"),
        TextPlan("subject"),
        TimePlan("time"),
        TextPlan("id"),
        None,
        ("data",),
        (("data",),),
    ),
)


@st.composite
def mappings(draw: DrawFn, name: str) -> SourcePlan:
    """Draw a mapping of one's own, with the lines of YAML that say it."""
    kind = draw(st.sampled_from([None, TextPlan("kind"), TextPlan("meta.kind", as_text=True)]))
    event_type = kind or TextPlan(None, const=draw(st.sampled_from(["use", "NO"])))
    customer_path = draw(st.sampled_from(["auth.tenant", 'who."cust.omer"']))
    customer = TextPlan(customer_path, as_text=draw(st.booleans()))
    event_id = TextPlan("request.id", as_text=draw(st.booleans()))
    timestamp, time_yaml = draw(_times("ts"))
    received, received_yaml = draw(_times('log."ged.at"'))
    base = draw(st.sampled_from([".", "request", "body.data"]))
    lines = [f"  {name}:", f"    event_type: {_text(draw, event_type)}"]
    lines += [f"    customer_id: {_text(draw, customer)}", f"    timestamp: {time_yaml}"]
    has_id, has_received = draw(st.booleans()), draw(st.booleans())
    lines += [f"    id: {_text(draw, event_id)}"] if has_id else []
    lines += [f"    received_at: {received_yaml}"] if has_received else []
    lines.append(f"    properties: {base}")
    keys = () if base == "." else keys_of(base)
    return SourcePlan(
        name,
        event_type,
        customer,
        timestamp,
        event_id if has_id else None,
        received if has_received else None,
        keys,
        (keys,) if keys else (),
        "".join(f"{line}\n" for line in lines),
    )


def _text(draw: DrawFn, plan: TextPlan) -> str:
    if plan.path is None:
        return f"{{const: {quoted(plan.const or '')}}}"
    path = scalar(draw, plan.path)
    if plan.as_text:
        return f"{{path: {path}, as: text}}"
    return draw(st.sampled_from([path, f"{{path: {path}}}"]))


@st.composite
def _times(draw: DrawFn, path: str) -> tuple[TimePlan, str]:
    form = draw(st.sampled_from(["rfc3339", "zone", *_PLACES]))
    where = scalar(draw, path)
    if form == "rfc3339":
        written = draw(st.sampled_from([where, f"{{path: {where}, format: rfc3339}}"]))
        return TimePlan(path), written
    if form == "zone":
        return TimePlan(path, zone=True), f"{{path: {where}, zone: UTC}}"
    return TimePlan(path, _PLACES[form]), f"{{path: {where}, format: {form}}}"
