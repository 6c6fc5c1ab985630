"""The catalog that a run works with: what a file becomes."""

import dataclasses
import hashlib
import pickle

import pytest

from transforms.catalog import Catalog, Meter, Source, TextField, TimeField
from transforms.catalog_file import load_catalog
from transforms.paths import parse_path
from transforms.sources import BUILT_IN, CLOUDEVENTS, NATIVE, RECORDED

HOUR_US = 3_600_000_000
WHOLE = b"""\
version: 1
defaults:
  window: 15m
  allowed_lateness: 2h
  future_tolerance: 0s
  dedup_horizon: 12h
sources:
  gateway:
    event_type: {const: api_call}
    customer_id: {path: auth.tenant, as: text}
    timestamp: {path: $.ts, format: epoch_ms}
    id: '"request.id"'
    received_at: {path: logged_at, zone: UTC}
    properties: request
  flat:
    event_type: kind
    customer_id: {const: NO}
    timestamp: at
    properties: .
meters:
  - name: llm_tokens
    description: Tokens in and out
    event_type: [llm_tokens, 404]
    where:
      region: [us-east-1, NO, 1.0]
      $.metadata.plan: "null"
    aggregation: sum
    value: usage.tokens
    dimensions: [token_type, llm.model, '"a.b"', $.metadata.agent]
    window: 1d
    allowed_lateness: 0s
    unit: token
  - name: calls
    event_type: api_call
    aggregation: count
    dimensions: {route: http.route, Method: http.method}
"""


def load(text: str) -> Catalog:
    """Load a catalog that is right."""
    return load_catalog("c.yaml", text.encode())


def meter(lines: str) -> Meter:
    """Load the one meter of a catalog: count unless it says otherwise."""
    return load(f"version: 1\nmeters:\n- name: m\n  event_type: e\n{lines}").meters[0]


def source(lines: str) -> Source:
    """Load the one source of a catalog."""
    head = "version: 1\nmeters: [{name: m, event_type: e, aggregation: count}]\n"
    return load(f"{head}sources:\n  own:\n    customer_id: c\n{lines}").sources["own"]


def test_a_meter_has_all_that_its_file_says() -> None:
    tokens, _ = load_catalog("c.yaml", WHOLE).meters
    assert tokens == Meter(
        name="llm_tokens",
        description="Tokens in and out",
        event_types=("llm_tokens", "404"),
        where=(
            (parse_path("region"), frozenset({"us-east-1", "NO", "1.0"})),
            (parse_path("$.metadata.plan"), frozenset({"null"})),
        ),
        aggregation="sum",
        value=parse_path("usage.tokens"),
        dimensions=(
            ("a.b", parse_path('"a.b"')),
            ("llm.model", parse_path("llm.model")),
            ("metadata.agent", parse_path("$.metadata.agent")),
            ("token_type", parse_path("token_type")),
        ),
        window_us=24 * HOUR_US,
        allowed_lateness_us=0,
        unit="token",
    )


def test_a_meter_takes_the_defaults_of_its_file() -> None:
    catalog = load_catalog("c.yaml", WHOLE)
    calls = catalog.meters[1]
    assert (calls.window_us, calls.allowed_lateness_us) == (HOUR_US // 4, 2 * HOUR_US)
    assert (catalog.future_tolerance_us, catalog.dedup_horizon_us) == (0, 12 * HOUR_US)
    assert (calls.value, calls.unit, calls.description, calls.where) == (None, None, None, ())
    assert [name for name, _ in calls.dimensions] == ["Method", "route"]


def test_the_defaults_of_a_file_without_any() -> None:
    catalog = load("version: 1\nmeters: [{name: m, event_type: e, aggregation: count}]")
    only = catalog.meters[0]
    assert (only.window_us, only.allowed_lateness_us) == (HOUR_US, 24 * HOUR_US)
    assert catalog.future_tolerance_us == 300_000_000
    assert catalog.dedup_horizon_us == 7 * 24 * HOUR_US
    assert dict(catalog.sources) == BUILT_IN


def test_a_source_has_all_that_its_file_says() -> None:
    sources = load_catalog("c.yaml", WHOLE).sources
    assert sources["gateway"] == Source(
        name="gateway",
        event_type=TextField(None, "api_call"),
        customer_id=TextField(("auth", "tenant"), as_text=True),
        timestamp=TimeField(("ts",), "epoch_ms"),
        id=TextField(("request.id",)),
        received_at=TimeField(("logged_at",), assume_utc=True),
        properties=("request",),
        objects=(("request",),),
    )
    assert sources["flat"] == Source(
        name="flat",
        event_type=TextField(("kind",)),
        customer_id=TextField(None, "NO"),
        timestamp=TimeField(("at",)),
    )


def test_properties_are_the_whole_record_unless_a_source_says_where() -> None:
    own = source("    event_type: e\n    timestamp: t\n")
    assert (own.properties, own.objects) == ((), ())
    deep = source("    event_type: e\n    timestamp: t\n    properties: $.a.b\n")
    assert (deep.properties, deep.objects) == (("a", "b"), (("a", "b"),))


@pytest.mark.parametrize(
    ("of", "path", "keys"),
    [
        (NATIVE, "tokens", ("properties", "tokens")),
        (NATIVE, "$.metadata.agent", ("metadata", "agent")),
        (RECORDED, "a.b", ("properties", "a", "b")),
        (CLOUDEVENTS, "tokens", ("data", "tokens")),
        (CLOUDEVENTS, "$.source", ("source",)),
    ],
)
def test_a_source_resolves_paths_from_its_properties(
    of: Source, path: str, keys: tuple[str, ...]
) -> None:
    assert of.resolve(parse_path(path)) == keys


def test_the_built_in_sources_cannot_be_mixed_up() -> None:
    assert {name: source.name for name, source in BUILT_IN.items()} == {n: n for n in BUILT_IN}
    assert NATIVE.received_at is None
    assert RECORDED.received_at == TimeField(("received_at",))
    assert CLOUDEVENTS.id_scope == ("source",)


@pytest.mark.parametrize(
    ("written", "texts"),
    [
        ("NO", {"NO"}),
        ("1.0", {"1.0"}),
        ("0x10", {"0x10"}),
        ("2026-01-15", {"2026-01-15"}),
        ("true", {"true"}),
        ("~", {"~"}),
        ("[null, '', 'a b']", {"null", "", "a b"}),
        ("!!str 7", {"7"}),
        ("|-\n      two\n      lines", {"two\nlines"}),
    ],
)
def test_the_texts_of_where_stay_as_they_are_written(written: str, texts: set[str]) -> None:
    assert meter(f"  aggregation: count\n  where:\n    x: {written}\n").where[0][1] == texts


def test_a_key_whose_value_is_null_is_one_that_is_not_there() -> None:
    empty = "description:\n  where: ~\n  value: null\n  dimensions:\n  window:\n  unit: Null\n"
    assert meter(f"  aggregation: count\n  {empty}") == meter("  aggregation: count\n")
    only = "meters: [{name: m, event_type: e, aggregation: count}]"
    assert load(f"version: 1\ndefaults:\n  # all as they are\nsources:\n{only}").meters


def test_an_alias_is_the_value_it_stands_for() -> None:
    text = """\
version: 1
meters:
- {name: a, event_type: e, aggregation: count, dimensions: &shared [model, region]}
- {name: b, event_type: e, aggregation: count, dimensions: *shared}
"""
    a, b = load(text).meters
    assert a.dimensions == b.dimensions != ()


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_file_may_begin_with_a_byte_order_mark_and_end_lines_in_any_way(line_end: str) -> None:
    content = b"\xef\xbb\xbf" + WHOLE.replace(b"\n", line_end.encode())
    assert load_catalog("c.yaml", content).meters == load_catalog("c.yaml", WHOLE).meters


def test_a_json_file_is_a_catalog_too() -> None:
    text = '{"version": 1, "meters": [{"name": "m", "event_type": "e", "aggregation": "count"}]}'
    assert load(text).meters[0].event_types == ("e",)


def test_the_digest_is_of_the_bytes_of_the_file() -> None:
    assert load_catalog("c.yaml", WHOLE).digest == hashlib.sha256(WHOLE).hexdigest()
    assert load_catalog("c.yaml", WHOLE + b"# more\n").digest != hashlib.sha256(WHOLE).hexdigest()


def test_a_catalog_survives_pickling() -> None:
    catalog = load_catalog("c.yaml", WHOLE)
    again = pickle.loads(pickle.dumps(catalog))  # noqa: S301 - made one line above
    assert again == catalog
    assert hash(again) == hash(catalog)
    assert again.source("gateway") == catalog.sources["gateway"]


def test_a_catalog_cannot_be_changed() -> None:
    catalog = load_catalog("c.yaml", WHOLE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        catalog.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        catalog.sources["more"] = NATIVE  # type: ignore[index]


def test_a_name_that_is_not_there_gets_the_nearest_one() -> None:
    catalog = load_catalog("c.yaml", WHOLE)
    assert catalog.meter("calls").name == "calls"
    with pytest.raises(ValueError, match="did you mean 'llm_tokens'"):
        catalog.meter("llm_token")
    with pytest.raises(ValueError, match=r"c\.yaml has no source 'cloudevent'; did you mean"):
        catalog.source("cloudevent")
    with pytest.raises(ValueError, match="there is calls, llm_tokens"):
        catalog.meter("zzz")
