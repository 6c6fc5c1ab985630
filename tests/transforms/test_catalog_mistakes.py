"""Each mistake in a catalog is said with its file, line, key, value and the nearest right name."""

import pickle

import pytest
from catalog_texts import FILE, mistakes, of_meter, of_source

from transforms.catalog_file import load_catalog
from transforms.catalog_problems import CatalogErrors, Problem

TOP = [
    ("meters: []", ["1: version: is required", "1: meters: the list is empty"]),
    ("version: 1", ["1: meters: is required"]),
    ("version: 1\nmeters:", ["2: meters: is required"]),
    ("version: 1\nmeters: {name: m}", ["2: meters: must be a list, not a mapping"]),
    ("version: 1\nmeters: calls", ["2: meters: must be a list, not the text 'calls'"]),
    ("version: 1\nmeters:\n-", ["3: meters[0]: must be a mapping, not nothing"]),
    ("- version: 1", ["1: must be a mapping, not a list"]),
    ("just a text", ["1: must be a mapping, not the text 'just a text'"]),
    (FILE.replace("1", "2", 1), ["1: version: must be 1, not '2'"]),
    (FILE.replace("1", "1.0", 1), ["1: version: must be 1, not '1.0'"]),
    (FILE + "meter: []", ["4: meter: unknown key 'meter'; did you mean 'meters'?"]),
    (FILE + "Sources: {}", ["4: Sources: unknown key 'Sources'; did you mean 'sources'?"]),
    (FILE + "xyz: ~", ["4: xyz: unknown key 'xyz'; there is defaults, meters, sources, version"]),
    (
        FILE + "defaults: {windw: 1h}",
        ["4: defaults.windw: unknown key 'windw'; did you mean 'window'?"],
    ),
    (FILE + "defaults: 1h", ["4: defaults: must be a mapping, not the text '1h'"]),
    (
        FILE + "defaults:\n  window: 7h",
        [
            (
                "5: defaults.window: '7h': a window divides a day into equal parts,"
                " like 5m, 1h, 6h or 1d"
            )
        ],
    ),
    (
        FILE + "defaults: {window: 30s}",
        ["4: defaults.window: '30s': a window is 1m to 1d long"],
    ),
    (
        FILE + "defaults: {allowed_lateness: 1w}",
        [
            (
                "4: defaults.allowed_lateness: '1w': a length is a whole number and s, m, h or d,"
                " like 90s, 15m, 6h or 7d"
            )
        ],
    ),
    (
        FILE + "defaults: {dedup_horizon: 0s}",
        ["4: defaults.dedup_horizon: '0s': must be longer than nothing"],
    ),
    (
        FILE + "defaults: {future_tolerance: [5m]}",
        ["4: defaults.future_tolerance: must be a text, not a list"],
    ),
]

SOURCES = [
    (
        FILE + "sources: {natve: x}",
        ["4: sources.natve: must be a mapping, not the text 'x'"],
    ),
    (
        of_source("id: i").replace("own", "native"),
        ["5: sources.native: the source 'native' is built in; give this one another name"],
    ),
    (
        of_source("tiemstamp: t"),
        ["5: sources.own.tiemstamp: unknown key 'tiemstamp'; did you mean 'timestamp'?"],
    ),
    (
        of_source("id: i").replace("customer_id: c, ", ""),
        ["5: sources.own.customer_id: is required"],
    ),
    (
        of_source("id: i").replace("_id: c", "_id: {pth: c}"),
        [
            "5: sources.own.customer_id.const: give a path, or a const that all records share",
            "5: sources.own.customer_id.pth: unknown key 'pth'; did you mean 'path'?",
        ],
    ),
    (
        of_source("id: i").replace("_id: c", "_id: {path: c, const: d}"),
        ["5: sources.own.customer_id.const: give a path or a const, not both ('d')"],
    ),
    (
        of_source("id: i").replace("_id: c", "_id: {path: c, as: number}"),
        ["5: sources.own.customer_id.as: must be text, not 'number'"],
    ),
    (
        of_source("id: i").replace("_id: c", "_id: {const: c, as: text}"),
        ["5: sources.own.customer_id.as: goes with a path; the const 'c' is a text already"],
    ),
    (
        of_source("id: i").replace("_id: c", "_id: {const: ''}"),
        ["5: sources.own.customer_id.const: '' has 0 characters, and must have 1 to 256"],
    ),
    (
        of_source("id: {const: one}"),
        ["5: sources.own.id.const: 'one' would make all events one event; give a path"],
    ),
    (
        of_source("received_at: {path: r, format: epoch}"),
        [
            (
                "5: sources.own.received_at.format: 'epoch' is no format of times;"
                " did you mean 'epoch_s'?"
            )
        ],
    ),
    (
        of_source("received_at: {path: r, zone: CET}"),
        ["5: sources.own.received_at.zone: must be UTC, not 'CET'"],
    ),
    (
        of_source("received_at: {path: r, format: epoch_ms, zone: UTC}"),
        ["5: sources.own.received_at.zone: goes with rfc3339; a time of epoch_ms has no zone"],
    ),
    (of_source("received_at: {format: epoch_s}"), ["5: sources.own.received_at.path: is required"]),
    (
        of_source("properties: {path: request}"),
        ["5: sources.own.properties: must be a text, not a mapping"],
    ),
    (
        of_source("properties: request."),
        [
            (
                "5: sources.own.properties: 'request.': there is an empty key:"
                " two dots in a row, or one at an end"
            )
        ],
    ),
]


@pytest.mark.parametrize(("text", "said"), TOP + SOURCES)
def test_a_mistake_is_said_where_it_is(text: str, said: list[str]) -> None:
    assert mistakes(text) == [f"c.yaml:{each}" for each in said]


def test_all_mistakes_of_a_file_are_said_at_once_in_the_order_of_its_lines() -> None:
    text = """\
version: 3
defaults:
  window: 7m
sources:
  cloudevents: {event_type: e}
  own:
    event_type: {const: e}
    customer_id: [c]
    timestamp: {path: t, format: epoch_ns}
meters:
  - name: Bad
    event_type: [a, a]
    where: {a..b: x, c: []}
    aggregation: summ
    dimensions: [currency, currency]
  - name: good
    event_type: e
    aggregation: avg
    window: 1h
    window: 2h
"""
    places = [each.removeprefix("c.yaml:").split(": ")[:2] for each in mistakes(text)]
    assert places == [
        ["1", "version"],
        ["3", "defaults.window"],
        ["5", "sources.cloudevents"],
        ["5", "sources.cloudevents.customer_id"],
        ["5", "sources.cloudevents.timestamp"],
        ["8", "sources.own.customer_id"],
        ["9", "sources.own.timestamp.format"],
        ["11", "meters[0].name"],
        ["12", "meters[0].event_type[1]"],
        ["13", "meters[0].where['a..b']"],
        ["13", "meters[0].where.c"],
        ["14", "meters[0].aggregation"],
        ["15", "meters[0].dimensions[1]"],
        ["15", "meters[0].dimensions[0]"],
        ["15", "meters[0].dimensions[1]"],
        ["16", "meters[1].value"],
        ["20", "meters[1].window"],
    ]


def test_a_problem_is_found_again_by_its_parts() -> None:
    with pytest.raises(CatalogErrors) as error:
        load_catalog("dir/c.yaml", of_meter("window: 2d").encode())
    message = "'2d': a window is 1m to 1d long"
    assert error.value.problems == (Problem("dir/c.yaml", 3, "meters[0].window", message),)
    again = pickle.loads(pickle.dumps(error.value))  # noqa: S301 - made in this line
    assert again.problems == error.value.problems
