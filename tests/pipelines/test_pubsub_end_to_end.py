"""A subscription from the service to the ledger, with deliveries that come again."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pubsub_emulator import emulating

COUNT, FIRST = 100_000, 1_000
REPUBLISHED = 500  # the same event in another message: a duplicate
CATALOG = """\
version: 1
meters:
  - {name: calls, event_type: call, aggregation: count}
  - {name: tokens, event_type: call, aggregation: sum, value: n}
"""
TOTALS = """
SELECT
  (SELECT COALESCE(SUM(events), 0) FROM ledger_current
    WHERE meter IS NULL AND outcome = 'received'),
  (SELECT COALESCE(SUM(events), 0) FROM ledger_current
    WHERE meter IS NULL AND outcome = 'accepted'),
  (SELECT COALESCE(SUM(events), 0) FROM ledger_current
    WHERE meter IS NULL AND outcome = 'duplicate'),
  (SELECT COALESCE(SUM(quantity), 0) FROM usage_current WHERE meter = 'tokens'),
  (SELECT COUNT(*) FROM events),
  (SELECT COALESCE(BOOL_AND(balanced), FALSE) FROM ledger_balance)
"""


def payload(number: int) -> bytes:
    return (
        f'{{"id":"{number}","event_type":"call","customer_id":"c{number % 50}",'
        f'"timestamp":"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}","properties":{{"n":{number % 7}}}}}'
    ).encode()


@contextmanager
def metering(address: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command, which reads a subscription; it is asked to stop in the end."""
    (folder / "catalog.yaml").write_text(CATALOG)
    command = [Path(sys.executable).with_name("meterbeam"), "run", "--streaming", "--quiet"]
    names = {"--catalog": folder / "catalog.yaml", "--input": address, "--output": folder / "out"}
    options = [str(each) for pair in names.items() for each in pair]
    process = subprocess.Popen([*command, *options])
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def totals(folder: Path) -> tuple[int, ...]:
    warehouse = folder / "out" / "warehouse.duckdb"
    if not warehouse.exists():
        return (0,) * 6
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(TOTALS).fetchone() or ()


def until(holds: Callable[[], bool], within_s: float = 120.0) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_hundred_thousand_messages_and_their_redeliveries_are_counted_once(
    tmp_path: Path,
) -> None:
    with emulating() as service:
        address = service.subscribe("calls", deadline_s=10)
        payloads = [payload(number) for number in range(COUNT)]
        since = datetime.now(UTC)
        service.publish(address, payloads[:FIRST])
        with metering(address, tmp_path) as process:
            until(lambda: totals(tmp_path)[0] == FIRST)
            service.deliver_again(address, since)  # 1 %: all that there was
            service.publish(address, payloads[FIRST:])
            service.publish(address, payloads[:REPUBLISHED])
            seen = 0
            while (seen := totals(tmp_path)[0]) < COUNT + REPUBLISHED:
                assert process.poll() is None
                service.void_leases(address, range(max(1, seen - 2000), seen, 100))
                time.sleep(0.2)
        received, accepted, duplicate, tokens, events, balanced = totals(tmp_path)
        assert (received, accepted, duplicate) == (COUNT + REPUBLISHED, COUNT, REPUBLISHED)
        assert tokens == sum(number % 7 for number in range(COUNT))
        assert events == received
        assert balanced
        assert not service.pull(address)


def test_a_subscription_that_is_not_there_is_a_mistake_before_anything_is_written(
    tmp_path: Path,
) -> None:
    with emulating() as service:
        address = service.subscribe("calls") + "x"
        (tmp_path / "catalog.yaml").write_text(CATALOG)
        command = [Path(sys.executable).with_name("meterbeam"), "run", "--streaming"]
        names = ("--catalog", "catalog.yaml", "--input", address, "--output", "out")
        done = subprocess.run(
            [*command, *names], cwd=tmp_path, capture_output=True, text=True, check=False
        )
    assert done.returncode == 2
    assert address.rpartition("/")[2] in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
