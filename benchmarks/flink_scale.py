"""Measure the graph on the Flink cluster of the tests: events/s by slots, and a stream's state.

    python tests/flink_cluster.py python benchmarks/flink_scale.py batch [--slots 1,2,4]
    python tests/flink_cluster.py python benchmarks/flink_scale.py state [--keys 1000000,10000000]
        [--backend hashmap|rocksdb]

`make flink` gets the cluster; README.md says what each figure means. Ends with 1 if a total is not
what was fed.
"""

import argparse
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import events

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests"
sys.path += [str(TESTS), str(TESTS / "flink")]
from flink_cluster import Cluster  # noqa: E402
from flink_scale_batch import batch  # noqa: E402
from flink_scale_state import state  # noqa: E402

BACKENDS = {
    "hashmap": "state.backend: hashmap",
    "rocksdb": "state.backend: rocksdb\nstate.backend.incremental: true",
}


@contextmanager
def cluster(folder: Path, backend: str, heap: str | None = None) -> Iterator[Cluster]:
    """The cluster of the tests, whose workers know the sources here, with another state backend.

    heap: of each JVM, in place of what the tests give it.
    """
    if {name for _, name in socket.if_nameindex()} != {"lo"}:
        sys.exit(f"a cluster has a network of its own: see {__file__}")
    # another cluster has the same PIDs in a namespace of its own, and the same /tmp
    os.environ["_JAVA_OPTIONS"] = "-XX:-UsePerfData" + (f" -Xmx{heap}" if heap else "")
    known = os.pathsep.join(map(str, (HERE, TESTS, HERE.parent)))
    started = Cluster(folder, {"PYTHONPATH": known})
    conf = folder / "conf" / "flink-conf.yaml"
    text = conf.read_text()
    assert BACKENDS["hashmap"] in text  # noqa: S101 - the tests' own choice
    conf.write_text(text.replace(BACKENDS["hashmap"], BACKENDS[backend]))
    try:
        started.start()
        # the cluster knows its backend now; the job server reads this at each job, has no RocksDB,
        # and would not give a job to a backend that it cannot load
        conf.write_text(text.replace(BACKENDS["hashmap"], ""))
        yield started
    finally:
        started.end()


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["batch", "state"])
    parser.add_argument("--folder", type=Path, default=events.default_folder())
    parser.add_argument("--slots", default="1,2,4", help="of batch")
    parser.add_argument("--events", default="200000,2000000", help="the two sizes of batch")
    parser.add_argument("--files", type=int, default=8, help="of batch")
    parser.add_argument("--rounds", type=int, default=1, help="of batch")
    parser.add_argument("--keys", default="1000000,10000000", help="of state")
    parser.add_argument("--backend", choices=list(BACKENDS), default="hashmap", help="of state")
    parser.add_argument("--buckets", type=int, default=16, help="of state")
    parser.add_argument("--heap", help="of state: of each JVM, such as 2g")
    parser.add_argument("--seconds", type=int, default=40, help="of state, at each size")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load {load}")
    with (
        tempfile.TemporaryDirectory(dir=args.folder, prefix="flink-") as name,
        cluster(Path(name, "cluster"), args.backend, args.heap) as flink,
    ):
        good = {"batch": batch, "state": state}[args.what](flink, Path(name), args)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
