"""A stream of the command from Pub/Sub to BigQuery on a cluster, and what the oracle says of it."""

import json
import time
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bigquery_emulator import PROJECT
from far_cloud import Cloud
from flink_cluster import until
from hostile_stream import Feed
from test_stream_against_oracle import CLOCK, Tables, assert_same, of_outcome

from oracle import Outcome, Record, meter_batch, split_records
from oracle.catalog import read_catalog
from oracle.events import read_event
from pipelines.bigquery.dataset import Dataset
from pipelines.views.dialects import bigquery_name

LIMIT_S = 150.0
_MORE_S = 5.0
_CATALOG = """\
version: 1
meters:
  - {name: tokens, event_type: call, aggregation: sum, value: tokens, dimensions: [model]}
  - {name: calls, event_type: call, aggregation: count, dimensions: [model]}
"""


class FarStream:
    """The command over a feed's records as messages, and what the oracle says of them.

    Records of one key are published one after another, each when those before are in a table: the
    service promises no order, and the first that is processed counts.
    """

    def __init__(self, folder: Path, cloud: Cloud, feed: Feed) -> None:
        self.folder, self.cloud, self.feed = folder, cloud, feed
        self.dataset = Dataset(PROJECT, cloud.bigquery.dataset())
        self.address = cloud.messages.subscribe(f"calls-{self.dataset.name}")
        self.turns = _turns(feed, _records(feed))
        self.records = [record for turn in self.turns for record in turn]
        self.ids: list[str] = []

    def arguments(self) -> list[str]:
        """What `meterbeam` is told."""
        (self.folder / "catalog.yaml").write_text(self.feed.catalog)
        given = ["run", "--streaming", "--catalog", str(self.folder / "catalog.yaml")]
        given += ["--source", self.feed.source, "--run-id", "live", "--input", self.address]
        given += ["--output", f"bigquery://{self.dataset}", "--no_wait_until_finish"]
        if self.feed.rates:
            (self.folder / "rates").mkdir()
            for name, text in self.feed.rates.items():
                (self.folder / "rates" / name).write_text(text, newline="")
            given += ["--rates", str(self.folder / "rates")]
        return [*given, "--buckets", "4", "--early", "0.3", "--batch-rows", "10"]

    def publish(self, share: float) -> None:
        """Lets this share of the records come."""
        upto = round(share * len(self.records))
        ended = 0
        for turn in self.turns:
            begun, ended = ended, ended + len(turn)
            at = len(self.ids)
            if begun <= at < min(ended, upto):
                until(lambda at=begun: self.stored(self.ids[:at]), LIMIT_S)
                payloads = [record.raw + b"\n" for record in self.records[at : min(ended, upto)]]
                self.ids += self.cloud.messages.publish(self.address, payloads)

    def stored(self, ids: list[str]) -> bool:
        """Whether these messages are in a table, as events or as rejects."""
        found = {row["origin"] for table in ("events", "rejects") for row in self._raw(table)}
        return found.issuperset(ids)

    def _raw(self, table: str) -> list[dict[str, Any]]:
        return self.cloud.bigquery.query(f"SELECT origin FROM {self.dataset.table(table)}")  # noqa: S608 - ours

    def deliver_again(self) -> None:
        """Ends the leases that a killed worker has left: the service takes a minute."""
        self.cloud.messages.void_leases(self.address, range(1, 5000))

    def rows(self, view: str) -> list[dict[str, Any]]:
        """Those of a view, as the oracle has them."""
        known = self.dataset.table(bigquery_name(view))
        named = dict(zip(self.ids, self.records, strict=False))
        found = self.cloud.bigquery.query(f"SELECT * FROM {known}")  # noqa: S608 - ours
        for row in found:
            for name, value in row.items():
                if isinstance(value, datetime):
                    row[name] = _micros(value)
            if row.get("origin") in named:
                row["origin"] = named[row["origin"]].origin
        return found

    def tables(self) -> Tables:
        """What the views say."""
        ledger = Counter[Any]()
        for row in self.rows("ledger_current"):
            key = row["period_start"], row["meter"], row["outcome"], row["reason"]
            ledger[key] += row["events"]
        views = {name: self.rows(name) for name in ("events", "rejects")}
        return of_outcome(Outcome(usage=self.rows("usage_current"), ledger=ledger, **views))

    def expected(self) -> Tables:
        """What the oracle says."""
        return of_outcome(
            meter_batch(
                self.feed.catalog,
                self.feed.rates or None,
                self.records,
                source=self.feed.source,
                started_at_us=CLOCK.start,
                as_streamed=True,
            )
        )

    def until_exact(self) -> None:
        """Waits until all has come and the tables are those of the oracle, and stay so."""
        self.publish(1)
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end and not self._is_exact():
            time.sleep(1)
        time.sleep(_MORE_S)
        assert_same(self.tables(), self.expected())
        assert all(row["balanced"] for row in self.rows("ledger_balance"))
        assert not self.cloud.messages.pull(self.address)

    def _is_exact(self) -> bool:
        try:
            assert_same(self.tables(), self.expected())
        except AssertionError:
            return False
        return not self.cloud.messages.pull(self.address)


class Rivals(FarStream):
    """A stream of pairs that have one key and one arrival and say different things.

    They are published at once, so either may be the first. Which it was, the one that was rejected
    tells; all else has to follow from that.
    """

    def __init__(self, folder: Path, cloud: Cloud, pairs: int) -> None:
        lines = [_rival(number, side) for number in range(pairs) for side in (1, 2)]
        feed = Feed(_CATALOG, {}, "recorded", [{"a.ndjson": b"".join(lines)}], 0)
        super().__init__(folder, cloud, feed)
        self.turns = [_records(feed)]
        self.records = self.turns[0]

    def expected(self) -> Tables:
        """With those first that were taken: among equal arrivals the path decides."""
        refused = {row["origin"] for row in self.rows("rejects") if row["reason"] == "conflict"}
        self.records = [
            replace(record, path="later" if record.origin in refused else "first")
            for record in self.records
        ]
        return super().expected()


def _rival(number: int, side: int) -> bytes:
    known = {"id": f"{number}", "event_type": "call", "customer_id": f"c{number % 3}"}
    times = dict.fromkeys(("timestamp", "received_at"), "2026-01-15T10:30:00Z")
    properties = {"tokens": number * 10 + side, "model": f"{number % 7}-{side}"}
    return json.dumps(known | times | {"properties": properties}).encode() + b"\n"


def _records(feed: Feed) -> list[Record]:
    """Those that are messages: a line end at the end of a message is not part of its record."""
    files = feed.files.items()
    found = [record for name, data in files for record in split_records(name, data)]
    return [record for record in found if not record.raw.endswith(b"\r")]


def _turns(feed: Feed, records: list[Record]) -> list[list[Record]]:
    """The first records of all keys, the second ones, and so on."""
    catalog = read_catalog(feed.catalog, feed.source)
    turns: dict[int, list[Record]] = defaultdict(list)
    keyed: dict[Any, list[tuple[int, str, int, Record]]] = defaultdict(list)
    for record in records:
        event = read_event(
            record, catalog.source, clock=CLOCK.start, tolerance=catalog.future_tolerance
        )
        if event.reason:
            turns[0].append(record)
        else:
            keyed[event.key].append((event.received_at, record.path, record.offset, record))
    for found in keyed.values():
        for number, (*_, record) in enumerate(sorted(found, key=lambda each: each[:3])):
            turns[number].append(record)
    return [turns[number] for number in sorted(turns)]


def _micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
