"""The graph of a stream on a Flink cluster, with kills, against the oracle. `make test-flink`."""

import pickle
import random
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flink_cluster import Cluster, until
from flink_run import kill_something, restarts, until_it_is_missed
from hostile_files import hostile_feed
from hostile_stream import Feed
from live_run import dimensions, graph_on
from recorded_stream import ReadRecorded
from small_disk import fill, out_of_space, small_disk
from test_command_against_oracle import rows_of
from test_stream_against_oracle import assert_same, expected, of_outcome, tables

from pipelines import warehouse
from pipelines.inputs import Block, find_inputs
from pipelines.inputs.pieces import Piece, read_blocks
from pipelines.metering import Job
from pipelines.parquet_sink import WriteParquet
from rates import load_rates
from transforms.catalog_file import load_catalog
from transforms.live import Live
from transforms.run import Run
from transforms.scope import Scope
from transforms.spill import IN_MEMORY
from transforms.timestamps import DAY, micros_of

STREAMING = (
    "--streaming",
    "--checkpointing_interval=2000",
    "--max_bundle_time_mills=200",
    "--finish_bundle_before_checkpointing",
)
PIECE_LINES = 4
PAUSE_S = 0.1
KILLS = 4
LIMIT_S = 150.0
_BLOCK = 1 << 20


class FlinkStream:
    """A stream of a feed on the cluster, its output `out`, and what the oracle says of it."""

    def __init__(self, folder: Path, feed: Feed) -> None:
        self.folder, self.feed, self.out = folder, feed, folder / "out"
        self.started = datetime.now(UTC)
        self.catalog = load_catalog("catalog.yaml", feed.catalog.encode())
        self.files = [folder / "in" / name for name in feed.files]
        (folder / "in").mkdir()
        for file in self.files:
            file.write_bytes(feed.files[file.name])
        self.blocks = self._record()
        self.given, self.gate = folder / "given", folder / "gate"
        self.given.touch()
        self.allow(0)

    def _record(self) -> list[Path]:
        """The blocks of all pieces, each in a file, in the order in which they come."""
        ends = dict.fromkeys(self.feed.files, 0)
        recorded = []
        (self.folder / "blocks").mkdir()
        for piece in self.feed.cut(PIECE_LINES).pieces:
            for name, data in piece.items():
                start, ends[name] = ends[name], ends[name] + len(data)
                (file,) = find_inputs([str(self.folder / "in" / name)])
                for block in read_blocks(Piece(file, start, ends[name]), _BLOCK):
                    recorded.append(self._keep(block, len(recorded)))
        return recorded

    def _keep(self, block: Block, number: int) -> Path:
        read_us = micros_of(self.started) + number * 1000
        path = self.folder / "blocks" / str(number)
        path.write_bytes(pickle.dumps(replace(block, clock_us=read_us)))
        return path

    def runs_on(self, flink: Cluster) -> AbstractContextManager[str]:
        """While it runs; gives the job's id."""
        return graph_on(flink, self.out, self.started, self._job(), STREAMING)

    def _job(self) -> Job:
        files = [(name, text.encode()) for name, text in self.feed.rates.items()]
        book = load_rates(files, dimensions(self.catalog))
        return Job(
            run=Run("live", micros_of(self.started)),
            catalog=self.catalog,
            book=book,
            books=book,
            scope=Scope(as_streamed=True),
            source=self.feed.source,
            read=ReadRecorded(
                tuple(map(str, self.blocks)), PAUSE_S, str(self.given), str(self.gate)
            ),
            write=lambda table: WriteParquet(str(self.out / table / "live")),
            spill=IN_MEMORY,
            key_buckets=4,
            series_buckets=4,
            live=Live(early_us=300_000, slack_us=max(self.catalog.dedup_horizon_us, DAY)),
        )

    def allow(self, share: float) -> None:
        """Lets this share of the blocks come."""
        with warehouse.written_aside(self.gate) as aside:
            aside.write_text(str(round(share * len(self.blocks))))

    def read(self) -> int:
        """How many blocks were given out at least once."""
        return len(set(self.given.read_text().split()))

    def until_exact(self) -> None:
        """Waits until all was given out and the tables are those of the oracle, and stay so."""
        self.allow(1)
        until(lambda: self.read() == len(self.blocks), LIMIT_S)
        wanted = of_outcome(expected(self.feed, self.files))
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end and not self._is_exact(wanted):
            time.sleep(1)
        time.sleep(3)
        assert_same(tables(self.out), wanted)
        assert all(row["balanced"] for row in rows_of(self.out, "ledger_balance"))

    def _is_exact(self, wanted: Any) -> bool:
        try:
            assert_same(tables(self.out), wanted)
        except AssertionError:
            return False
        return True


def test_a_stream_on_flink_ends_with_what_the_oracle_says(flink: Cluster, tmp_path: Path) -> None:
    stream = FlinkStream(tmp_path, hostile_feed(1))
    with stream.runs_on(flink):
        stream.until_exact()


@pytest.mark.parametrize("number", [2, 3])
def test_a_stream_whose_task_managers_and_workers_are_killed_ends_exact(
    flink: Cluster, tmp_path: Path, number: int
) -> None:
    stream = FlinkStream(tmp_path, hostile_feed(number))
    chance = random.Random(number)  # noqa: S311
    with stream.runs_on(flink):
        for turn in range(KILLS):
            before = stream.read()
            stream.allow((turn + 1) / (KILLS + 1))
            until(lambda before=before: stream.read() > before)
            time.sleep(chance.uniform(0, 3))
            missed = restarts(flink)
            kill_something(flink, chance, ("worker", "TaskManager")[turn % 2])
            until_it_is_missed(flink, missed)
            until(flink.runs)
        stream.until_exact()


def test_a_disk_that_is_full_for_a_while_only_delays_a_stream(
    flink: Cluster, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "out"):
        stream = FlinkStream(tmp_path, hostile_feed(5))
        with stream.runs_on(flink):
            stream.allow(0.3)
            until(lambda: stream.read() and any(stream.out.glob("events/live/*.parquet")))
            fill(filler := stream.out / "filler")
            stream.allow(0.6)
            until(lambda: out_of_space(flink))
            filler.unlink()
            until(flink.runs)
            stream.until_exact()
