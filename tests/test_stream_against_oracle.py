"""A live run on Prism over files that grow ends with what batch and the oracle say of them."""

import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hostile_stream import Feed, feeds
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_command_against_oracle import rows_of

from oracle import Outcome, meter_batch, split_records
from pipelines.stopping import STOP
from stream_desk import StreamDesk, until
from test_against_oracle import EVENTS, REJECTS, USAGE, counted
from transforms.timestamps import parse_time

ROW = [name for name in USAGE if name != "pane"]
OF_ROWS = "total_out_of_range"  # may hold of a revision that others replaced
# a moment in these years is one of the clock: no arrival that is drawn is in them
CLOCK = range(parse_time("2026-06-01T00:00:00Z") or 0, parse_time("2199-01-01T00:00:00Z") or 0)

Tables = dict[str, Counter[Any]]


@given(
    feeds(),
    st.sampled_from(["0", "0.05", "1"]),
    st.sampled_from([1, 7, 20_000]),
    st.sampled_from([0, 20]),
)
@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_a_live_run_on_hostile_records_ends_equal_to_batch_and_to_the_oracle(
    feed: Feed, early: str, batch_rows: int, batch_ms: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        desk = StreamDesk(Path(name), feed.catalog, dict(feed.rates), feed.source)
        options = ["--early", early, "--batch-rows", batch_rows, "--batch-ms", batch_ms]
        with fed(desk, feed):
            desk.here(desk.streaming(*options))
        batch = desk.folder / "batch"
        files = [desk.inputs / each for each in feed.files]
        if files:
            inputs = [part for file in files for part in ("--input", file)]
            desk.here(desk.arguments("--as-streamed", *inputs, out=batch))
        live = tables(desk.out)
        wanted = expected(feed, files)
        assert_same(live, of_outcome(wanted))
        if files:
            assert_same(live, tables(batch))
        assert all(row["balanced"] for row in rows_of(desk.out, "ledger_balance"))


@contextmanager
def fed(desk: StreamDesk, feed: Feed) -> Iterator[None]:
    """While this runs, files grow: by a piece when the one before was read, and then they end."""
    failed: list[BaseException] = []

    def grow() -> None:
        try:
            for added, ends in feed:
                for name, data in added.items():
                    desk.append(name, data)
                until(lambda ends=ends: desk.has_read(ends))
            desk.end()
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)
            desk.end()
            STOP.set()

    feeder = threading.Thread(target=grow)
    feeder.start()
    try:
        yield
    finally:
        desk.end()
        feeder.join()
        STOP.clear()  # others read in this process, too
    assert not failed, failed


def expected(feed: Feed, files: Iterable[Path]) -> Outcome:
    records = [record for path in files for record in split_records(str(path), path.read_bytes())]
    return meter_batch(
        feed.catalog,
        feed.rates or None,
        records,
        source=feed.source,
        started_at_us=CLOCK.start,
        as_streamed=True,
    )


def tables(out: Path) -> Tables:
    """What the views show, without what each run has of its own."""
    ledger = Counter[Any]()
    for row in rows_of(out, "ledger_current"):
        key = row["period_start"], row["meter"], row["outcome"], row["reason"]
        ledger[key] += row["events"]
    views = ("events", "rejects", "usage_current")
    return _tables(ledger, *(rows_of(out, view) for view in views))


def of_outcome(outcome: Outcome) -> Tables:
    return _tables(outcome.ledger, outcome.events, outcome.rejects, outcome.usage)


def _tables(
    ledger: Counter[Any],
    events: list[dict[str, Any]],
    rejects: list[dict[str, Any]],
    usage: list[dict[str, Any]],
) -> Tables:
    hours = Counter[Any]()
    for (hour, *entry), count in ledger.items():
        hours[_recorded(hour), *entry] += count
    found = [row | {"received_at": _recorded(row["received_at"])} for row in rejects]
    of_rows = [row | {"origin": None} for row in found if row["reason"] == OF_ROWS]
    return {
        "ledger": hours,
        "events": counted(events, EVENTS),
        "rejects": counted([row for row in found if row["reason"] != OF_ROWS], REJECTS),
        "of rows": counted(of_rows, REJECTS),
        "usage": counted(usage, ROW, "dimensions"),
    }


def _recorded(at: int | None) -> int | None:
    return None if at is None or at in CLOCK else at


def assert_same(live: Tables, wanted: Tables) -> None:
    for name, rows in wanted.items():
        more = Counter[Any]() if name == "of rows" else live[name] - rows
        fewer = rows - live[name]
        assert not more and not fewer, f"{name}: there is {more}, and there is no {fewer}"  # noqa: PT018
