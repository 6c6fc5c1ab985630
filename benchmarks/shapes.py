"""Catalogs of 1, 10 and 100 meters over the same events, and few or many groups of as many events.

Meters are made in two ways, both reading the same columns of the same 55 % of the events:

- shared: each event is of one meter. The usage rows are the same whatever the number of meters.
- each: each event is of all meters, each with an aggregation and a dimension of its own. The usage
  rows grow with the meters.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from agreement import usage_count
from event_lines import AGENTS, MODELS, REGIONS, TOKEN_TYPES
from grouped_events import ensure_grouped
from peers import CLEAN, START, START_EVENTS, ready
from processes import Program
from programs import meterbeam
from rounds import Bench

METERS = (1, 10, 100)
SHARES = {1: (1, 1, 1), 10: (5, 2, 1), 100: (5, 4, 5)}  # parts of AGENTS, REGIONS and MODELS
AGGREGATIONS = ("sum", "max", "count", "avg", "min", "latest")
AGENT = "$.metadata.user_agent"
DIMENSIONS = (["model"], ["region"], ["token_type"], [])
FEW_GROUPS, MANY_GROUPS = 600, 1.2  # events to a group: 10,000 and 5 million of 6 million events
GROUPED = {"event_type": "use", "window": "1d", "aggregation": "sum", "value": "n", "name": "uses"}


def more_meters(bench: Bench, folder: Path, count: int) -> None:
    """Time with each catalog, and the growth from the smallest to the largest."""
    ready(bench, folder, CLEAN, count)
    ready(bench, folder, START, START_EVENTS)
    for way, meters_of in (("shared", shared), ("each", each)):
        programs = {
            number: _program(
                bench, f"{number} {'meter' if number == 1 else 'meters'}, {way}", meters_of(number)
            )
            for number in METERS
        }
        for number in range(bench.runs):
            for program in programs.values():
                bench.run(program, START)
                bench.run(program, CLEAN)
                if number == 0:
                    _say_rows(bench, program, CLEAN)
                bench.clean_up(program, CLEAN)
        for many in METERS[1:]:
            _growth(bench, programs[1], programs[many], 3 if many == METERS[-1] else None)


def _growth(bench: Bench, one: Program, many: Program, bar: float | None) -> None:
    name, pairs = f"{many.name}: time / that of one", ((many, CLEAN), (one, CLEAN))
    bench.compared(name, *pairs, bar=bar)
    bench.compared(f"{name}, without start", *pairs, start=(one, START))


def shared(number: int) -> Iterator[dict[str, Any]]:
    """Meters that share the events among them."""
    parts = [
        [names[part::of] for part in range(of)]
        for names, of in zip((AGENTS, REGIONS, MODELS), SHARES[number], strict=True)
    ]
    for position, (agents, regions, models) in enumerate(product(*parts)):
        yield {
            "name": f"tokens_{position}",
            "event_type": "llm_tokens",
            "where": {AGENT: agents, "region": regions, "model": models},
            "aggregation": "sum",
            "value": "tokens",
            "dimensions": {"model": "model", "region": "region", "agent": AGENT},
            "window": "1d",
        }


def each(number: int) -> Iterator[dict[str, Any]]:
    """Meters that each take all the events; the first has all the dimensions."""
    for position in range(number):
        aggregation = AGGREGATIONS[position % len(AGGREGATIONS)]
        dimensions = DIMENSIONS[position % len(DIMENSIONS)]
        meter = {
            "name": f"tokens_{position}",
            "event_type": "llm_tokens",
            "where": {"token_type": TOKEN_TYPES},
            "aggregation": aggregation,
            "value": "tokens",
            "dimensions": dimensions if position else ["model", "region", "token_type"],
            "window": "1d",
        }
        yield {k: v for k, v in meter.items() if (k, aggregation) != ("value", "count")}


def _program(bench: Bench, name: str, meters: Iterator[dict[str, Any]]) -> Program:
    """The command with a catalog of these meters and no rates."""
    catalog = bench.outputs / f"{name.replace(' ', '-')}.yaml"
    catalog.write_text(yaml.safe_dump({"version": 1, "meters": list(meters)}))
    return meterbeam(name, catalog, None)


def _say_rows(bench: Bench, program: Program, file: str) -> int:
    """How many usage rows there are; none where the program failed."""
    if program.name in bench.broken:
        return 0
    rows = usage_count(bench.output(program, file))
    bench.console.print(f"{program.name:>22} {file:10} {rows:,} usage rows")
    return rows


def more_groups(bench: Bench, folder: Path, count: int) -> None:
    """The same number of events in few groups and in nearly as many as there are events."""
    ready(bench, folder, START, START_EVENTS)
    program = _program(bench, "grouped", iter([GROUPED]))
    groups = {"few": round(count / FEW_GROUPS), "many": round(count / MANY_GROUPS)}
    for name, number in groups.items():
        bench.read(name, ensure_grouped(folder, count, number), count)
    for number in range(bench.runs):
        bench.run(program, START)
        for name, expected in groups.items():
            bench.run(program, name)
            if number == 0 and (rows := _say_rows(bench, program, name)) != expected:
                bench.problems.append(f"{name}: {rows:,} usage rows where {expected:,} were due")
            bench.clean_up(program, name)
    name = f"{groups['many']:,} groups: time / that of {groups['few']:,}"
    pairs = (program, "many"), (program, "few")
    bench.compared(name, *pairs, bar=2.5)
    bench.compared(f"{name}, without start", *pairs, start=(program, START))
