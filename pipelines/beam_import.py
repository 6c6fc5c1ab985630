"""Imports Beam without the services that a run over files on this machine does not ask.

`import apache_beam` takes along the clients of Cloud Storage, Pub/Sub, BigQuery and MongoDB, and
pandas, for transforms that are not in the graph: more than half of what it takes. An HTTP client
and a type checker, which such a run does not ask either, come when somebody does.
"""

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Beam does without each of these where it is not installed
_SERVICES = ("apache_beam.io.gcp", "apitools", "bson", "google.cloud", "pymongo")
_UNUSED = ("pandas",)
_ASKED_LATER = ("httplib2", "beartype", "beartype.door", "beartype.roar")
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
    if with_services:
        import apache_beam  # noqa: PLC0415
    else:
        with _left_out(_SERVICES), _stand_ins():
            import apache_beam  # noqa: F401, PLC0415
    if with_services and bare:
        importlib.import_module(_GCS)
        for name in _LOOKED:
            if name in sys.modules:
                importlib.reload(sys.modules[name])


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Gives Beam, while it is imported, modules that import the real ones when they are asked."""
    client, package, door, roar = (ModuleType(name) for name in _ASKED_LATER)
    client.__getattr__ = partial(_real, client)  # type: ignore[method-assign]
    door.is_subhint = _is_subhint  # type: ignore[attr-defined]
    roar.BeartypeDoorException = _NotAskedError  # type: ignore[attr-defined]
    given = {
        each.__name__: each
        for each in (client, package, door, roar)
        if each.__name__.partition(".")[0] not in sys.modules
    }
    sys.modules.update(given)
    try:
        yield
    finally:
        for each in given.values():
            _take_away(each)


def _real(stand_in: ModuleType, attribute: str) -> object:
    _take_away(stand_in)
    return getattr(importlib.import_module(stand_in.__name__), attribute)


def _take_away(module: ModuleType) -> None:
    if sys.modules.get(module.__name__) is module:
        del sys.modules[module.__name__]


class _NotAskedError(Exception):
    """Stands for what the checker raises; `_is_subhint` gives False, as Beam does then."""


def _is_subhint(one: object, other: object) -> bool:
    if type(one) is type(other) is type:
        return issubclass(one, other)
    from beartype.door import is_subhint  # noqa: PLC0415
    from beartype.roar import BeartypeDoorException  # noqa: PLC0415

    try:
        return bool(is_subhint(one, other))
    except BeartypeDoorException:
        return False


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
