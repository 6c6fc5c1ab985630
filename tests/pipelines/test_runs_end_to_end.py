"""The command run as a user runs it, from files to views."""

import subprocess
import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from runs_desk import Desk, event

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_file_with_every_line_bad_ends_well_with_all_lines_in_rejects(desk: Desk) -> None:
    lines = ["nonsense", "[]", '{"id":"x"}', '{"a":1,"a":2}', event(1, 1, event_type=7)]
    desk.run("--input", desk.file("bad.ndjson", *lines))
    found = desk.ask("SELECT reason, payload FROM rejects ORDER BY origin")
    assert {payload for _, payload in found} == set(lines)
    assert Counter(reason for reason, _ in found) == Counter(
        ["not_json", "not_object", "missing_field", "duplicate_field", "wrong_type"]
    )
    assert desk.ask("SELECT * FROM usage_current") == []
    assert desk.ask("SELECT bool_and(balanced) FROM ledger_balance") == [(True,)]


def test_an_empty_file_is_a_run_of_nothing(desk: Desk) -> None:
    desk.run("--input", desk.file("empty.ndjson"))
    assert desk.ask("SELECT COUNT(*) FROM events") == [(0,)]
    assert desk.ask("SELECT status FROM runs") == [("succeeded",)]


def test_runs_of_other_windows_add_up(desk: Desk) -> None:
    desk.run("--input", desk.file("a.ndjson", event(1, 5, 10)))
    desk.run("--input", desk.file("b.ndjson", event(2, 7, 11)))
    assert desk.tokens() == {10: 5, 11: 7}


def test_a_run_over_windows_covered_before_is_refused_and_shows_nothing(desk: Desk) -> None:
    desk.run("--input", desk.file("a.ndjson", event(1, 5, 10)), "--run-id", "monday")
    late = desk.file("b.ndjson", event(2, 7, 10), event(3, 1, 11))
    done = desk.run("--input", late, fails=1)
    assert all(word in done.stderr for word in ("monday", "tokens", "--replace", "2026-01-15T10"))
    assert desk.tokens() == {10: 5}
    assert desk.ask("SELECT COUNT(*) FROM events") == [(1,)]
    assert sorted(desk.ask("SELECT status FROM runs")) == [("failed",), ("succeeded",)]


def test_replace_takes_the_place_of_covered_windows_only(desk: Desk) -> None:
    desk.run("--input", desk.file("a.ndjson", event(1, 5, 10), event(2, 6, 11)))
    desk.run("--input", desk.file("b.ndjson", event(3, 7, 10)), "--replace")
    assert desk.tokens() == {10: 7, 11: 6}


def test_an_output_among_the_inputs_takes_late_files_in(desk: Desk) -> None:
    desk.run("--input", desk.file("a.ndjson", event(1, 5, 10), event(2, 6, 11)))
    desk.run("--input", desk.out, "--input", desk.file("b.ndjson", event(1, 5, 10), event(3, 7)))
    assert desk.tokens() == {10: 12, 11: 6}
    assert desk.ask("SELECT COUNT(*) FROM events_current") == [(3,)]
    desk.run("--input", desk.out, "--input", desk.file("c.ndjson", event(4, 1, 11)))
    assert desk.tokens() == {10: 12, 11: 7}


def test_a_range_replaces_even_where_it_finds_nothing(desk: Desk) -> None:
    desk.run("--input", desk.file("a.ndjson", event(1, 5, 10), event(2, 6, 11)))
    only = desk.file("b.ndjson", event(2, 6, 11))
    times = ("--from", "2026-01-15T10:00:00Z", "--to", "2026-01-15T11:00:00Z")
    desk.run("--input", only, *times)
    assert desk.tokens() == {11: 6}
    assert desk.ask("SELECT COUNT(*) FROM ledger WHERE outcome = 'matched'")[0][0] == 2


def test_chosen_meters_alone_are_covered(desk: Desk) -> None:
    path = desk.file("a.ndjson", event(1, 5, 10))
    desk.run("--input", path, "--meters", "calls")
    desk.run("--input", path, "--meters", "tokens")
    done = desk.run("--input", path, "--meters", "tokens", fails=1)
    assert "calls" not in done.stderr


def test_a_run_id_that_succeeded_is_refused_and_one_that_failed_is_mended(desk: Desk) -> None:
    path = desk.file("a.ndjson", event(1, 5), "nonsense")
    desk.run("--input", path, "--run-id", "x", "--max-rejects", "10%", fails=1)
    assert desk.ask("SELECT COUNT(*) FROM events") == [(0,)]
    desk.run("--input", path, "--run-id", "x", "--max-rejects", "50%")
    assert desk.tokens() == {10: 5}
    assert desk.ask("SELECT COUNT(*) FROM rejects") == [(1,)]
    assert "x" in desk.run("--input", path, "--run-id", "x", fails=2).stderr


def test_a_damaged_file_fails_the_run_names_the_file_and_shows_nothing(desk: Desk) -> None:
    good = desk.file("a.ndjson", event(1, 5))
    damaged = desk.folder / "b.ndjson.gz"
    damaged.write_bytes(b"\x1f\x8b\x08\x00 this is no gzip")
    done = desk.run("--input", good, "--input", damaged, fails=1)
    assert "b.ndjson.gz" in done.stderr
    assert "Traceback" not in done.output
    assert desk.ask("SELECT COUNT(*) FROM events") == [(0,)]


def test_late_events_are_rejected_as_streamed_and_admitted_by_default(desk: Desk) -> None:
    arrivals = ["2026-01-15T10:31:00Z", "2026-01-17T11:00:00Z", "2026-01-16T11:00:00Z"]
    lines = [event(i, 1, received_at=at) for i, at in enumerate(arrivals)]
    path = desk.file("a.ndjson", *lines)
    desk.run("--input", path, "--source", "recorded", "--as-streamed")
    assert desk.tokens() == {10: 2}
    late = desk.ask("SELECT meter, reason, payload FROM rejects ORDER BY meter")
    assert late == [("calls", "too_late", None), ("tokens", "too_late", None)]
    assert len(desk.ask("SELECT * FROM windows_to_backfill WHERE reason = 'too_late'")) == 2
    desk.run("--input", desk.out, "--source", "recorded")
    assert desk.tokens() == {10: 3}
    assert desk.ask("SELECT * FROM windows_to_backfill") == []


def test_archived_clock_arrivals_cannot_be_replayed_as_streamed(desk: Desk) -> None:
    desk.run("--input", desk.file("a.ndjson", event(1, 5)))
    done = desk.run("--input", desk.out, "--as-streamed", fails=2)
    assert "arrival" in done.stderr


@pytest.mark.parametrize("runner", ["DirectRunner", "FnApiRunner"])
def test_the_runner_does_not_change_a_digit(desk: Desk, runner: str) -> None:
    lines = [event(i % 40, "0.1", 10 + i % 3) for i in range(60)]
    desk.run("--input", desk.file("a.ndjson", *lines), "--runner", runner, "--block-bytes", "500")
    assert sum(desk.tokens().values()) == Decimal(4)
    found = desk.ask("SELECT SUM(cost) FROM usage_current WHERE meter = 'tokens'")
    assert found == [(Decimal(2),)]
    assert desk.ask("SELECT bool_and(balanced) FROM ledger_balance") == [(True,)]


def command(desk: Desk, *args: object) -> list[str]:
    usual = ["--catalog", desk.folder / "catalog.yaml", "--output", desk.out]
    return [sys.executable, "-m", "pipelines.main", *map(str, [*usual, *args])]


def test_the_job_runs_as_a_plain_beam_job_and_prints_a_summary(desk: Desk) -> None:
    path = desk.file("a.ndjson", event(1, 5), event(1, 5), "nonsense")
    args = command(desk, "--input", path, "--direct_num_workers=1")
    done = subprocess.run(args, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    shown = " ".join(done.stdout.split())
    for words in ("events received 3", "accepted 1", "duplicates 1", "rejected: not_json 1"):
        assert words in shown
    wrong = subprocess.run(
        [*args, "--no-such-option"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert wrong.returncode == 2
    assert "--no-such-option" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_killed_run_shows_nothing_and_a_rerun_mends_it(desk: Desk) -> None:
    path = desk.file("a.ndjson", *(event(i, 1, 10 + i % 5) for i in range(20_000)))
    args = command(desk, "--input", path, "--run-id", "x", "--block-bytes", "20000")
    with subprocess.Popen(args, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not any(desk.out.glob("events/x/*.parquet")):
            time.sleep(0.01)
        process.kill()
    assert desk.ask("SELECT COUNT(*) FROM events") == [(0,)]
    assert desk.ask("SELECT status FROM runs") == [("running",)]
    desk.run("--input", path, "--run-id", "x")
    assert desk.ask("SELECT COUNT(*) FROM events") == [(20_000,)]
    assert sum(desk.tokens().values()) == 20_000


def test_readers_see_a_run_whole_or_not_at_all(desk: Desk) -> None:
    desk.run("--input", desk.file("a.ndjson", event(1, 5, 10)))
    with duckdb.connect(desk.out / "warehouse.duckdb", read_only=True) as reader:
        before = reader.execute("SELECT COUNT(*) FROM events").fetchall()
        desk.run("--input", desk.file("b.ndjson", event(2, 5, 11)))
        after = reader.execute("SELECT COUNT(*) FROM events").fetchall()
    assert (before, after) == ([(1,)], [(2,)])


def test_a_run_leaves_no_shuffled_pieces_behind(desk: Desk) -> None:
    desk.run("--input", desk.file("a.ndjson", event(1, 5), "bad"), "--max-rejects", "1%", fails=1)
    desk.run("--input", desk.file("b.ndjson", event(1, 5)))
    assert not list(desk.out.glob(".*"))
