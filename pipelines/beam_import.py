"""Imports Beam without the services that a run over files on this machine does not ask.

`import apache_beam` takes along the clients of Cloud Storage, Pub/Sub, BigQuery and MongoDB, and
pandas, for transforms that are not in the graph: more than half of what it takes.
"""

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Beam does without each of these where it is not installed
_SERVICES = ("apache_beam.io.gcp", "apitools", "bson", "google.cloud", "pymongo")
_UNUSED = ("pandas",)
# what has to be imported, or looked through anew, where Beam was imported without them
_GCS = "apache_beam.io.gcp.gcsfilesystem"
_LOOKED = ("apache_beam.io", "apache_beam.runners.dataflow.dataflow_runner")


def names_services(given: Mapping[str, object]) -> bool:
    """Whether parameters of a command name what is not on this machine, which has :// in it."""
    return any("://" in text for value in given.values() for text in _texts(value))


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    return (each for each in value if isinstance(each, str)) if isinstance(value, tuple) else ()


def import_beam(*, with_services: bool) -> None:
    """Imports Beam; until it is imported with services, no path but a local one can be read.

    What Beam was imported without can still be imported by its own name, but for pandas.
    """
    bare = "apache_beam" in sys.modules and _GCS not in sys.modules
    # Arrow and Beam import pandas where they find it, and nobody here has a data frame
    # (where somebody has imported it, it stays whole: it imports parts of itself later)
    there = "pandas" in sys.modules
    if not there and not any(isinstance(finder, _Absent) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Absent(_UNUSED))
    with _left_out(() if with_services else _SERVICES):
        import apache_beam  # noqa: F401, PLC0415
    if with_services and bare:
        importlib.import_module(_GCS)
        for name in _LOOKED:
            if name in sys.modules:
                importlib.reload(sys.modules[name])


class _Absent(MetaPathFinder):
    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if any(fullname == name or fullname.startswith(f"{name}.") for name in self._names):
            raise ModuleNotFoundError(f"{fullname} is left out", name=fullname)
        return None


@contextmanager
def _left_out(names: Sequence[str]) -> Iterator[None]:
    absent = _Absent(names)
    sys.meta_path.insert(0, absent)
    try:
        yield
    finally:
        sys.meta_path.remove(absent)
