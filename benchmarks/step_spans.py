"""Run the command in this process, and time the functions of its steps.

Started as a script: `step_spans.py FIGURES.json batch|stream ARGUMENTS OF meterbeam`. Each of the
functions in step_places.py is timed in CPU of its own thread and by the clock, without the timed
functions that it calls, so that no time counts twice.
"""

import atexit
import importlib
import json
import logging
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import GeneratorType, ModuleType
from typing import Any

from step_places import PLACES

OURS = ("pipelines.", "transforms.", "rates.")


class Spans:
    """CPU and time on the clock by step, in nanoseconds, and how often."""

    def __init__(self) -> None:
        self.cpu: Counter[str] = Counter()
        self.clock: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.marks: dict[str, dict[str, float]] = {}
        self._local = threading.local()
        self._lock = threading.Lock()

    @contextmanager
    def within(self, step: str) -> Iterator[None]:
        """Around the work of a step in this thread."""
        stack: list[list[int]] = self._local.__dict__.setdefault("stack", [])
        inner = [0, 0]
        stack.append(inner)
        clock, cpu = time.perf_counter_ns(), time.thread_time_ns()
        try:
            yield
        finally:
            cpu, clock = time.thread_time_ns() - cpu, time.perf_counter_ns() - clock
            stack.pop()
            if stack:
                stack[-1][0] += cpu
                stack[-1][1] += clock
            with self._lock:
                self.cpu[step] += cpu - inner[0]
                self.clock[step] += clock - inner[1]

    def iterated(self, results: Iterator[Any], step: str) -> Iterator[Any]:
        """What a generator gives; only the time within it counts."""
        while True:
            with self.within(step):
                try:
                    value = next(results)
                except StopIteration:
                    return
            yield value

    def timed(self, function: Callable[..., Any], step: str) -> Callable[..., Any]:
        """The same function, timed."""

        @wraps(function)
        def call(*args: Any, **more: Any) -> Any:
            self.calls[step] += 1
            with self.within(_step(step, args)):
                result = function(*args, **more)
            if isinstance(result, GeneratorType):
                return self.iterated(result, step)
            return result

        return call

    def mark(self, name: str) -> None:
        """What the process has taken so far, in seconds."""
        self.marks.setdefault(name, _taken())


def _step(step: str, args: tuple[Any, ...]) -> str:
    """The step of a call; `{table}` is the table of the folder that is its first argument."""
    if "{table}" not in step:
        return step
    folder = getattr(args[0], "path", args[0])  # OUT/<table>/<run_id>
    return step.replace("{table}", Path(folder).parent.name)


def _taken() -> dict[str, float]:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "clock": time.perf_counter(),
        "cpu": time.process_time(),
        "children": children.ru_utime + children.ru_stime,
    }


def _put(spans: Spans, place: str, step: str) -> None:
    """Times the function at `module:name` or `module:Class.name`, wherever it was imported to."""
    module_name, _, path = place.partition(":")
    owner: Any = importlib.import_module(module_name)
    *classes, name = path.split(".")
    for each in classes:
        owner = getattr(owner, each, None)
    if not hasattr(owner, name):
        # its time is then that of the function around it
        print(f"there is no {place}: mend benchmarks/step_places.py", file=sys.stderr)
        return
    found = vars(owner)[name]
    if isinstance(found, classmethod):
        setattr(owner, name, classmethod(spans.timed(found.__func__, step)))
        return
    timed = spans.timed(found, step)
    setattr(owner, name, timed)
    if isinstance(owner, ModuleType):
        for module in [m for n, m in sys.modules.items() if n.startswith(OURS)]:
            for known in [n for n, value in vars(module).items() if value is found]:
                setattr(module, known, timed)


def _marking(spans: Spans, function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The same function; what was taken until it began, and when it is over, is kept."""

    @wraps(function)
    def call(*args: Any, **more: Any) -> Any:
        spans.mark(f"before {name}")
        try:
            return function(*args, **more)
        finally:
            spans.mark(f"after {name}")

    return call


def main() -> None:
    """Times one run of the command."""
    figures, mode, *arguments = sys.argv[1:]
    spans = Spans()
    from pipelines.beam_import import import_beam  # noqa: PLC0415 - as the command does it

    logging.basicConfig(level=logging.CRITICAL)
    import_beam(with_services=False)
    from pipelines import command, run, run_stream  # noqa: PLC0415 - after Beam

    for place, step in PLACES[mode].items():
        _put(spans, place, step)
    run._run_graph = _marking(spans, run._run_graph, "graph")  # noqa: SLF001 - where it begins
    run_stream.run_graph = _marking(spans, run_stream.run_graph, "graph")

    def write() -> None:
        spans.mark("end")
        steps = {"cpu": spans.cpu, "clock": spans.clock, "calls": spans.calls}
        Path(figures).write_text(json.dumps({"marks": spans.marks, "steps": steps}))

    atexit.register(write)
    sys.argv[1:] = arguments
    command.program()


if __name__ == "__main__":
    main()
