"""A backfill meters what the list of windows says and no more; then nothing is listed."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from runs_desk import RATES, event
from stream_desk import StreamDesk, until

CATALOG = """\
version: 1
defaults: {allowed_lateness: 1h}
meters:
  - {name: tokens, event_type: llm, aggregation: sum, value: tokens, dimensions: [model]}
  - {name: calls, event_type: llm, aggregation: count, window: 1d, allowed_lateness: 30d}
"""
# of the stream: its events, what the ledger says of them, what usage and rejects show of them
EVENTS = "SELECT COUNT(*) FROM stored.events WHERE run_id = 'live'"
DECIDED = (
    "SELECT SUM(events) FROM (SELECT MAX(events) AS events FROM stored.ledger WHERE run_id = 'live'"
    " AND meter = 'tokens' AND outcome <> 'matched' GROUP BY period_start, outcome)"
)
SHOWN = (
    "SELECT (SELECT SUM(counted) FROM (SELECT MAX(event_count) AS counted FROM stored.usage"
    " WHERE run_id = 'live' AND meter = 'tokens' GROUP BY window_start))"
    " + (SELECT COUNT(*) FROM stored.rejects WHERE run_id = 'live')"
)
LISTED = (
    "SELECT meter, hour(window_start AT TIME ZONE 'UTC'), reason, events FROM windows_to_backfill"
)


def line(number: int, hour: int, arrives: str, tokens: object = 1, **more: object) -> bytes:
    arrival = f"2026-01-{arrives}:00Z"
    return (event(number, tokens, hour, received_at=arrival, **more) + "\n").encode()


@pytest.fixture
def desk(tmp_path: Path) -> StreamDesk:
    return StreamDesk(tmp_path, CATALOG)


def streamed(desk: StreamDesk, *lines: bytes) -> None:
    """What a stream that has read these lines comes to."""
    desk.append("a.ndjson", b"".join(lines))
    file = desk.inputs / "a.ndjson"
    desk.here(desk.arguments("--as-streamed", "--input", file, "--run-id", "live"))


def backfill(desk: StreamDesk, *more: object, fails: int = 0) -> Result:
    given = ["--quiet", "--catalog", desk.catalog, "--rates", desk.rates, "--output", desk.out]
    done = desk.here([str(each) for each in ["backfill", *given, *more]], fails)
    assert "Traceback" not in done.output
    return done


def tokens(desk: StreamDesk) -> dict[int, Decimal]:
    rows = desk.ask(
        "SELECT hour(window_start AT TIME ZONE 'UTC'), SUM(quantity) FROM usage_current"
        " WHERE meter = 'tokens' GROUP BY ALL"
    )
    return {hour: Decimal(quantity) for hour, quantity in rows}


def listed(desk: StreamDesk) -> list[Any]:
    return sorted(desk.ask(LISTED))


def batches(desk: StreamDesk) -> list[tuple[Any, ...]]:
    return desk.ask(
        "SELECT meters, range_start, range_end FROM runs WHERE run_id <> 'live' ORDER BY 1"
    )


def test_late_events_are_taken_in_once_and_then_there_is_nothing_to_do(desk: StreamDesk) -> None:
    later = [line(n, 10, "15T13:30", 10) for n in (3, 4)] + [line(5, 12, "15T15:00", 5)]
    streamed(desk, line(1, 10, "15T10:40"), line(2, 11, "15T12:00"), *later)
    assert tokens(desk) == {10: 1, 11: 1}
    mended = [("tokens", 10, "too_late", 2), ("tokens", 12, "too_late", 1)]
    assert listed(desk) == mended
    for _ in range(2):
        said = backfill(desk, "--dry-run").stdout
        assert "To backfill: 3 events in 1 run, which reads 5 events" in said
        assert "too_late 3" in said
        assert "2026-01-15 10:00" in said
        assert "2026-01-15 13:00" in said
        assert listed(desk) == mended
        assert batches(desk) == []
    assert "Mended 2 of 2" in backfill(desk).stdout
    wanted = {10: 21, 11: 1, 12: 5}
    assert (tokens(desk), listed(desk)) == (wanted, [])
    before = desk.ask("SELECT * FROM usage_current ORDER BY ALL")
    assert "There is nothing to backfill." in backfill(desk).stdout
    assert desk.ask("SELECT * FROM usage_current ORDER BY ALL") == before
    assert len(batches(desk)) == 1
    assert all(balanced for (balanced,) in desk.ask("SELECT balanced FROM ledger_balance"))


def test_only_what_is_asked_for_is_mended(desk: StreamDesk) -> None:
    late = [line(n, hour, "20T00:00", n) for n, hour in ((1, 10), (2, 11), (3, 20))]
    streamed(desk, *late)
    backfill(desk, "--from", "2026-01-15", "--to", "2026-01-15T11:00:00Z", "--meters", "tokens")
    assert tokens(desk) == {10: 1}
    assert listed(desk) == [("tokens", 11, "too_late", 1), ("tokens", 20, "too_late", 1)]
    assert "nothing to backfill" in backfill(desk, "--meters", "calls").stdout
    cut = backfill(desk, "--from", "2026-01-15T10:00:00Z", fails=2)
    assert "inside a window of meter calls" in cut.stderr
    backfill(desk)
    assert (tokens(desk), listed(desk)) == ({10: 1, 11: 2, 20: 3}, [])


def test_events_of_other_times_are_read_only_where_they_share_a_key(desk: StreamDesk) -> None:
    other = {"id": "x", "timestamp": "2026-01-03T04:30:00Z"}
    earlier = line(1, 0, "03T04:40", 7, **other)
    streamed(
        desk,
        earlier,
        line(2, 10, "15T10:40"),
        *(line(100 + n, 12, "15T12:30") for n in range(20)),
        line(3, 10, "15T13:30", 10),
        line(4, 10, "15T13:31", 100, id="x"),  # the key is that of an event of the 3rd: no event
    )
    within = [desk.folder / "whole", desk.out]
    desk.here(desk.arguments("--input", desk.out, out=within[0]))
    assert "which reads 4 events" in backfill(desk, "--dry-run").stdout
    backfill(desk)
    ask = "SELECT window_start, quantity, cost FROM usage_current WHERE meter = 'tokens' ORDER BY 1"
    rows = [desk.ask(ask, out) for out in within]
    assert rows[0] == rows[1]
    assert tokens(desk)[10] == 11
    assert (
        desk.ask("SELECT COUNT(*) FROM rejects WHERE reason = 'conflict' GROUP BY run_id")
        == [(1,)] * 2
    )


def test_where_the_catalog_may_read_events_otherwise_all_are_read(tmp_path: Path) -> None:
    source = (
        "sources:\n  own:\n    event_type: {const: llm}\n    customer_id: customer_id\n"
        "    timestamp: timestamp\n    id: id\n    received_at: received_at\n"
        "    properties: properties\n"
    )
    desk = StreamDesk(tmp_path, CATALOG + source, source="own")
    streamed(desk, line(2, 10, "15T10:40"), line(1, 12, "15T12:30"), line(3, 10, "15T13:30", 10))
    assert "which reads 2 events" in backfill(desk, "--dry-run").stdout
    moved = (CATALOG + source).replace("timestamp: timestamp", "timestamp: received_at")
    desk.catalog.write_text(moved)
    assert "which reads 3 events" in backfill(desk, "--dry-run").stdout
    backfill(desk)
    assert tokens(desk) == {10: 1, 12: 1}  # the late one is in another hour now
    desk.catalog.write_text(CATALOG)
    done = backfill(desk, fails=2)
    assert "has no source own" in done.stderr


def test_meters_that_the_catalog_lost_are_named_and_left_alone(desk: StreamDesk) -> None:
    streamed(desk, line(1, 10, "20T00:00"))
    desk.catalog.write_text(CATALOG.replace("tokens,", "words,", 1))
    (desk.rates / "rates.csv").write_text(RATES.replace("tokens,", "words,"))
    said = backfill(desk).stdout
    assert "has no meter tokens: 1 window of it" in said
    assert "nothing to backfill" in said
    assert listed(desk) == [("tokens", 10, "too_late", 1)]


def test_windows_far_apart_are_runs_of_their_own_and_a_run_id_names_them(desk: StreamDesk) -> None:
    early = {"timestamp": "2026-01-03T10:30:00Z"}
    streamed(desk, line(1, 0, "04T00:00", **early), line(2, 10, "20T00:00", 5))
    assert "2 events in 2 runs" in backfill(desk, "--dry-run").stdout
    backfill(desk, "--run-id", "mend")
    ids = desk.ask("SELECT run_id FROM runs WHERE run_id <> 'live' ORDER BY 1")
    assert ids == [("mend-202601031000-tokens",), ("mend-202601151000-tokens",)]
    assert listed(desk) == []


def test_mistakes_are_told_before_anything_is_written(desk: StreamDesk) -> None:
    nowhere = backfill(desk, fails=2)
    assert f"{desk.out}: nothing is there" in nowhere.stderr
    streamed(desk, line(1, 10, "20T00:00"))
    assert "has no meter 'words'" in backfill(desk, "--meters", "words", fails=2).stderr
    assert "--frm" in backfill(desk, "--frm", "2026-01-15", fails=2).stderr
    wrong = backfill(desk, "--from", "2026-01-16", "--to", "2026-01-15", fails=2)
    assert "is not before" in wrong.stderr
    assert "run live has succeeded" in backfill(desk, "--run-id", "live", fails=2).stderr
    assert batches(desk) == []


def test_a_backfill_beside_a_stream_is_right_at_every_step(desk: StreamDesk) -> None:
    written: list[bytes] = []

    def give(*lines: bytes) -> None:
        """More lines; the stream has read and shown all there is of them when this is over."""
        written.extend(lines)
        desk.append("a.ndjson", b"".join(lines))
        with desk.reader() as ask:
            for sql in (EVENTS, DECIDED, SHOWN):
                until(lambda sql=sql: ask(sql) == [(len(written),)])

    with desk.command("--early", "0", "--batch-ms", 0) as stream:
        stream.until(desk.began)
        give(line(1, 10, "15T10:40"), line(2, 11, "15T11:40", 2), line(3, 12, "15T12:40", 3))
        assert (tokens(desk), listed(desk)) == ({10: 1, 11: 2, 12: 3}, [])
        give(line(4, 10, "15T12:41", 10))
        assert tokens(desk) == {10: 1, 11: 2, 12: 3}
        assert listed(desk) == [("tokens", 10, "too_late", 1)]
        backfill(desk)
        assert (tokens(desk), listed(desk)) == ({10: 11, 11: 2, 12: 3}, [])
        # one that is too late again, and in windows that no batch run covers one late and one new
        give(line(5, 10, "15T12:42", 100), line(6, 11, "15T12:43", 20), line(7, 12, "15T12:44", 30))
        assert tokens(desk) == {10: 11, 11: 22, 12: 33}
        assert listed(desk) == [("tokens", 10, "too_late", 1)]
        # somebody meters an hour that is open: what comes then is listed, and counted by no view
        ranged = ["--from", "2026-01-15T12:00:00Z", "--to", "2026-01-15T13:00:00Z"]
        both = ["--input", desk.out, "--meters", "tokens", *ranged]
        desk.here(desk.arguments(*both))
        assert tokens(desk) == {10: 11, 11: 22, 12: 33}
        give(line(8, 12, "15T12:50", 300))
        assert tokens(desk) == {10: 11, 11: 22, 12: 33}
        assert listed(desk) == [("tokens", 10, "too_late", 1), ("tokens", 12, "after_batch", 1)]
        backfill(desk)
        assert (tokens(desk), listed(desk)) == ({10: 111, 11: 22, 12: 333}, [])
        give(line(9, 13, "15T13:40", 4))
        assert (tokens(desk), listed(desk)) == ({10: 111, 11: 22, 12: 333, 13: 4}, [])
        desk.end()
        assert stream.ends() == 0, stream.errors
    assert (tokens(desk), listed(desk)) == ({10: 111, 11: 22, 12: 333, 13: 4}, [])
    assert not list(desk.out.glob(".reading-*"))
