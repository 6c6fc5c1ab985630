"""What is counted: each area in a process of its own, over events that are always the same."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
EVENTS, BAD = 20_000, 0.001
AREAS = ("batch", "bad lines", "stream", "command")

Figures = dict[str, dict[str, float]]  # step, then figure


def figures(area: str) -> Figures:
    """The figures of an area: of one event, of one micro-batch of a stream, or of a whole run."""
    # a name of always the same length: outputs hold paths
    with TemporaryDirectory(prefix="counted-") as folder:
        if area == "stream":
            return _python("-m", "counted", area)
        events = _events(Path(folder), BAD if area == "bad lines" else 0)
        if area != "command":
            return _python("-m", "counted", area, str(events))
        names = {"--catalog": BENCHMARKS / "catalog.yaml", "--rates": BENCHMARKS / "rates.csv"}
        options = [str(each) for pair in names.items() for each in pair]
        run = ["run", *options, "--input", str(events), "--run-id", "counted", "--quiet"]
        return _python("-m", "counted.command", f"{folder}/out", *run)


def _events(folder: Path, bad: float) -> Path:
    """A file of `EVENTS` events, a share of whose lines is bad."""
    options = {"--events": EVENTS, "--bad": bad, "--folder": folder}
    given = [str(each) for pair in options.items() for each in pair]
    script = BENCHMARKS / "events.py"
    subprocess.run([sys.executable, script, *given], check=True, capture_output=True)
    return next(folder.glob("*.ndjson"))


def _python(*arguments: str) -> Figures:
    """What a process of its own prints."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}\n{done.stderr}")
    found: Figures = json.loads(done.stdout)
    return found
