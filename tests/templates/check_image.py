"""The steps of the Dockerfile make what launches and works, from the locks, in a clean place."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from click.testing import CliRunner
from cloud import emulated
from image import ROOT
from image_steps import Made, make_stages
from packaging.utils import canonicalize_name

from pipelines.build_prism import MODULE, VERSION
from pipelines.command import main
from pipelines.prism import get_prism
from pipelines.prism_process import Prism
from runs_desk import event
from stream_desk import descendants, until

CATALOG = """\
version: 1
meters:
  - {name: calls, event_type: call, aggregation: count}
"""
EVENT = '{"event_type": "call", "customer_id": "c", "timestamp": "2026-01-15T10:00:00Z"}\n'
USER = 10001


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    return make_stages(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def image(stages: dict[str, Made]) -> Made:
    return stages[""]


@pytest.fixture
def boot(image: Made, tmp_path: Path) -> None:
    """What Beam's image has as the start of a worker, made of its own source."""
    go = shutil.which("go")
    assert go, "the worker's start is made by Go"
    said = subprocess.check_output(
        [go, "mod", "download", "-json", f"{MODULE}@{VERSION}"], cwd=tmp_path
    )
    with zipfile.ZipFile(json.loads(said)["Zip"]) as archive:
        archive.extractall(tmp_path / "beam")
    source = tmp_path / "beam" / f"{MODULE}@{VERSION}"
    program = image.root.at(image.entry[0])
    build = [go, "build", "-buildvcs=false", "-o", program, "./python/container"]
    subprocess.run(build, cwd=source, check=True)
    shutil.rmtree(source)


def meterbeam(image: Made, *words: str) -> str:
    """The command, as the user of the image, at home."""
    user = f"{USER}:{group(image)}"
    return image.root.run(["meterbeam", *words], image.environment, "/home/meterbeam", user)


def group(image: Made) -> str:
    """The number of the user's group."""
    users = image.root.at("/etc/passwd").read_text().splitlines()
    (found,) = [line.split(":") for line in users if line.startswith("meterbeam:")]
    assert found[2] == str(USER)
    return found[3]


def test_it_has_the_packages_of_the_lock_and_no_other(image: Made) -> None:
    listed = image.root.run(
        ["python", "-m", "pip", "list", "--format=freeze"], image.environment, "/"
    )
    pairs = [line.split("==") for line in listed.splitlines() if "==" in line]
    found = {canonicalize_name(name): version for name, version in pairs}
    lock = (ROOT / "templates" / "image.lock").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))
    own = {"meterbeam": "0.1.0"}
    there = {"pip", "setuptools"}
    assert {n: v for n, v in found.items() if n not in there} == locked | own


def test_the_command_runs_as_a_user_who_may_change_nothing_of_it(image: Made) -> None:
    home = image.root.at("/home/meterbeam")
    (home / "catalog.yaml").write_text(CATALOG)
    (home / "events.ndjson").write_text(EVENT)
    assert "Ledger: every event is accounted for" in meterbeam(image, "demo")
    meterbeam(image, "run", "--catalog=catalog.yaml", "--input=events.ndjson", "--output=out")
    asked = meterbeam(image, "query", "--output=out", "--format=csv", "FROM usage_calls")
    assert ",1.0" in asked or ",1," in asked
    meterbeam(image, "report", "--output=out", "--file=r.html")
    assert (home / "out").stat().st_uid == USER
    for place in ("/opt/meterbeam", "/template"):
        for each in image.root.at(place).rglob("*"):
            state = each.lstat()
            assert (state.st_uid, state.st_gid) == (0, 0), each
            assert each.is_symlink() or not state.st_mode & 0o022, each


def test_nothing_of_the_build_is_left_in_it(image: Made) -> None:
    theirs = {"apache", "google"}
    assert {each.name for each in image.root.at("/opt").iterdir()} - theirs == {"meterbeam"}
    assert not image.root.at("/build").exists()
    assert {each.name for each in image.root.at("/template").iterdir()} == {"main.py"}


def test_what_starts_a_worker_and_a_launch_is_where_it_is_looked_for(image: Made) -> None:
    assert image.entry == ["/opt/apache/beam/boot"]
    assert set(image.left_out) == {
        "/opt/google/dataflow/python_template_launcher",
        "/opt/apache/beam/boot",
    }
    assert image.root.at(image.variables["FLEX_TEMPLATE_PYTHON_PY_FILE"]).exists()
    where = [
        "python",
        "-c",
        "import sys, apache_beam.runners.worker.sdk_worker_main; print(sys.prefix)",
    ]
    assert image.root.run(where, image.environment, "/").strip() == "/opt/meterbeam"


def test_a_launch_that_begins_as_root_goes_on_as_the_user(image: Made) -> None:
    """It waits for its catalog, which is a pipe, and is looked at meanwhile."""
    catalog = image.root.at("/tmp/catalog.yaml")  # noqa: S108 - of the image
    os.mkfifo(catalog)
    catalog.chmod(0o644)
    main = image.variables["FLEX_TEMPLATE_PYTHON_PY_FILE"]
    words = ["python", main, "--catalog=/tmp/catalog.yaml", "--output=bigquery://my-project.m"]
    process = image.root.start(words, image.environment, image.workdir)
    try:
        pipe = until(lambda: opened(catalog), lambda: still(process))
        assert who(process.pid) == {"Uid": str(USER), "Gid": group(image), "Groups": ""}
        with pipe:
            pipe.write("version: 1\nmetres: []\n")
        text, _ = process.communicate()
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, "metres" in text, "Traceback" in text) == (2, True, False)


def opened(pipe: Path) -> TextIO | None:
    """A pipe to write into, once somebody reads it."""
    with suppress(OSError):
        return os.fdopen(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), "w")
    return None


def still(process: Any) -> None:
    assert process.poll() is None, process.communicate()[0]


def who(pid: int) -> dict[str, str]:
    """Whom a process is, in all respects: each number once."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    state = dict(line.split(":", 1) for line in lines)
    return {name: " ".join(sorted(set(state[name].split()))) for name in ("Uid", "Gid", "Groups")}


@pytest.mark.usefixtures("boot")
def test_a_worker_that_the_image_starts_does_the_work_of_a_job(image: Made, tmp_path: Path) -> None:
    with (
        emulated(tmp_path) as cloud,
        Prism(get_prism(PipelineOptions([])), port=0, log_level="info") as engine,
        pool(image, tmp_path / "pool.log") as address,
    ):
        lines = [event(number, 1) for number in range(5)]
        (cloud.bucket / "a.ndjson").write_text("\n".join(lines))
        there = ["--runner", "PortableRunner", "--job_endpoint", engine.endpoint]
        there += ["--environment_type", "EXTERNAL", "--environment_config", address]
        files = ["--catalog", "gs://bucket/catalog.yaml", "--input", "gs://bucket/a.ndjson"]
        out = ["--output", f"bigquery://{cloud.dataset}", "--quiet"]
        done = CliRunner().invoke(main, ["run", *files, *out, *there])
        assert done.exit_code == 0, (done.output, (tmp_path / "pool.log").read_text()[-3000:])
        assert cloud.tokens() == [(5, 5)]
    said = (tmp_path / "pool.log").read_text()
    assert "/opt/apache/beam/boot" in said


@contextmanager
def pool(image: Made, log: Path) -> Iterator[str]:
    """The address of what starts workers of the image, by its entry, from when it listens."""
    emulators = {name: text for name, text in os.environ.items() if "EMULATOR" in name}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["python", "-m", "apache_beam.runners.worker.worker_pool_main"]
    words += [f"--service_port={port}", f"--container_executable={image.entry[0]}"]
    with log.open("w") as said:
        process = image.root.start(words, image.environment | emulators, "/", said=said)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            ready = grpc.channel_ready_future(channel)
            until(ready.done, lambda: still(process))
        yield f"127.0.0.1:{port}"
    finally:
        for pid in [*descendants(process.pid), process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
