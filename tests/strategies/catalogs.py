"""Catalogs: meters over paths that the records fill, read through one of several sources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from strategies.sources import BUILT_IN, SourcePlan, mappings
from strategies.yaml_text import quoted, scalar

LENGTHS_US = {
    "0s": 0,
    "30s": 30_000_000,
    "1m": 60_000_000,
    "60s": 60_000_000,
    "90s": 90_000_000,
    "15m": 900_000_000,
    "1h": 3_600_000_000,
    "1d": 86_400_000_000,
    "24h": 86_400_000_000,
}
_WINDOWS = ("1m", "15m", "1h", "1d", "60s", "90s", "24h")
_LATENESSES = ("0s", "30s", "15m", "1h", "1d")
EVENT_TYPES = ("use", "api_call", "NO", "größe")
_AGGREGATIONS = (
    "sum",
    "sum",
    "sum",
    "count",
    "count",
    "unique_count",
    "min",
    "max",
    "avg",
    "latest",
)
WHERE_TEXTS = ("a", "b", "NO", "7", "1.50", "true", "2026-01-15", "é", "", "😀", "1_000", "0o7")
_VALUES = ("tokens", "tokens", "llm.tokens", '"a.b"', "$.trace", "größe", "region")
_WHERES = ("region", "llm.kind", '"a.b"', "$.metadata.user_agent", "model", "tokens")
# the path of each name
_DIMENSIONS = {
    "model": "model",
    "region": "region",
    "größe": "größe",
    "llm": "llm",
    "tokens": "tokens",
    "llm_model": "llm.model",
    "ab": '"a.b"',
    "deep": 'deep."x.y".z',
    "odd": "odd key",
    "agent": "$.metadata.user_agent",
    "trace": '$."trace"',
}


@dataclass(frozen=True)
class MeterPlan:
    """A meter, as its YAML says it."""

    name: str
    event_types: tuple[str, ...]
    aggregation: str
    value: str | None
    dimensions: Mapping[str, str]
    where: Mapping[str, tuple[str, ...]]
    window_us: int
    lateness_us: int
    yaml: str


@dataclass(frozen=True)
class CatalogPlan:
    """A catalog, and the source through which the records of a case are read."""

    text: str
    source: SourcePlan
    meters: tuple[MeterPlan, ...]
    tolerance_us: int


@st.composite
def catalogs(draw: DrawFn) -> CatalogPlan:
    """Draw a valid catalog."""
    own = [draw(mappings(name)) for name in draw(st.sampled_from([[], ["gateway"], ["b2", "a_1"]]))]
    source = draw(st.sampled_from([*own, *own, *BUILT_IN]))
    tolerance = draw(st.sampled_from(["5m", "0s", "1h"])) if draw(st.booleans()) else None
    window = draw(st.sampled_from(_WINDOWS)) if draw(st.booleans()) else None
    defaults = {"window": window, "future_tolerance": tolerance, "dedup_horizon": None}
    count = draw(st.integers(1, 4))
    meters = tuple(draw(_meters(f"meter_{n}", source, window or "1h")) for n in range(count))
    text = "version: 1\n" + _defaults(defaults)
    text += "sources:\n" + "".join(each.yaml for each in own) if own else ""
    text += "meters:\n" + "".join(meter.yaml for meter in meters)
    lengths = LENGTHS_US | {"5m": 300_000_000}
    return CatalogPlan(text, source, meters, lengths[tolerance or "5m"])


def _defaults(values: Mapping[str, str | None]) -> str:
    lines = [f"  {name}: {value}\n" for name, value in values.items() if value]
    return "".join(["defaults:\n", *lines]) if lines else ""


@st.composite
def _meters(draw: DrawFn, name: str, source: SourcePlan, default_window: str) -> MeterPlan:
    known = (source.event_type.const,) if source.event_type.const else EVENT_TYPES[:3]
    types = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
    aggregation = draw(st.sampled_from(_AGGREGATIONS))
    value = None if aggregation == "count" else draw(st.sampled_from(_values(source, aggregation)))
    dimensions = draw(_dimensions(source))
    where = draw(
        st.dictionaries(st.sampled_from(_WHERES), _where_texts(), max_size=2)
        if draw(st.integers(0, 2)) == 0
        else st.just({})
    )
    window = draw(st.sampled_from(_WINDOWS)) if draw(st.booleans()) else None
    lateness = draw(st.sampled_from(_LATENESSES)) if draw(st.booleans()) else None
    fields = {
        "name": name,
        "description": draw(st.sampled_from([None, "'What it: counts #1'"])),
        "event_type": _one_or_list(draw, [quoted(text) for text in types]),
        "where": _flow_mapping(
            draw,
            {
                path: _one_or_list(draw, [scalar(draw, text) for text in where[path]])
                for path in where
            },
        ),
        "aggregation": aggregation,
        "value": scalar(draw, value) if value else None,
        "dimensions": _dimensions_yaml(draw, dimensions),
        "window": window,
        "allowed_lateness": lateness,
        "unit": draw(st.sampled_from([None, "token", "'per: cent'"])),
    }
    lines = [f"    {key}: {text}\n" for key, text in fields.items() if text]
    return MeterPlan(
        name,
        tuple(types),
        aggregation,
        value,
        dimensions,
        where,
        LENGTHS_US[window or default_window],
        LENGTHS_US[lateness or "1d"],
        "  -" + "".join(lines)[3:],
    )


def _values(source: SourcePlan, aggregation: str) -> tuple[str, ...]:
    """Let unique_count count customers and times as well."""
    own = (f"$.{source.customer_id.path}", f"$.{source.timestamp.path}")
    return _VALUES + own if aggregation == "unique_count" else _VALUES


def _where_texts() -> st.SearchStrategy[tuple[str, ...]]:
    one = st.sampled_from(WHERE_TEXTS)
    return st.lists(one, min_size=1, max_size=3, unique=True).map(tuple)


@st.composite
def _dimensions(draw: DrawFn, source: SourcePlan) -> Mapping[str, str]:
    paths = {**_DIMENSIONS, "who": f"$.{source.customer_id.path}"}
    names = draw(st.lists(st.sampled_from(sorted(paths)), max_size=3, unique=True))
    return {name: paths[name] for name in names}


def _dimensions_yaml(draw: DrawFn, dimensions: Mapping[str, str]) -> str | None:
    if not dimensions:
        return draw(st.sampled_from([None, "[]", "{}"]))
    if all(name == path for name, path in dimensions.items()) and draw(st.booleans()):
        return "[" + ", ".join(scalar(draw, name) for name in dimensions) + "]"
    return _flow_mapping(draw, {name: scalar(draw, path) for name, path in dimensions.items()})


def _flow_mapping(draw: DrawFn, values: Mapping[str, str]) -> str | None:
    inner = ", ".join(f"{scalar(draw, key)}: {text}" for key, text in values.items())
    return f"{{{inner}}}" if inner else None


def _one_or_list(draw: DrawFn, written: Sequence[str]) -> str:
    if len(written) == 1 and draw(st.booleans()):
        return written[0]
    return "[" + ", ".join(written) + "]"
