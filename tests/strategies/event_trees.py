"""Events as JSON trees: mostly valid, and spoilt in one field where that is asked for."""

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from strategies.catalogs import EVENT_TYPES, CatalogPlan
from strategies.json_nodes import NULL, Maybe, Node, Tree, copied, put, raw
from strategies.pools import (
    BAD_TIMES,
    BIG_NUMBERS,
    CUSTOMERS,
    DAY_US,
    FUTURE_US,
    HOUR_US,
    IDS,
    INSTANTS,
    JSON_VALUES,
    MINUTE_US,
    NO_NUMBERS,
    NO_SCALARS,
    NUMBERS,
    OLD_INSTANTS,
    SCALARS,
    SECOND_US,
    epoch,
    rfc3339,
)
from strategies.sources import SourcePlan, TextPlan, TimePlan, keys_of

_TAME: tuple[Maybe, ...] = ("a", "a", "b", NUMBERS[1], "7", raw("7"), raw("1.50"), NULL, None)
# what a meter may not take, by whether it reads a number there
_WILD: dict[bool, tuple[Maybe, ...]] = {
    True: (*BIG_NUMBERS, *NO_NUMBERS, *NO_SCALARS, *JSON_VALUES[:2], NULL, None),
    False: (*NO_SCALARS, *JSON_VALUES, *SCALARS),
}
_EXTRA: tuple[tuple[str, Node], ...] = (
    ("extra", {"nested": [raw("1e400"), {"": NULL}], "more": "\x00"}),
    ("received_at", raw("7")),
    ("größe/", [[], {}, raw("-0.0e-0")]),
    ("properties.tokens", raw("5")),
    ("specversion", "1.0"),
)
_NO_TEXTS: tuple[Node, ...] = (
    raw("true"),
    raw("7"),
    "",
    "x" * 257,
    "😀" * 257,
    [],
    {},
    raw("1" * 300),
)
_NO_OBJECTS: tuple[Node, ...] = ("text", raw("1"), raw("false"), [], NULL)
_NO_TIMES: tuple[Node, ...] = (
    raw("true"),
    raw("false"),
    [],
    {},
    raw("[5]"),
    raw("1e400"),
    raw("5.5"),
)


@st.composite
def event_trees(draw: DrawFn, plan: CatalogPlan) -> Tree:
    """Draw an event that is valid for the source of the plan, whatever its meters say of it."""
    source = plan.source
    tree: Tree = {}
    types = [name for meter in plan.meters for name in meter.event_types]
    _put_text(draw, tree, source.event_type, [*types, *types, *EVENT_TYPES])
    _put_text(draw, tree, source.customer_id, [*CUSTOMERS[:2], *CUSTOMERS])
    if source.id:
        put(tree, keys_of(source.id.path or ""), draw(st.sampled_from(IDS)))
    instant = draw(st.sampled_from(INSTANTS[:6] + INSTANTS + OLD_INSTANTS[:2]))
    _put_time(tree, source.timestamp, instant)
    if source.received_at:
        _put_time(tree, source.received_at, draw(_arrivals(plan, instant)))
    if source.name == "cloudevents":
        put(tree, ("source",), draw(st.sampled_from(["s", "s", "t", "", NULL, None])))
    _put_readings(draw, tree, plan)
    if draw(st.integers(0, 4)) == 0:
        name, node = draw(st.sampled_from(_EXTRA))
        if name not in tree:
            put(tree, (name,), node)
    return tree


def _put_text(draw: DrawFn, tree: Tree, plan: TextPlan, texts: list[str]) -> None:
    if plan.path is not None:
        numbers: list[Node] = [raw("7"), raw("7.0"), raw("1e3")] if plan.as_text else []
        put(tree, keys_of(plan.path), draw(st.sampled_from([*texts, *numbers])))


def _put_time(tree: Tree, plan: TimePlan, instant: int) -> None:
    spelled = rfc3339(instant, without_zone=plan.zone)
    if plan.places is not None:
        spelled = epoch(instant, plan.places)
    put(tree, keys_of(plan.path), spelled)


def _arrivals(plan: CatalogPlan, instant: int) -> st.SearchStrategy[int]:
    """Give arrivals from as early as an event may come to too late for its windows."""
    found = [instant + after for after in (0, 0, SECOND_US, MINUTE_US, HOUR_US, 2 * DAY_US)]
    found.append(instant - plan.tolerance_us)
    for meter in plan.meters:
        closes = (instant // meter.window_us + 1) * meter.window_us + meter.lateness_us
        found += [closes, closes + 1, closes + 1]
    return st.sampled_from(found)


def _put_readings(draw: DrawFn, tree: Tree, plan: CatalogPlan) -> None:
    """Fill the paths that the meters read, each with what one of them expects, mostly."""
    wild = draw(st.integers(0, 3)) == 0
    for meter in plan.meters:
        paths: dict[str, tuple[Maybe, ...]] = dict.fromkeys(meter.dimensions.values(), _TAME)
        paths |= {path: (*texts, *texts, "a") for path, texts in meter.where.items()}
        if meter.value:
            paths[meter.value] = _TAME if meter.aggregation == "unique_count" else NUMBERS
        for path, nodes in paths.items():
            keys = plan.source.resolve(path)
            if _free(tree, keys):
                pool = nodes
                if wild and draw(st.booleans()):
                    pool = _WILD[nodes is NUMBERS]
                put(tree, keys, draw(st.sampled_from(pool)))


def _free(tree: Tree, keys: tuple[str, ...]) -> bool:
    inside: object = tree
    for key in keys:
        if not isinstance(inside, dict) or key not in inside:
            return True
        inside = inside[key]
    return False


def _lacking(draw: DrawFn, tree: Tree, source: SourcePlan) -> None:
    if source.required:
        keys = draw(st.sampled_from(source.required))
        put(tree, keys, NULL)
        if draw(st.booleans()) and len(keys) == 1:
            del tree[keys[0]]


def _mistyped(draw: DrawFn, tree: Tree, source: SourcePlan) -> None:
    texts = [source.event_type, source.customer_id, *([source.id] if source.id else [])]
    paths = [keys_of(text.path) for text in texts if text.path]
    if paths:
        put(tree, draw(st.sampled_from(paths)), draw(st.sampled_from(_NO_TEXTS)))


def _misplaced(draw: DrawFn, tree: Tree, source: SourcePlan) -> None:
    keys = draw(st.sampled_from([*source.objects, ("metadata",), ("source",)]))
    put(tree, keys, draw(st.sampled_from(_NO_OBJECTS)))


def _ill_timed(draw: DrawFn, tree: Tree, source: SourcePlan) -> None:
    times = [source.timestamp, *([source.received_at] if source.received_at else [])]
    keys = keys_of(draw(st.sampled_from(times)).path)
    put(tree, keys, draw(st.sampled_from(draw(st.sampled_from([BAD_TIMES, _NO_TIMES])))))


def _too_soon(draw: DrawFn, tree: Tree, source: SourcePlan) -> None:
    times = [source.timestamp, *([source.received_at] if source.received_at else [])]
    _put_time(
        tree, draw(st.sampled_from(times)), draw(st.sampled_from([FUTURE_US, OLD_INSTANTS[-1]]))
    )


def _long(draw: DrawFn, tree: Tree, source: SourcePlan) -> None:
    put(
        tree, keys_of(source.customer_id.path or ""), draw(st.sampled_from(["x" * 256, "😀" * 256]))
    )


_SPOILERS: tuple[Callable[[DrawFn, Tree, SourcePlan], None], ...] = (
    *(_lacking, _mistyped, _misplaced, _ill_timed, _too_soon, _long),
)


@st.composite
def spoilt_trees(draw: DrawFn, tree: Tree, source: SourcePlan) -> Tree:
    """Draw an event like this one with one or two fields that are not as they should be."""
    spoilt = copied(tree)
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        draw(st.sampled_from(_SPOILERS))(draw, spoilt, source)
    return spoilt
