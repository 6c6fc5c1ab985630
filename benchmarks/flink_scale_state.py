"""A stream on a Flink cluster that remembers many keys: size and time of its checkpoints."""

import argparse
import threading
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from flink_cluster import Cluster
from flink_scale_source import Blocks, ReadDistinct
from live_run import dimensions, graph_on
from live_stream import resident

from pipelines import warehouse
from pipelines.metering import Job
from pipelines.parquet_sink import WriteParquet
from rates import load_rates
from transforms.catalog_file import load_catalog
from transforms.live import Live
from transforms.run import Run
from transforms.scope import Scope
from transforms.spill import IN_MEMORY
from transforms.timestamps import micros_of

HERE = Path(__file__).parent
CHECKPOINTS_MS = 5_000
STREAMING = (
    "--streaming",
    f"--checkpointing_interval={CHECKPOINTS_MS}",
    "--max_bundle_time_mills=200",
    "--finish_bundle_before_checkpointing",
)
PAUSE_S = 4.0  # between two blocks while checkpoints are watched
LOOK_S = 1.0
LIMIT_S = 900.0
MB = 1_000_000
ACCEPTED = "SELECT SUM(events) FROM ledger_current WHERE meter IS NULL AND outcome = 'accepted'"


@dataclass
class Stream:
    """The graph of a stream over distinct events, its output `out`."""

    folder: Path
    buckets: int
    started: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=1))

    def __post_init__(self) -> None:
        self.out, self.gate = self.folder / "out", self.folder / "gate"
        self.catalog = load_catalog("catalog.yaml", (HERE / "live_catalog.yaml").read_bytes())
        self.blocks = Blocks(micros_of(self.started))
        self.allowed = 0
        self.allow(0)

    def allow(self, blocks: int) -> None:
        """Lets so many blocks come, in all."""
        self.allowed = blocks
        with warehouse.written_aside(self.gate) as aside:
            aside.write_text(str(blocks))

    def runs_on(self, flink: Cluster) -> AbstractContextManager[str]:
        """While it runs; gives the job's id."""
        return graph_on(flink, self.out, self.started, self._job(), STREAMING)

    def _job(self) -> Job:
        book = load_rates(
            [("rates.csv", (HERE / "live_rates.csv").read_bytes())], dimensions(self.catalog)
        )
        return Job(
            run=Run("live", micros_of(self.started)),
            catalog=self.catalog,
            book=book,
            books=book,
            scope=Scope(as_streamed=True),
            source="native",
            read=ReadDistinct(self.blocks, str(self.gate)),
            write=lambda table: WriteParquet(str(self.out / table / "live")),
            spill=IN_MEMORY,
            key_buckets=self.buckets,
            series_buckets=max(self.buckets // 4, 1),  # as for any stream elsewhere
            live=Live(),
        )

    def accepted(self) -> int:
        """How many events the ledger shows as accepted."""
        with warehouse.connect(self.out) as connection:
            found = connection.execute(ACCEPTED).fetchone()
        return int(found[0] or 0) if found else 0

    def wait_for(self, keys: int) -> None:
        """Until so many were accepted. Looks seldom: that takes a moment of the same cores."""
        end = time.monotonic() + LIMIT_S
        while self.accepted() < keys:
            assert time.monotonic() < end, f"{self.accepted():,} of {keys:,} after {LIMIT_S} s"  # noqa: S101
            time.sleep(LOOK_S)


class Checkpoints(threading.Thread):
    """Notes the completed checkpoints of a job, of which Flink shows the last few."""

    def __init__(self, flink: Cluster, job: str) -> None:
        super().__init__(daemon=True)
        self.flink, self.at = flink, f"jobs/{job}/checkpoints"
        self.found: dict[int, dict[str, Any]] = {}
        self.done = threading.Event()
        named = flink.ask(f"jobs/{job}")["vertices"]
        self.dedup = next(each["id"] for each in named if "{Deduplicate," in each["name"])

    def run(self) -> None:
        """Looks now and then, until `done`."""
        while not self.done.wait(1):
            for each in self.flink.ask(self.at)["history"]:
                if each["status"] == "COMPLETED":
                    self.found[each["id"]] = each

    def since(self, first: int) -> list[dict[str, Any]]:
        """Those from a number on."""
        return [each for number, each in sorted(self.found.items()) if number >= first]

    def of_dedup(self, number: int) -> int:
        """The bytes of one that are the state of Deduplicate."""
        found = self.flink.ask(f"{self.at}/details/{number}")["tasks"][self.dedup]
        return int(found["state_size"])


def state(flink: Cluster, folder: Path, args: argparse.Namespace) -> bool:
    """Brings in keys up to each number, and watches some checkpoints there."""
    stream = Stream(folder, args.buckets)
    heap = args.heap or "of the tests"
    print(f"state backend {args.backend}, {args.buckets} buckets of keys, heap {heap}", flush=True)
    with stream.runs_on(flink) as job:
        checkpoints = Checkpoints(flink, job)
        checkpoints.start()
        for keys in map(int, args.keys.split(",")):
            before, begun = stream.accepted(), time.monotonic()
            stream.allow(-(-keys // stream.blocks.rows))
            stream.wait_for(keys)
            seconds = time.monotonic() - begun
            print(f"{(keys - before) / seconds:,.0f} events/s up to {keys:,} keys", flush=True)
            filling = checkpoints.since(0)
            _watch(stream, args.seconds)
            first = filling[-1]["id"] + 2 if filling else 0  # the next may have begun before
            _report(flink, stream, checkpoints, filling[-3:], checkpoints.since(first))
        checkpoints.done.set()
        checkpoints.join()
        wanted = stream.allowed * stream.blocks.rows
        stream.wait_for(wanted)
        good = stream.accepted() == wanted
        print("exact" if good else f"WRONG: {stream.accepted():,} of {wanted:,}")
    return good


def _watch(stream: Stream, seconds: float) -> None:
    """Lets a block come now and then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(PAUSE_S)
        stream.allow(stream.allowed + 1)


def _report(
    flink: Cluster,
    stream: Stream,
    checkpoints: Checkpoints,
    filling: list[dict[str, Any]],
    watched: list[dict[str, Any]],
) -> None:
    last, keys = watched[-1], stream.accepted()
    of_dedup = checkpoints.of_dedup(last["id"])
    print(
        f"{keys:,} keys: state {last['state_size'] / MB:,.1f} MB, of Deduplicate "
        f"{of_dedup / MB:,.1f} MB = {of_dedup / keys:.2f} bytes a key"
    )
    for name, some in (("the last of filling", filling), ("watched", watched)):
        if some:
            times = sorted(each["end_to_end_duration"] for each in some)
            written = median(each["checkpointed_size"] for each in some)
            print(
                f"  {len(some)} checkpoints, {name}: {times[0]:,} to {times[-1]:,} ms, median "
                f"{median(times):,.0f} ms; written at each, median {written / MB:,.1f} MB"
            )
    managers = [resident(pid) * 1024 / MB for pid in _processes("TaskManagerRunner")]
    workers = [resident(pid) * 1024 / MB for pid in flink.workers()]
    print(
        f"  memory of TaskManagers {', '.join(f'{each:,.0f}' for each in managers)} MB, of "
        f"Python workers {', '.join(f'{each:,.0f}' for each in workers)} MB",
        flush=True,
    )


def _processes(main: str) -> list[int]:
    """The processes of this namespace whose command has a word, by pid."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if main in each.read_text():
                found.append(int(each.parent.name))
    return found
