"""The process of the BigQuery emulator: the environment it runs in, how it begins and ends.

`python tests/bigquery_process.py` makes the environment ahead of the tests.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from emulator_process import NoEmulatorError
from made_once import NoEnvironmentError, environment

_REQUIREMENTS = Path(__file__).with_name("bigquery_requirements.txt")
_START_S, _END_S = 60.0, 5.0
_HOW = (
    "the tests need the BigQuery emulator, which comes from PyPI once: see to it that pip gets"
    f" there and run `{sys.executable} {__file__}`"
)

# runs in the new environment: its DuckDB finds extensions in the folder of its version and of this
# kind of machine, at home, and downloads those that are not there
_EXTENSIONS = """
import sys
from pathlib import Path
import duckdb
machine = duckdb.sql("PRAGMA platform").fetchone()[0]
packages = Path(duckdb.__file__).parents[1]
for file in packages.glob("duckdb_extension_*/extensions/*/*.duckdb_extension"):
    folder = Path(sys.argv[1], ".duckdb/extensions", file.parent.name, machine)
    folder.mkdir(parents=True, exist_ok=True)
    file.rename(folder / file.name)
"""

# the emulator asks the kernel to end it with its parent (Linux)
_BEGIN = f"""
import ctypes, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, {int(signal.SIGTERM)})
from bqemulator.cli import main
main()
"""


@dataclass(frozen=True)
class Service:
    """Where an emulator answers, the folder that is its gs://, and the file of what it says."""

    rest: str
    grpc: str
    gcs: Path
    log: Path


@contextmanager
def bigquery_process() -> Iterator[Service]:
    """An emulator on 127.0.0.1, from when it answers to the end of the `with`.

    It keeps all in memory, and its files in a folder that goes with it; it ends with this process,
    however that ends. Raises NoEmulatorError.
    """
    environment = made_environment()
    with tempfile.TemporaryDirectory(prefix="meterbeam-bigquery-") as name:
        process = _Process(environment, Path(name))
        try:
            yield process.service()
        finally:
            process.end()


def made_environment() -> Path:
    """The environment the emulator runs in, made first if it is not there.

    Raises NoEmulatorError.
    """
    try:
        return environment(
            "bigquery-emulator", _REQUIREMENTS, "for the BigQuery emulator, about a minute", _last
        )
    except NoEnvironmentError as error:
        raise NoEmulatorError(f"{_HOW}\n{error}") from error


def _last(folder: Path) -> list[str]:
    return [str(folder / "bin" / "python"), "-I", "-c", _EXTENSIONS, str(folder / "home")]


class _Process:
    """A process of the emulator, whose files are all in `folder`."""

    def __init__(self, environment: Path, folder: Path) -> None:
        self._gcs, self._log = folder / "gcs", folder / "log.jsonl"
        self._gcs.mkdir()
        others = {k: v for k, v in os.environ.items() if not k.startswith("BQEMU_")}
        own = {
            "HOME": str(environment / "home"),
            "BQEMU_GCS_LOCAL_ROOT": str(self._gcs),
            "BQEMU_UPLOAD_STAGING_DIR": str(folder / "uploads"),
        }
        ports = ["--rest-host=127.0.0.1", "--rest-port=0", "--grpc-host=127.0.0.1", "--grpc-port=0"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [environment / "bin" / "python", "-I", "-c", _BEGIN, "start", *ports],
                cwd=folder,
                env=others | own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def service(self) -> Service:
        """Wait until it answers. Raises NoEmulatorError."""
        beat, end = threading.Event(), time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < end:
            ports = {said.get("event"): said.get("port") for said in said_in(self._log)}
            rest, storage = ports.get("rest.listen"), ports.get("grpc.listen")
            if rest and storage and _answers(rest, storage):
                addresses = f"http://127.0.0.1:{rest}", f"127.0.0.1:{storage}"
                return Service(*addresses, self._gcs, self._log)
            beat.wait(0.05)
        last = " ".join(self._log.read_text().splitlines()[-5:]) or "it said nothing"
        raise NoEmulatorError(f"the BigQuery emulator did not start: {last}")

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def said_in(log: Path) -> Iterator[dict[str, Any]]:
    """What an emulator said until now, in order."""
    for line in log.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # half a line, or a library's own words
            continue


def _answers(rest: int, storage: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", rest, timeout=_END_S)
    alone = [("grpc.enable_http_proxy", 0)]
    try:
        connection.request("GET", "/readyz")
        ready = connection.getresponse().status == http.HTTPStatus.OK
        with grpc.insecure_channel(f"127.0.0.1:{storage}", options=alone) as channel:
            grpc.channel_ready_future(channel).result(_END_S)
    except (OSError, grpc.FutureTimeoutError):
        return False
    finally:
        connection.close()
    return ready


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{made_environment()}\n")
    except NoEmulatorError as error:
        sys.exit(str(error))
