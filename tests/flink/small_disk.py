"""A disk that is soon full, for the cluster's workers and for the test."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flink_cluster import Cluster


@contextmanager
def small_disk(folder: Path, mib: int = 24) -> Iterator[None]:
    """A file system of its own in memory, seen by this process and the cluster's only."""
    folder.mkdir(parents=True)
    size = f"size={mib}m"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607


def fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            return


def out_of_space(flink: Cluster) -> str:
    """How the newest job failed for want of space, as Flink tells it; empty until it does."""
    job = flink.jobs()[-1]["jid"]
    found = flink.ask(f"jobs/{job}/exceptions")["exceptionHistory"]["entries"]
    texts = [entry["stacktrace"] for entry in found]
    return next((text for text in texts if "No space left" in text), "")
