"""A stream that is killed, or stopped, goes on: nothing is lost, and nothing is counted twice."""

import random
import signal
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hostile_stream import Feed, feeds
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from stream_reader import Reader
from test_stream_against_oracle import assert_same, expected, fed, of_outcome, tables

from runs_desk import event
from stream_desk import StreamDesk
from transforms.tables import TABLES

_KILLS = 3


@given(feeds(), st.integers(0, 1 << 30))
@settings(
    max_examples=1,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_killed_at_any_moments_it_ends_with_what_the_oracle_says(feed: Feed, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - moments, no secrets
    feed = feed.cut(8)
    with tempfile.TemporaryDirectory() as name:
        desk = StreamDesk(Path(name), feed.catalog, dict(feed.rates), feed.source)
        options = ["--early", "0.02", "--batch-rows", 2, "--batch-ms", 0]
        with fed(desk, feed), Reader(desk) as reader:
            for _ in range(_KILLS):
                with desk.command(*options) as command:
                    wanted = desk.batches() + chance.randint(1, 25)
                    command.until(lambda n=wanted: desk.batches() >= n or desk.has_ended())
                    for _ in range(chance.choice([0, 0, 1, 3])):
                        reader.look()  # takes a moment
                    command.kill()
            with desk.command(*options) as command:
                assert command.ends() == 0, command.errors
        reader.look()
        files = [desk.inputs / each for each in feed.files]
        assert_same(tables(desk.out), of_outcome(expected(feed, files)))
        assert all(balanced for (balanced,) in desk.ask("SELECT balanced FROM ledger_balance"))
        assert desk.status() == "succeeded"


RATES = "meter,label,effective_from,unit_price,model\ntokens,list,2026-01-01,0.5,\n"
DEARER = RATES + "tokens,dearer,2026-01-15T10:00:00Z,2,\n"


def lines(first: int, count: int, hour: int = 10) -> bytes:
    arrives = f"2026-01-15T{hour}:40:00Z"
    numbers = range(first, first + count)
    return "".join(f"{event(n, n, hour, received_at=arrives)}\n" for n in numbers).encode()


@pytest.fixture
def desk(tmp_path: Path) -> StreamDesk:
    return StreamDesk(tmp_path, rates={"rates.csv": RATES})


def test_it_goes_on_after_a_kill_and_a_stop_with_other_rates_and_without_a_file(
    desk: StreamDesk,
) -> None:
    with desk.command("--early", "0") as command:
        desk.append("a.ndjson", lines(0, 100) + b"nonsense\n")
        command.until(desk.began)
        command.until(lambda: desk.events() == 100 and desk.ask("SELECT 1 FROM rejects"))
        command.kill()
    (desk.inputs / "a.ndjson").unlink()  # all of it is in the tables
    (desk.rates / "rates.csv").write_text(DEARER)
    with desk.command("--early", "0") as command:
        desk.append("b.ndjson", lines(90, 30))  # ten that were there before
        desk.append("b.ndjson", b"torn")
        command.until(lambda: desk.has_read({"b.ndjson": len(lines(90, 30))}))
        command.send(signal.SIGTERM)
        assert command.ends() == 0, command.errors
    assert desk.events() == 130
    desk.append("b.ndjson", b" line\n" + lines(120, 10))
    desk.append("c.ndjson", lines(130, 5))
    with desk.command("--early", "0") as command:
        desk.end()
        assert command.ends() == 0, command.errors
    assert desk.ask(
        "SELECT rate_label, event_count, quantity, cost FROM usage_current"
        " WHERE meter = 'tokens' ORDER BY 2 DESC"
    ) == [
        ("list", 100, Decimal(sum(range(100))), Decimal(sum(range(100))) / 2),
        ("dearer", 35, Decimal(sum(range(100, 135))), Decimal(sum(range(100, 135))) * 2),
    ]
    ledger = dict(
        desk.ask("SELECT outcome, SUM(events) FROM ledger_current WHERE meter IS NULL GROUP BY 1")
    )
    assert ledger == {"received": 147, "accepted": 135, "duplicate": 10, "rejected": 2}
    origins = Counter(origin for (origin,) in desk.ask("SELECT origin FROM events"))
    assert (len(origins), set(origins.values())) == (145, {1})
    assert all(balanced for (balanced,) in desk.ask("SELECT balanced FROM ledger_balance"))


@pytest.mark.parametrize("left", [b"", b"PAR1" + bytes(60)], ids=["empty", "torn"])
def test_it_goes_on_after_a_power_cut_that_left_files_of_tables_empty(
    desk: StreamDesk, left: bytes
) -> None:
    with desk.command("--early", "0", "--batch-rows", "20") as command:
        desk.append("a.ndjson", lines(0, 100) + b"nonsense\n")
        command.until(desk.began)
        command.until(lambda: desk.events() == 100 and desk.ask("SELECT 1 FROM rejects"))
        command.kill()
    torn = [desk.out / table / "live" for table in TABLES if table != "runs"]
    for path in (each for folder in torn for each in folder.glob("**/[!.]*.parquet")):
        path.write_bytes(left)
    desk.append("a.ndjson", lines(90, 30))
    with desk.command("--early", "0") as command:
        desk.end()
        assert command.ends() == 0, command.errors
    assert desk.ask("SELECT event_count FROM usage_current WHERE meter = 'tokens'") == [(120,)]
    assert desk.ask("SELECT COUNT(*), COUNT(DISTINCT origin) FROM events") == [(130, 130)]
    assert desk.ask("SELECT reason FROM rejects") == [("not_json",)]
    assert all(balanced for (balanced,) in desk.ask("SELECT balanced FROM ledger_balance"))


def test_rates_that_break_before_the_first_event_stay_as_they_were(desk: StreamDesk) -> None:
    with desk.command("--early", "0", "--rates-refresh", "0.01") as command:
        command.until(desk.began)
        (desk.rates / "rates.csv").write_text("no rates")
        desk.append("a.ndjson", lines(0, 10))
        desk.end()
        assert command.ends() == 0, command.errors
        assert "the last good ones stay" in command.errors
    rated = "SELECT rate_label, event_count FROM usage_current WHERE meter = 'tokens'"
    assert desk.ask(rated) == [("list", 10)]


def test_rates_that_were_used_and_are_damaged_are_named_and_mend_by_themselves(
    desk: StreamDesk,
) -> None:
    with desk.command("--early", "0") as command:
        desk.append("a.ndjson", lines(0, 10))
        command.until(desk.began)
        command.until(lambda: desk.events() == 10)
        command.kill()
    (kept,) = (desk.out / ".stream-live" / "rates").glob("*/*.csv")
    kept.write_bytes(b"")
    (desk.rates / "rates.csv").write_text(DEARER)
    with desk.command("--early", "0") as command:
        assert command.ends() == 2
        assert str(kept.parent) in command.errors
    (desk.rates / "rates.csv").write_text(RATES)  # those that are damaged
    with desk.command("--early", "0") as command:
        desk.end()
        assert command.ends() == 0, command.errors
    rated = "SELECT rate_label, event_count FROM usage_current WHERE meter = 'tokens'"
    assert desk.ask(rated) == [("list", 10)]
    assert desk.ask("SELECT reason FROM rejects") == []
