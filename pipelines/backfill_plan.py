"""Which runs mend the windows of a list: few, each over whole windows of its meters."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from transforms.timestamps import DAY

_NEAR_US = DAY


@dataclass(frozen=True)
class Window:
    """A window that a backfill would mend: a row of `windows_to_backfill`, its times in µs."""

    meter: str
    start_us: int
    end_us: int
    reason: str
    events: int


@dataclass(frozen=True)
class Shape:
    """The windows of a meter of the catalog, and how long after its end one may change (µs)."""

    window_us: int
    allowed_lateness_us: int


@dataclass(frozen=True)
class Stretch:
    """What one run meters: some meters from a time to another (µs), for the sake of `windows`."""

    meters: tuple[str, ...]
    start_us: int
    end_us: int
    windows: tuple[Window, ...]

    @property
    def events(self) -> int:
        """How many events it mends."""
        return sum(window.events for window in self.windows)


def plan(windows: Iterable[Window], shapes: Mapping[str, Shape], now_us: int) -> list[Stretch]:
    """The stretches of all windows, which are of meters in `shapes`, by their beginnings.

    Windows of a meter without a gap between are one stretch. Such stretches, of any meters, are put
    together where they are at most a day apart: what is in between is metered again, and comes out
    as before. But a window in between that a stream may still count in keeps them apart: what it
    counts is not shown where a batch run covers the window.
    """
    gapless = sorted(_gapless(windows, shapes), key=_place)
    listed: dict[str, list[tuple[int, int]]] = {}
    for each in gapless:
        listed.setdefault(each.meters[0], []).append((each.start_us, each.end_us))
    found: list[Stretch] = []
    for each in gapless:
        for i in reversed(range(len(found))):
            both = _joined(found[i], each, shapes)
            if both and all(_may_cover(both, listed[m], shapes[m], now_us) for m in both.meters):
                found[i] = both
                break
        else:
            found.append(each)
    return sorted(found, key=_place)


def _place(stretch: Stretch) -> tuple[int, tuple[str, ...]]:
    return stretch.start_us, stretch.meters


def _gapless(windows: Iterable[Window], shapes: Mapping[str, Shape]) -> Iterator[Stretch]:
    by_meter: dict[str, list[Window]] = {}
    for window in sorted(windows, key=lambda each: (each.start_us, each.end_us, each.reason)):
        by_meter.setdefault(window.meter, []).append(window)
    for meter, own in by_meter.items():
        held: list[Window] = []
        start_us = end_us = own[0].start_us
        for window in own:
            window_us = _whole((meter,), window.start_us, window.end_us, shapes)
            if window_us[0] > end_us:
                yield Stretch((meter,), start_us, end_us, tuple(held))
                held, start_us = [], window_us[0]
            start_us, end_us = min(start_us, window_us[0]), max(end_us, window_us[1])
            held.append(window)
        yield Stretch((meter,), start_us, end_us, tuple(held))


def _joined(one: Stretch, other: Stretch, shapes: Mapping[str, Shape]) -> Stretch | None:
    apart = max(one.start_us, other.start_us) - min(one.end_us, other.end_us)
    if apart > _NEAR_US:
        return None
    meters = tuple(sorted({*one.meters, *other.meters}))
    start_us, end_us = min(one.start_us, other.start_us), max(one.end_us, other.end_us)
    return Stretch(meters, *_whole(meters, start_us, end_us, shapes), one.windows + other.windows)


def _may_cover(both: Stretch, listed: Sequence[tuple[int, int]], shape: Shape, now_us: int) -> bool:
    """Whether all windows of a meter that may still change are listed, in a stretch."""
    open_us = now_us - shape.allowed_lateness_us
    first_us = max(both.start_us, open_us - open_us % shape.window_us)
    return first_us >= both.end_us or any(
        start <= first_us and both.end_us <= end for start, end in listed
    )


def _whole(
    meters: tuple[str, ...], start_us: int, end_us: int, shapes: Mapping[str, Shape]
) -> tuple[int, int]:
    """The least time around another that cuts no window of some meters: at most their days."""
    lengths = {shapes[meter].window_us for meter in meters}
    while any(start_us % each for each in lengths):
        start_us = min(start_us - start_us % each for each in lengths)
    while any(end_us % each for each in lengths):
        end_us = max(end_us + -end_us % each for each in lengths)
    return start_us, end_us
