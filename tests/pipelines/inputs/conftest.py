"""Files to read, written where each test finds its own."""

from collections.abc import Callable

import pytest

from pipelines.inputs import InputFile, find_inputs

Store = Callable[[str, bytes], InputFile]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Write a file and find it; the next of the same name takes its place."""
    folder = tmp_path_factory.mktemp("stored")

    def write(name: str, content: bytes) -> InputFile:
        path = folder / name
        path.write_bytes(content)
        return find_inputs([str(path)])[0]

    return write
