"""A backfill of a dataset while a stream goes on writing there: both are right at every moment."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from bigquery_write_service import write_service
from dataset_streams import DatasetDesk
from told_views import HOUR_US, Told, in_micros

from pipelines.bigquery.connection import EMULATOR
from pipelines.bigquery.dataset import Dataset
from runs_desk import RATES, event
from stream_desk import Command, until
from test_against_oracle import USAGE, counted
from transforms.tables import TABLES
from transforms.timestamps import parse_time

CATALOG = """\
version: 1
defaults: {allowed_lateness: 1h}
meters:
  - {name: tokens, event_type: llm, aggregation: sum, value: tokens, dimensions: [model]}
  - {name: peak, event_type: llm, aggregation: max, value: tokens, window: 1d}
"""
MIDNIGHT_US = parse_time("2026-01-15T00:00:00Z") or 0
ROW = [name for name in USAGE if name != "pane"]
# how many rows, and events in them, the stream has written
WRITTEN = """
SELECT
  (SELECT COUNT(*) FROM {events} WHERE run_id = 'live') AS events,
  (SELECT COUNT(*) FROM {rejects} WHERE run_id = 'live') AS rejects,
  (SELECT SUM(events) FROM (
    SELECT MAX(events) AS events FROM {ledger} WHERE run_id = 'live'
    GROUP BY period_start, meter, outcome, reason
  )) AS entries,
  (SELECT SUM(events) FROM (
    SELECT MAX(event_count) AS events FROM {usage} WHERE run_id = 'live'
    GROUP BY meter, window_start, customer_id
  )) AS counted
"""


def line(number: int, hour: int, arrives: str, tokens: object = 1, **more: object) -> bytes:
    arrival = f"2026-01-{arrives}:00Z"
    return (event(number, tokens, hour, received_at=arrival, **more) + "\n").encode()


class BackfillDesk(DatasetDesk):
    """A desk with a stream into a dataset, and backfills of the dataset."""

    def __init__(self, folder: Path, dataset: Dataset, emulator: Emulator) -> None:
        super().__init__(folder, dataset, emulator)
        self.catalog.write_text(CATALOG)
        self.told = Told(CATALOG, {"rates.csv": RATES}, self.inputs / "a.ndjson")

    def backfilling(self, run_id: str) -> list[str]:
        out = f"bigquery://{self.dataset}"
        given = ["--catalog", self.catalog, "--rates", self.rates, "--output", out]
        return [str(each) for each in ["backfill", "--quiet", *given, "--run-id", run_id]]

    def backfill(self, run_id: str, hour: int, hours: int, *meters: str) -> None:
        """It has to cover these hours, from that of the 15th, for these meters, and leave nothing.

        That is by its own word, as to ask an emulator takes seconds; what it left would still be
        there when the list is compared next.
        """
        said = self.here(self.backfilling(run_id)).stdout
        mended = re.search(r"Mended (\d+) of (\d+) entries", said)
        assert mended
        assert mended[1] == mended[2]
        start_us = MIDNIGHT_US + hour * HOUR_US
        self.told.mended(run_id, start_us, start_us + hours * HOUR_US, *meters)

    def give(self, *lines: bytes) -> None:
        """More lines; the stream has read and shown all there is of them when this is over."""
        self.append("a.ndjson", b"".join(lines))
        self.settle()

    def settle(self) -> None:
        wanted = self.told.stream()
        counts = sum(wanted.ledger.values()), sum(row["event_count"] for row in wanted.usage)
        there = (len(wanted.events), len(wanted.rejects), *counts)
        until(lambda: [tuple(row.values()) for row in self.asked(WRITTEN)] == [there])

    def asked(self, sql: str) -> list[dict[str, Any]]:
        return self.emulator.query(
            sql.format(**{each: self.dataset.table(each) for each in TABLES})
        )

    def balances(self) -> dict[str, set[tuple[Any, ...]]]:
        found: dict[str, set[tuple[Any, ...]]] = {}
        for row in self.rows("ledger_balance"):
            found.setdefault(row.pop("run_id"), set()).add(tuple(row.values()))
        return found

    def listed(self) -> dict[tuple[str, int, str], int]:
        return {
            (row["meter"], row["window_start"].hour, row["reason"]): row["events"]
            for row in self.rows("windows_to_backfill")
        }

    def shows(self, listed: dict[tuple[str, int, str], int] | None = None) -> None:
        """The views say what they have to, and where given, this is what there is to backfill."""
        usage = [in_micros(row) for row in self.rows("usage_current")]
        found, wanted = (counted(rows, ROW, "dimensions") for rows in (usage, self.told.usage()))
        assert (found - wanted, wanted - found) == (Counter(), Counter())
        assert self.balances() == self.told.balances()
        assert listed is None or self.listed() == listed

    @contextmanager
    def stream(self) -> Iterator[Command]:
        """It appends to the service of the tests; this process reads what the emulator has."""
        with write_service(self.emulator.client) as (address, _), ExitStack() as stack:
            with patch.dict(os.environ, {EMULATOR: address}):
                running = stack.enter_context(self.command("--early", "0", "--batch-ms", 0))
            yield running


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with emulating_bigquery() as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, emulator: Emulator) -> BackfillDesk:
    made = BackfillDesk(tmp_path, Dataset(PROJECT, emulator.dataset()), emulator)
    place = ["--output", f"bigquery://{made.dataset}", "--catalog", str(made.catalog)]
    made.here(["tables", *place])
    return made


def test_a_backfill_of_a_dataset_beside_a_stream_is_right_at_every_step(
    desk: BackfillDesk,
) -> None:
    with desk.stream() as stream:
        desk.give(
            line(1, 10, "15T10:40", "1.000000000000000001", customer_id="c'\"\\"),
            *[line(2, 11, "15T11:40", 2)] * 2,
            line(2, 11, "15T11:41", 3),
            line(3, 12, "15T12:40", 99),
            b'non"sense\n',
            line(4, 10, "15T12:41", "99999999999999999999.5"),
        )
        desk.shows({("tokens", 10, "too_late"): 1})
        desk.backfill("first", 10, 1, "tokens")
        desk.shows()
        # in the hour that the batch run covers one in time and one too late, and one in another;
        # and one that is too late for the day
        desk.give(
            line(5, 10, "15T10:50", 10),
            line(6, 10, "15T12:42", "0.000000000000000007"),
            line(7, 11, "15T11:50", 20),
            line(8, 12, "16T13:30", 500),
        )
        left = {("tokens", 10, "after_batch"): 1, ("tokens", 10, "too_late"): 1}
        desk.shows(left | {("tokens", 12, "too_late"): 1, ("peak", 0, "too_late"): 1})
        desk.backfill("second", 0, 24, "tokens", "peak")
        desk.shows()
        # an hour in which nobody found anything, but the batch run covers it
        desk.give(line(9, 14, "15T14:40", 4))
        desk.end()
        assert stream.ends() == 0, stream.errors
    desk.shows({("tokens", 14, "after_batch"): 1, ("peak", 0, "after_batch"): 1})
    statuses = {row["run_id"]: row["status"] for row in desk.rows("runs")}
    assert statuses == dict.fromkeys(("live", "first", "second"), "succeeded")
