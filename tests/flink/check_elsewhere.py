"""`meterbeam run --streaming` from Pub/Sub to BigQuery on a Flink cluster, with kills.

What is in the dataset in the end is compared with the oracle. `make test-flink`.
"""

import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from far_cloud import Cloud, clouds
from far_stream import FarStream, Rivals
from flink_cluster import OPTIONS, Cluster, cluster, until
from flink_run import METERBEAM, kill_something, restarts, until_it_is_missed
from hostile_files import hostile_feed

STREAMING = (
    "--checkpointing_interval=2000",
    "--min_pause_between_checkpoints=500",
    "--max_bundle_time_mills=200",
    "--finish_bundle_before_checkpointing",
)
KILLS = 4
SLOW_S = 8.0  # some checkpoints long


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with clouds() as running:
        yield running


@pytest.fixture(scope="module")
def flink(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:  # noqa: ARG001 - its workers find it in their environment
    with cluster(tmp_path_factory.mktemp("elsewhere")) as started:
        yield started


@contextmanager
def runs_on(flink: Cluster, stream: FarStream) -> Iterator[None]:
    """While the job of the command runs, which has ended by then."""
    before = len(flink.jobs())
    command = [str(METERBEAM), *stream.arguments(), *OPTIONS, *STREAMING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "run live begins as job" in done.stderr
    until(lambda: len(flink.jobs()) > before and flink.runs())
    job = flink.jobs()[-1]["jid"]
    try:
        yield
    finally:
        flink.cancel(job)
        until(lambda: flink.jobs()[-1]["state"] == "CANCELED")


def test_the_command_on_flink_says_what_the_oracle_says_however_slow_its_dataset_is(
    flink: Cluster, cloud: Cloud, tmp_path: Path
) -> None:
    stream = FarStream(tmp_path, cloud, hostile_feed(3))
    with runs_on(flink, stream):
        gates = {table: threading.Semaphore(0) for table in ("events", "usage", "ledger")}
        cloud.writes.gates.update(gates)
        stream.publish(0.5)
        until(lambda: any(cloud.writes.requests[table] for table in gates))
        time.sleep(SLOW_S)
        cloud.writes.gates.clear()
        for gate in gates.values():
            gate.release(1000)
        stream.until_exact()


@pytest.mark.parametrize("number", [4])
def test_workers_and_task_managers_are_killed_and_every_message_counts_once(
    flink: Cluster, cloud: Cloud, tmp_path: Path, number: int
) -> None:
    stream = FarStream(tmp_path, cloud, hostile_feed(number))
    with runs_on(flink, stream):
        kill_while_messages_come(flink, stream, number)
        stream.until_exact()


def test_after_kills_the_same_of_two_rivals_is_still_the_first(
    flink: Cluster, cloud: Cloud, tmp_path: Path
) -> None:
    stream = Rivals(tmp_path, cloud, 150)
    with runs_on(flink, stream):
        kill_while_messages_come(flink, stream, 7)
        stream.until_exact()


def kill_while_messages_come(flink: Cluster, stream: FarStream, number: int) -> None:
    """Kills a worker and a TaskManager by turns, each while some messages are on their way."""
    chance = random.Random(number)  # noqa: S311
    for turn in range(KILLS):
        stream.publish((turn + 1) / (KILLS + 1))
        time.sleep(chance.uniform(0, 6))
        missed = restarts(flink)
        kill_something(flink, chance, ("worker", "TaskManager")[turn % 2])
        until_it_is_missed(flink, missed)
        stream.deliver_again()
        until(flink.runs)
