"""What tests of several modules need: pipelines on Prism, as streams run on it, and Pub/Sub."""

from collections.abc import Iterator

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.prism import find_prism
from pubsub_emulator import Emulator, emulating


@pytest.fixture(scope="session")
def options() -> PipelineOptions:
    """Of a pipeline on a Prism of its own, whose steps run in this process."""
    found = find_prism(PipelineOptions([]))
    if found is None:
        pytest.fail("there is no Prism: run make prism, or name one in METERBEAM_PRISM")
    return PipelineOptions(
        [
            "--runner=PrismRunner",
            f"--prism_location={found}",
            "--prism_log_level=error",
            "--streaming",
            "--environment_type=LOOPBACK",
            "--experiments=prism_disable_sdf_split",
        ]
    )


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    """An emulator of Pub/Sub that this process takes for the service."""
    with emulating() as running:
        yield running
