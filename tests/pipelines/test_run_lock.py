"""One process at a time runs under a run id, also in an output that is new."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import run_lock
from pipelines.problems import UserError
from runs_desk import Desk, event

HOLDER = """
import sys
from pathlib import Path
from pipelines import run_lock
with run_lock.held(Path(sys.argv[1]), "r"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_id_is_held_against_other_processes_until_they_are_killed(tmp_path: Path) -> None:
    out = tmp_path / "new"
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HOLDER, str(out)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="run r is running already"), run_lock.held(out, "r"):
            pass
        with run_lock.held(out, "another"):
            pass
        holder.kill()
    with run_lock.held(out, "r"):
        pass


def test_a_run_that_ended_leaves_no_lock(tmp_path: Path) -> None:
    for _ in range(2):
        with run_lock.held(tmp_path, "r"):
            pass
    assert list((tmp_path / "runs").iterdir()) == []


def test_one_that_waits_for_a_lock_that_was_removed_does_not_share_it(tmp_path: Path) -> None:
    with run_lock.held(tmp_path, "r"):
        (tmp_path / "runs" / ".r.lock").unlink()
        with (
            run_lock.held(tmp_path, "r"),
            pytest.raises(UserError, match="running already"),
            run_lock.held(tmp_path, "r"),
        ):
            pass


def test_a_run_that_is_sent_off_twice_runs_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    arguments = ("--input", desk.file("a.ndjson", event(1, 1, 10)), "--run-id", "twice")
    with run_lock.held(desk.out, "twice"):
        said = desk.run(*arguments, fails=2)
        assert "run twice is running already, in another process" in said.stderr
    desk.run(*arguments)
