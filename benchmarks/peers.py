"""Meterbeam against the programs that a user would write or pick instead: README.md says which."""

import statistics
from collections.abc import Sequence
from pathlib import Path

import events
from bars import Row
from polars_env import NoPolarsError
from processes import Program
from programs import meterbeam, per_event_beam, polars_stream, sql
from rounds import Bench

CLEAN, DIRTY, SMALL, START, FIRST, LARGE = "clean", "bad", "small", "start", "first", "large"
BAD = 0.001
START_EVENTS, FIRST_EVENTS = 1_000, 10_000


def ready(bench: Bench, folder: Path, name: str, count: int, bad: float = 0) -> None:
    """Have a file of events.py read under a name; written first if it is not there."""
    if name not in bench.files:
        bench.read(name, events.ensure(folder, count, bad), count)


def take_turns(bench: Bench, file: str, *programs: Program, compare: bool) -> None:
    """Run programs over a file, one after the other; the first is held against the others."""
    for program in programs:
        bench.run(program, file)
    if compare:
        for other in programs[1:]:
            bench.compare(file, programs[0], other)
    for program in programs:
        bench.clean_up(program, file)


def against_sql(bench: Bench, folder: Path, count: int) -> None:
    """Over a file without bad lines and one with 0.1 % of them."""
    ready(bench, folder, CLEAN, count)
    ready(bench, folder, DIRTY, count, BAD)
    ours, peer = meterbeam(), sql()
    _unmeasured(bench, folder, (ours, peer))
    for number in range(bench.runs):
        for file in (CLEAN, DIRTY):
            take_turns(bench, file, ours, peer, compare=number == 0)
    add = bench.compared
    add("clean: time / SQL's", (ours, CLEAN), (peer, CLEAN), bar=1.2, goal=0.9)
    add("bad lines: time / SQL's on clean", (ours, DIRTY), (peer, CLEAN), bar=1.4, goal=1.0)
    add("bad lines: time / SQL's on bad", (ours, DIRTY), (peer, DIRTY))
    add("bad lines: time / its own on clean", (ours, DIRTY), (ours, CLEAN))
    add("bad lines: SQL's / its own on clean", (peer, DIRTY), (peer, CLEAN))


def against_polars(bench: Bench, folder: Path, count: int) -> None:
    """Over the file without bad lines."""
    ready(bench, folder, CLEAN, count)
    ours = meterbeam()
    try:
        peer = polars_stream()
    except NoPolarsError as error:
        bench.problems.append(str(error))
        return
    _unmeasured(bench, folder, (ours, peer))
    earlier = len(bench.walls((ours, CLEAN)))
    for number in range(bench.runs):
        take_turns(bench, CLEAN, ours, peer, compare=number == 0)
    bench.compared(
        "polars: its time / meterbeam's",
        (peer, CLEAN),
        (ours, CLEAN),
        skip=earlier,
        bar=2,
        at_least=True,
    )


def against_per_event(bench: Bench, folder: Path, count: int, small: int) -> None:
    """Over a small file, where starting weighs most, and one of almost nothing."""
    ready(bench, folder, CLEAN, count)
    ready(bench, folder, SMALL, small)
    ours, other, peer = meterbeam(), sql(), per_event_beam()
    _unmeasured(bench, folder, (ours, peer))
    bench.run(other, SMALL, measured=False)  # for its totals
    full = len(bench.walls((ours, CLEAN))) < bench.runs
    for number in range(bench.runs):
        for program in (ours, peer):
            bench.run(program, START)
            bench.run(program, SMALL)
        if full:
            bench.run(ours, CLEAN)
        if number == 0:
            bench.compare(SMALL, peer, other, ledgers=False)
            bench.compare(SMALL, ours, other)
    bench.compared("per event: its time / meterbeam's, small", (peer, SMALL), (ours, SMALL))
    bench.compared(
        "per event: meterbeam's rate at full size / its rate on small",
        (peer, SMALL),
        (ours, CLEAN),
        scale=count / small,
        bar=50,
        at_least=True,
    )
    _an_event_more(bench, ours, peer)


def _an_event_more(bench: Bench, ours: Program, peer: Program) -> None:
    """The same without the start of either; left out where starting is most of the time."""

    def cost(program: Program, file: str) -> float | None:
        start = statistics.median(bench.walls((program, START)))
        whole = statistics.median(bench.walls((program, file)))
        more = bench.events[file] - bench.events[START]
        return (whole - start) / more if whole > 2 * start else None

    if {ours.name, peer.name} & bench.broken:
        return
    slow, fast = cost(peer, SMALL), cost(ours, CLEAN)
    if slow and fast:
        bench.rows.append(Row("per event: the same, without the start of either", [slow / fast]))


def first_output(bench: Bench, folder: Path) -> None:
    """From start to end over ten thousand events: no output comes later than the end."""
    ready(bench, folder, FIRST, FIRST_EVENTS)
    ours = meterbeam()
    _unmeasured(bench, folder, (ours,))
    for _ in range(bench.runs):
        bench.run(ours, FIRST)
    if walls := bench.walls((ours, FIRST)):
        bench.rows.append(Row("start to end of 10,000 events", walls, 2.5, 1.5, "s"))


def at_large(bench: Bench, folder: Path, count: int, large: int) -> None:
    """Over a file several times as long: what an event costs there, in time and memory."""
    ready(bench, folder, CLEAN, count)
    ready(bench, folder, LARGE, large)
    ours, peer = meterbeam(), sql()
    _unmeasured(bench, folder, (ours, peer))
    earlier = len(bench.walls((ours, CLEAN)))
    for number in range(bench.runs):
        take_turns(bench, CLEAN, ours, peer, compare=False)
        take_turns(bench, LARGE, ours, peer, compare=number == 0)
    per = count / large
    add, sizes = bench.compared, f"{large:,} against {count:,}"
    pairs = (ours, LARGE), (ours, CLEAN)
    add(f"time per event, {sizes}", *pairs, scale=per, skip=earlier, bar=1.1, goal=1.0)
    add("large: time / SQL's", (ours, LARGE), (peer, LARGE))
    for program, bar, goal in ((ours, 150, 64), (peer, None, None)):
        peaks = (bench.peaks((program, file))[-bench.runs :] for file in (LARGE, CLEAN))
        grown = [(b - a) / (large - count) for b, a in zip(*peaks, strict=False)]
        name = f"peak memory, slope, {program.name}"
        bench.rows += [Row(name, grown, bar, goal, "B/event")] if grown else []


def _unmeasured(bench: Bench, folder: Path, programs: Sequence[Program]) -> None:
    """Runs over almost nothing, that compile modules and fill caches."""
    ready(bench, folder, START, START_EVENTS)
    for program in programs:
        bench.run(program, START, measured=False)
