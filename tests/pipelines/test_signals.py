"""The first signal asks a stream to stop, the next one stops it, and no process is left."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from terminal import HERE, PATHS, Terminal

from pipelines.signals import stopped_by_signals
from pipelines.stopping import STOP

STREAM = [sys.executable, str(HERE / "endless_stream.py")]
LIMIT_S = 60
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@contextmanager
def running(process: subprocess.Popen[str]) -> Iterator[list[int]]:
    """Waits until the stream of a command runs, and gives the processes it has started."""
    try:
        assert process.stdout
        said = process.stdout.readline()
        assert said == "running\n", (said, process.communicate(timeout=LIMIT_S))
        yield children(process.pid)
    finally:
        process.kill()
        process.communicate()


def started(*command: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=PATHS)


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except OSError:  # it is gone
            continue
        if int(parent) == pid:
            found.append(int(stat.parent.name))
    return found


def wait_until_gone(pids: list[int]) -> None:
    end = time.monotonic() + LIMIT_S
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < end, f"still there: {left}"
        time.sleep(0.01)


def test_sigterm_ends_the_stream_in_good_order_and_leaves_no_process() -> None:
    process = started(*STREAM)
    with running(process) as engines:
        assert len(engines) == 1
        process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=LIMIT_S)
        wait_until_gone(engines)
    assert (said, process.returncode) == ("DONE\n", 0)
    assert errors == "meterbeam: stopping: what was read is finished (again to stop at once)\n"


def test_ctrl_c_on_a_terminal_reaches_the_command_and_not_its_engine() -> None:
    with Terminal() as terminal:
        process = terminal.start(*STREAM)
        with running(process) as engines:
            assert [os.getsid(pid) for pid in engines] == engines
            terminal.type(b"\x03")
            said, _ = process.communicate(timeout=LIMIT_S)
            wait_until_gone(engines)
    assert (said, process.returncode) == ("DONE\n", 0)
    assert "stopping: what was read is finished" in terminal.written
    assert terminal.written.rfind(SHOW_CURSOR) > terminal.written.rfind(HIDE_CURSOR)


def test_a_second_signal_stops_a_stream_that_does_not_end() -> None:
    process = started(*STREAM, "deaf")
    with running(process) as engines:
        end = time.monotonic() + LIMIT_S
        while process.poll() is None:  # one just after the first is taken for the same
            assert time.monotonic() < end
            process.send_signal(signal.SIGTERM)
            wait_a_moment(process)
        said, _ = process.communicate()
        wait_until_gone(engines)
    assert said == "interrupted\n"


def wait_a_moment(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        return


def test_kill_9_leaves_no_process() -> None:
    process = started(*STREAM)
    with running(process) as engines:
        assert engines
        process.kill()
        wait_until_gone(engines)


def test_the_first_signal_sets_stop_and_a_later_one_interrupts() -> None:
    said: list[str] = []
    with stopped_by_signals(said.append):
        assert not STOP.is_set()
        signal.raise_signal(signal.SIGTERM)
        assert STOP.wait(LIMIT_S)
        with pytest.raises(KeyboardInterrupt):
            raise_until_interrupted()
    assert len(said) == 1
    assert "again to stop at once" in said[0]


def raise_until_interrupted() -> None:
    while True:  # the next ones are taken for the same as the first
        signal.raise_signal(signal.SIGINT)


def test_handlers_are_as_before_also_after_an_error() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="of the stream"), stopped_by_signals():
        raise ValueError("of the stream")
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopped_by_signals():
            signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_changes_no_handler() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def run() -> None:
        with stopped_by_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]
