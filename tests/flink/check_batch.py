"""Batch runs of the command on a Flink cluster give what the oracle says, whatever dies meanwhile.

`make test-flink` runs this; it needs minutes, and what `make flink` fetches.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flink_cluster import Cluster
from flink_run import FlinkRun, kill_something, restarts, until_it_is_missed
from hostile_files import hostile_case
from small_disk import fill, out_of_space, small_disk
from test_command_against_oracle import arguments, assert_as_told, rows_of

from strategies import Case, CaseOptions

KILLS = 3


@contextmanager
def run(
    flink: Cluster, folder: Path, case: Case, asked: CaseOptions, *more: str
) -> Iterator[FlinkRun]:
    folder.mkdir(exist_ok=True)
    started = FlinkRun(flink, arguments(folder, case, asked), folder / "out", *more)
    try:
        yield started
    finally:
        started.end()


@pytest.mark.parametrize("number", [1, 2])
def test_a_batch_run_on_flink_says_what_the_oracle_says(
    flink: Cluster, tmp_path: Path, number: int
) -> None:
    case, asked = hostile_case(number)
    with run(flink, tmp_path, case, asked) as running:
        assert running.ends() == (0, "")
    assert_as_told(tmp_path, case, asked)


@pytest.mark.parametrize("number", [3, 4, 5])
def test_killed_task_managers_and_workers_change_nothing(
    flink: Cluster, tmp_path: Path, number: int
) -> None:
    case, asked = hostile_case(number)
    chance = random.Random(number)  # noqa: S311
    killed = []
    with run(flink, tmp_path, case, asked) as running:
        for turn in range(KILLS):
            running.until_it_writes(1)
            time.sleep(chance.uniform(0, 0.5))
            before = restarts(flink)
            killed.append(kill_something(flink, chance, ("worker", "TaskManager")[turn % 2]))
            until_it_is_missed(flink, before)
        ended = running.ends()
    assert ended == (0, ""), killed
    assert_as_told(tmp_path, case, asked)


def test_a_disk_that_is_full_for_a_while_only_delays_a_run(flink: Cluster, tmp_path: Path) -> None:
    case, asked = hostile_case(6)
    with small_disk(tmp_path / "out"):
        filler = tmp_path / "out" / "filler"
        with run(flink, tmp_path, case, asked) as running:
            running.until_it_writes(2)
            fill(filler)
            failures = until_it_fails(flink, running)
            filler.unlink()
            assert running.ends() == (0, "")
        assert failures
        assert_as_told(tmp_path, case, asked)


def test_a_disk_that_stays_full_shows_nothing_and_a_rerun_mends_it(
    flink: Cluster, tmp_path: Path
) -> None:
    case, asked = hostile_case(7)
    given = ("--run-id", "again")
    with small_disk(tmp_path / "out"):
        filler = tmp_path / "out" / "filler"
        with run(flink, tmp_path, case, asked, *given) as running:
            running.until_it_writes(2)
            fill(filler)
            until_it_fails(flink, running)
            flink.cancel(flink.jobs()[-1]["jid"])
            code, said = running.ends()
        assert code == 1
        assert "again" in said
        filler.unlink()
        assert rows_of(tmp_path / "out", "usage_current") == []
        again = [*arguments_again(tmp_path, case, asked), *given]
        rerun = FlinkRun(flink, again, tmp_path / "out")
        assert rerun.ends() == (0, "")
        assert_as_told(tmp_path, case, asked)


def arguments_again(folder: Path, case: Case, asked: CaseOptions) -> list[str]:
    """The same for a folder whose files are there already."""
    for made in ("rates", "in"):
        if (folder / made).exists():
            for file in (folder / made).iterdir():
                file.unlink()
            (folder / made).rmdir()
    return arguments(folder, case, asked)


def until_it_fails(flink: Cluster, running: FlinkRun) -> str:
    """Waits until Flink has noted the failure, and gives its words."""
    return str(running.until(lambda: out_of_space(flink)))
