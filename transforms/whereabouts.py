"""Which run, and which step of its graph, a line of the log is about.

A step is what Beam says the thread is in. Which run it is of, is what the steps say when a bundle
begins: a process may have several runs in one graph, and a worker elsewhere knows of none before.
"""

import contextlib
import logging
import sys
import threading
from dataclasses import dataclass

from transforms.told_errors import may_quote, trace, words

# where Beam notes the step of a thread; who only logs does not import Beam for that
_SAMPLERS = "apache_beam.runners.worker.statesampler"
_SENDS_TO_ENGINE = "FnApiLogRecordHandler"
_ONE_OF_SEVERAL = "Run "  # how the steps of a run begin where a graph has several


@dataclass(frozen=True)
class Place:
    """A run and a step, by their names; None where it is not known."""

    run_id: str | None = None
    step: str | None = None


class _Runs:
    """The runs of this process: the one that the command is at, and those of steps."""

    def __init__(self) -> None:
        self.command: str | None = None
        self.by_step: dict[str, str] = {}

    def of(self, step: str | None) -> str | None:
        """That of a step, or of its neighbours; of work outside of steps that of the command."""
        known = dict(self.by_step)
        if step in known:
            return known[step]
        part = step.partition("/")[0] if step else ""
        near = {run_id for each, run_id in known.items() if part == each.partition("/")[0]}
        if not near and not part.startswith(_ONE_OF_SEVERAL):
            near = {*known.values()}
        return next(iter(near)) if len(near) == 1 else self.command


_RUNS = _Runs()
_THREAD = threading.local()


def command_is_at(run_id: str | None) -> None:
    """The command works on this run from now on, or on none or several."""
    _RUNS.command = run_id
    _RUNS.by_step = {}


def begin_bundle(run_id: str | None) -> Place:
    """A step of a run, if it knows of one, begins a bundle, in the thread that calls this."""
    _label_engine_log()
    step = _step()
    if step is not None and run_id is not None:
        _RUNS.by_step[step] = run_id
    return Place(run_id or _RUNS.of(step), step)


def work_for(place: Place) -> None:
    """The thread that calls this works for a step that goes on in another."""
    _THREAD.place = place


def place() -> Place:
    """Where this thread is."""
    found: Place | None = getattr(_THREAD, "place", None)
    if found is not None:
        return found
    step = _step()
    return Place(_RUNS.of(step), step)


def _step() -> str | None:
    samplers = sys.modules.get(_SAMPLERS)
    tracker = samplers and samplers.get_current_tracker()
    state = tracker and tracker.current_state()
    context = getattr(state, "name_context", None)
    return getattr(context, "step_name", None) or None


class Discreet(logging.Filter):
    """Takes out of a record what errors may quote: from its trace, and from its message."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets all records through."""
        if record.exc_info and record.exc_info[1]:
            record.exc_text = trace(record.exc_info[1])
        record.exc_info = None
        if isinstance(record.msg, BaseException):
            record.msg, record.args = words(record.msg), ()
        if isinstance(record.args, tuple):
            record.args = tuple(
                words(each) if isinstance(each, BaseException) else each for each in record.args
            )
        _without_text_of(sys.exc_info()[1], record)
        return True


def _without_text_of(error: BaseException | None, record: logging.LogRecord) -> None:
    """Beam formats some traces itself, while it handles the error."""
    if error is None or not may_quote(error) or not (text := str(error)):
        return
    with contextlib.suppress(TypeError, ValueError):  # the handler says what is wrong with it
        message = record.getMessage()
        if text in message:
            record.msg, record.args = message.replace(text, "…"), ()


class _WithRun(logging.Formatter):
    """Text that begins with the run, for an engine that adds the step but knows no run."""

    def format(self, record: logging.LogRecord) -> str:
        text, run_id = super().format(record), place().run_id
        return text if run_id is None or f"run {run_id}" in text else f"run {run_id}: {text}"


def _label_engine_log() -> None:
    """On a worker elsewhere: what is sent to the engine names the run, and quotes nothing."""
    for handler in logging.getLogger().handlers:
        if type(handler).__name__ == _SENDS_TO_ENGINE and handler.formatter is None:
            handler.setFormatter(_WithRun())
            handler.addFilter(Discreet())
