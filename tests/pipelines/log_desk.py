"""Runs of the command in a folder, and what it writes to standard error."""

import json
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from runs_desk import CATALOG, RATES, event

METERBEAM = Path(sys.executable).with_name("meterbeam")
FIELDS = {"time", "severity", "message", "run", "step", "logger", "exception"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
SEVERITIES = {"DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL"}
JSON = ("--log-format", "json")
Line = dict[str, Any]


def prepared(folder: Path) -> Path:
    """The folder with a catalog, rates, a file of two events, and `in`, to be followed."""
    (folder / "catalog.yaml").write_text(CATALOG)
    (folder / "rates.csv").write_text(RATES)
    (folder / "in").mkdir()
    (folder / "events.ndjson").write_text(f"{event(1, 5)}\n{event(2, 7)}\n")
    return folder


def batch(folder: Path, *more: object, name: str = "events.ndjson") -> list[object]:
    given = [
        "--catalog",
        folder / "catalog.yaml",
        "--output",
        folder / "out",
        "--run-id",
        "nightly",
    ]
    return ["run", *given, "--input", folder / name, *more]


def streaming(folder: Path, *more: object) -> list[object]:
    (folder / "in" / "_END").touch()
    given = ["--streaming", "--catalog", folder / "catalog.yaml", "--output", folder / "out"]
    return ["run", *given, "--input", f"tail:{folder / 'in'}", "--run-id", "live", *more]


def said(arguments: list[object], fails: int = 0, **environment: str) -> str:
    """What the command writes to standard error."""
    done = subprocess.run(
        [METERBEAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == fails, done.stderr
    return done.stderr


def lines(text: str) -> list[Line]:
    """Each is an object with what it must have, and nothing else."""
    found = [json.loads(line) for line in text.splitlines()]
    for each in found:
        assert {"time", "severity", "message", "logger"} <= each.keys() <= FIELDS
        assert all(isinstance(value, str) and value for value in each.values()), each
        assert TIME.fullmatch(each["time"])
        datetime.fromisoformat(each["time"])
        assert each["severity"] in SEVERITIES
    return found


def assert_run(found: list[Line], run_id: str) -> None:
    """Every line names the run from the moment that it is known, and some do."""
    runs = [each.get("run") for each in found]
    assert runs[runs.index(run_id) :] == [run_id] * runs.count(run_id)
