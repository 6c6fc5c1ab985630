"""The rows of dedup_state.py: the step that remembers keys, with many of them held."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

from bars import Row
from rounds import Bench

SCRIPT = Path(__file__).with_name("dedup_state.py")
BUCKETS = 1, 16  # of a stream on one machine, and of one on some


def dedup(bench: Bench, keys: int) -> None:
    """Events a second and bytes a key, with this many keys held; each run brings them in anew."""
    for buckets in BUCKETS:
        _dedup(bench, keys, buckets)


def _dedup(bench: Bench, keys: int, buckets: int) -> None:
    command = [sys.executable, str(SCRIPT), "--held", str(keys), "--buckets", str(buckets)]
    rates: list[float] = []
    in_cpu: list[float] = []
    sizes: list[float] = []
    for _ in range(bench.runs):
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
        if done.returncode:
            bench.problems.append(f"dedup_state.py: {done.stderr[-2_000:]}")
            return
        said = json.loads(done.stdout.splitlines()[-1])
        rates.append(said["events_per_s"])
        in_cpu.append(said["events_per_cpu_s"])
        sizes.append(said["bytes_a_key"])
        bench.console.print(f"{'dedup':>22} {rates[-1]:,.0f} events/s {sizes[-1]:.1f} B a key")
    held = f"dedup, {keys:,} keys held, buckets: {buckets}"
    cpu = statistics.median(in_cpu)
    bench.rows.append(Row(held, rates, 100_000, unit="events/s", at_least=True, cpu=cpu))
    bench.rows.append(Row(held, sizes, 24, unit="B a key"))
