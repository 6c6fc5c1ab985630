"""A cluster for the tests of a file, with workers whose disk takes its time."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flink_cluster import Cluster, cluster

HERE = Path(__file__).parent
SLOW_S = 0.5


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose workers know the sources of these tests too."""
    known = [HERE / "slow", HERE, HERE.parent, HERE.parent.parent]
    more = {
        "PYTHONPATH": os.pathsep.join(map(str, known)),
        "METERBEAM_TEST_SLOW_S": str(SLOW_S),
    }
    with cluster(tmp_path_factory.mktemp("cluster"), more) as started:
        yield started
