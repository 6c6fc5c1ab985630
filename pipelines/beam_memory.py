"""Beam's answers about a graph, remembered: it asks the same of each transform many times.

For an option it parses the command line each time, and for the state of a DoFn it looks through the
signatures of all its methods: two fifths of what a graph takes from its making to its first bundle.
"""

from collections.abc import Callable
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import userstate

_VIEWS = "_views"

Specs = tuple[set[userstate.StateSpec], set[userstate.TimerSpec]]


class Options(PipelineOptions):
    """Options that keep each view of them: all views are of the same values anyway."""

    def view_as(self, cls: type[Any]) -> Any:
        """See `PipelineOptions.view_as`."""
        views = self.__dict__.setdefault(_VIEWS, {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return views[cls]

    def __getstate__(self) -> dict[str, Any]:
        """Without views: those of a copy are of other values."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != _VIEWS}


def remember_specs() -> None:
    """Has Beam look through each class of DoFn once."""
    if not isinstance(userstate.get_dofn_specs, _OncePerClass):
        userstate.get_dofn_specs = _OncePerClass(userstate.get_dofn_specs)


class _OncePerClass:
    """Which state and timers a DoFn has, found out once for each class.

    One that is made of a function may have more from that function's parameters.
    """

    def __init__(self, look: Callable[[beam.DoFn], Specs]) -> None:
        self.look = look
        self._known: dict[type[beam.DoFn], Specs] = {}

    def __call__(self, dofn: beam.DoFn) -> Specs:
        if _asks_for_more(dofn):
            return self.look(dofn)
        if type(dofn) not in self._known:
            self._known[type(dofn)] = self.look(dofn)
        return self._known[type(dofn)]


def _asks_for_more(dofn: beam.DoFn) -> bool:
    """Whether it is made of a function with parameters that are Beam's."""
    inspect: Callable[[], Any] | None = getattr(dofn, "_inspect_process", None)
    if inspect is None:
        return False
    _, defaults = inspect()
    return any(isinstance(each, type(beam.DoFn.KeyParam)) for each in defaults)
