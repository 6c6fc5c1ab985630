"""A step with state and timers, turned by hand: no engine, so any order of things can be had."""

import copy
import inspect
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import apache_beam as beam
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

TimerName = tuple[Hashable, str, str]  # key, family, tag


@dataclass
class Bag:
    """State of bytes; `requests` counts what an engine would be asked."""

    content: list[bytes] = field(default_factory=list)
    requests: int = 0

    def read(self) -> list[bytes]:
        self.requests += 1
        return list(self.content)

    def add(self, value: bytes) -> None:
        self.requests += 1
        self.content.append(value)

    def clear(self) -> None:
        self.requests += 1
        self.content.clear()


@dataclass
class Cell(Bag):
    """State of one value."""

    def read(self) -> bytes | None:  # type: ignore[override]
        return next(iter(super().read()), None)

    def write(self, value: bytes) -> None:
        self.requests += 1
        self.content = [value]


@dataclass
class KeyedStep:
    """A DoFn of (key, value), its bags and its timers by what they are due (µs)."""

    dofn: beam.DoFn
    bags: dict[tuple[Hashable, str], Bag] = field(default_factory=dict)
    timers: dict[TimerName, int] = field(default_factory=dict)
    settings: int = 0  # how often a timer was set

    def __post_init__(self) -> None:
        self.dofn.setup()
        self.dofn.start_bundle()

    def process(self, element: tuple[Hashable, Any], stamp_us: int) -> list[Any]:
        """What the step gives for an element."""
        return self._call(type(self.dofn).process, element[0], stamp_us, element)

    def fire(self, timer: TimerName) -> list[Any]:
        """What the step gives when a timer is due."""
        key, family, _ = timer
        at = self.timers.pop(timer)
        return self._call(self._specs[family]._attached_callback, key, at)  # noqa: SLF001 - Beam's

    def event_timers(self, watermark_us: int | None = None) -> list[TimerName]:
        """Timers of event time that are due; all of them at the end of time, None."""
        return [
            name
            for name, at in sorted(self.timers.items(), key=lambda item: item[1])
            if self._specs[name[1]].time_domain == TimeDomain.WATERMARK
            and (watermark_us is None or at <= watermark_us)
        ]

    def clock_timers(self) -> list[TimerName]:
        """Timers of the clock."""
        families = self._specs
        return [
            name for name in self.timers if families[name[1]].time_domain != TimeDomain.WATERMARK
        ]

    def end_bundle(self) -> None:
        """Ends a bundle and starts another."""
        self.dofn.finish_bundle()
        self.dofn.start_bundle()

    @contextmanager
    def failing_bundle(self) -> Iterator[None]:
        """A bundle of which the engine keeps nothing."""
        self.end_bundle()
        before = copy.deepcopy((self.bags, self.timers))
        yield
        self.bags, self.timers = before
        self.dofn.start_bundle()

    @property
    def requests(self) -> int:
        """What an engine would have been asked for state."""
        return sum(bag.requests for bag in self.bags.values())

    @property
    def kept(self) -> int:
        """How many values there are in all state."""
        return sum(len(bag.content) for bag in self.bags.values())

    @cached_property
    def _specs(self) -> dict[str, TimerSpec]:
        found = inspect.getmembers(type(self.dofn), lambda each: isinstance(each, TimerSpec))
        return {spec.name.removeprefix("ts-"): spec for _, spec in found}

    def _call(self, method: Callable[..., Any], key: Hashable, at_us: int, *args: Any) -> list[Any]:
        asked = inspect.signature(method).parameters.values()
        given = {
            each.name: self._value(each.default, key, at_us)
            for each in asked
            if each.default is not each.empty
        }
        return list(method(self.dofn, *args, **given) or ())

    def _value(self, what: Any, key: Hashable, at_us: int) -> Any:
        if what is beam.DoFn.KeyParam:
            return key
        if what is beam.DoFn.TimestampParam:
            return Timestamp(micros=at_us)
        if hasattr(what, "state_spec"):
            kind = Cell if isinstance(what.state_spec, ReadModifyWriteStateSpec) else Bag
            return self.bags.setdefault((key, what.state_spec.name), kind())
        return _Timer(self, key, what.timer_spec.name.removeprefix("ts-"))


@dataclass
class _Timer:
    step: KeyedStep
    key: Hashable
    family: str

    def set(self, at: Timestamp, dynamic_timer_tag: str = "") -> None:
        assert at.micros % 1000 == 0 or self.family == "early", "engines count in milliseconds"
        self.step.settings += 1
        self.step.timers[self.key, self.family, dynamic_timer_tag] = at.micros


def values_of(outputs: Iterable[Any]) -> list[Any]:
    """Outputs of `finish_bundle` without their stamps."""
    return [each.value if isinstance(each, WindowedValue) else each for each in outputs]
