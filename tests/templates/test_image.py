"""What is in the image is what the command needs, and all of it."""

import subprocess
import sys
from pathlib import Path

import pytest
from flex_launcher import Image
from image import DOCKERFILE, ROOT, stages, tell
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

sys.path.insert(0, str(ROOT / "templates"))
from make_locks import LOCK, LOCKS, PROJECT, entries, lock_of

CATALOG = """\
version: 1
meters:
  - {name: calls, event_type: call, aggregation: count}
"""
EVENT = '{"event_type": "call", "customer_id": "c", "timestamp": "2026-01-15T10:00:00Z"}\n'


def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("file", LOCKS)
def test_the_image_has_the_locked_versions_and_nothing_that_is_not_needed(file: str) -> None:
    written = (ROOT / "templates" / file).read_text()
    assert written == lock_of(LOCKS[file]), "run make specs"
    locked = entries(LOCK)
    found = entries(ROOT / "templates" / file)
    assert all(locked[name] == text and "--hash=sha256:" in text for name, text in found.items())
    wanted = {canonicalize_name(Requirement(each).name) for each in LOCKS[file]}
    assert wanted <= set(found)


def test_tools_of_developers_are_not_in_the_image() -> None:
    found = set(entries(ROOT / "templates" / "image.lock"))
    dev = {
        canonicalize_name(Requirement(each).name)
        for each in PROJECT["project"]["optional-dependencies"]["dev"]
    }
    needed = {canonicalize_name(Requirement(each).name) for each in LOCKS["image.lock"]}
    assert not found & (dev - needed - {"google-cloud-monitoring"})


def test_bases_have_versions_and_the_last_stage_builds_nothing() -> None:
    found = stages()
    assert all(":" in each.base and not each.base.endswith("latest") for each in found)
    beam = next(each.base for each in found if each.name == "beam")
    assert f"apache-beam=={beam.rpartition(':')[2]} " in LOCK.read_text()
    last = found[-1]
    assert "slim" in last.base
    assert not any("pip " in text or "apt" in text for text in last.of("RUN"))
    python = {each.base.split("-")[0] for each in found if each.base.startswith("python:")}
    assert len(python) == 1
    assert python.pop().startswith(f"python:{sys.version_info[0]}.{sys.version_info[1]}.")


def test_what_the_build_copies_is_let_through_to_it_and_is_all_of_the_packages() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        source
        for stage in stages()
        for text in stage.of("COPY")
        if not text.startswith("--from")
        for source in text.split()[:-1]
    }
    assert copied == let
    assert all((ROOT / each).exists() for each in copied)
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) < copied


def test_code_in_the_image_is_the_wheel_and_not_the_checkout(image: Image) -> None:
    found = tell(
        image,
        "import json, pipelines, rates, transforms;"
        "print(json.dumps([each.__file__ for each in (pipelines, rates, transforms)]))",
    )
    assert isinstance(found, list)
    assert all(str(ROOT) not in each for each in found)


def test_an_installation_has_all_that_the_commands_read(image: Image, tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    (tmp_path / "events.ndjson").write_text(EVENT)
    assert "Ledger: every event is accounted for" in run(image, tmp_path, "demo")
    run(image, tmp_path, "run", "--catalog=catalog.yaml", "--input=events.ndjson", "--output=out")
    asked = run(image, tmp_path, "query", "--output=out", "SELECT quantity FROM usage_calls")
    assert "1" in asked
    run(image, tmp_path, "report", "--output=out", "--file=r.html")
    page = (tmp_path / "r.html").read_text()
    assert "<style>" in page
    assert "calls" in page
    for output in ("out", "bigquery://my-project.metering"):
        sql = run(image, tmp_path, "tables", f"--output={output}", "--print-sql")
        assert "windows_to_backfill" in sql


def run(image: Image, folder: Path, *words: str) -> str:
    done = subprocess.run(
        [image.python.with_name("meterbeam"), *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
