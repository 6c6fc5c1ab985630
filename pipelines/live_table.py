"""The totals of a stream as a person reads them: a table that fits a terminal, or one line."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from transforms.live_totals import Seen
from transforms.reasons import Reason
from transforms.timestamps import moment_of

_RATE_S = 5.0
_HEADINGS = ("metered", "events/s", "too late", "rejected")
_GAP = 3  # between two columns
_SHORTEST_NAME = 8
_ABOUT_THE_TABLE = 6  # its heading and rules, the last line, and one to spare
_SECOND_US, _MINUTE_S, _HOUR_S, _DAY_S = 1_000_000, 60, 3600, 86_400
_LAST_US = 253_402_300_799 * _SECOND_US  # the end of the year 9999
_ALL = ""  # stands for what was received, among the names of meters


@dataclass
class Rates:
    """Events a second over the last five seconds or so, of all that is received and each meter."""

    _moments: deque[tuple[float, dict[str, int]]] = field(default_factory=deque)

    def add(self, at: float, seen: Seen) -> None:
        """Notes the totals of a moment, in seconds of a clock that only goes forward."""
        counts = {meter: seen.events("metered", meter=meter) for meter in seen.meters()}
        self._moments.append((at, counts | {_ALL: seen.events("received")}))
        while len(self._moments) > 2 and self._moments[1][0] <= at - _RATE_S:  # noqa: PLR2004
            self._moments.popleft()

    def of(self, meter: str = _ALL) -> float:
        """The rate of a meter's metered events, or of received ones."""
        if not self._moments:
            return 0.0
        (first, before), (last, after) = self._moments[0], self._moments[-1]
        events = after.get(meter, 0) - before.get(meter, 0)
        return events / (last - first) if last > first else 0.0


def table(
    seen: Seen, rates: Rates, seconds: float, now_us: int, *, width: int, height: int
) -> RenderableType:
    """The totals in lines and a table of meters, that fit a terminal.

    Where not all meters fit, those with most events are shown.
    """
    head = [
        _words(_throughput(seen, rates), _duration(seconds)),
        _words(*_troubles(seen)),
        *([_watermark(seen, now_us)] if seen.watermark_us is not None else []),
        *seen.lines,
    ]
    lines = [Text(each, no_wrap=True, overflow="ellipsis") for each in head]
    room = max(height - len(lines) - _ABOUT_THE_TABLE, 0)
    meters = _busiest(seen, room)
    rest = len(seen.meters()) - len(meters)
    more = f"… and {rest:,} more meters · " if rest else ""
    # a terminal writes ^C where the cursor is: were this line full, it would begin another
    last = Text(f"{more}Ctrl-C to stop", style="dim")
    return Group(*lines, *([_meters(seen, rates, meters, width)] if meters else []), last)


def line(seen: Seen, rates: Rates, seconds: float, now_us: int) -> str:
    """The same in a line, without meters."""
    watermark = [_watermark(seen, now_us)] if seen.watermark_us is not None else []
    parts = [_throughput(seen, rates), *_troubles(seen), *watermark, *seen.lines]
    return _words(*parts, _duration(seconds))


def shortened(name: str, width: int) -> str:
    """A name cut in its middle, where it is longer than `width`."""
    if len(name) <= width:
        return name
    end = (width - 1) // 2
    return f"{name[: width - 1 - end]}…{name[len(name) - end :]}"


def _busiest(seen: Seen, room: int) -> list[str]:
    busy = sorted(seen.meters(), key=lambda meter: -seen.events("metered", meter=meter))
    return sorted(busy[:room])


def _meters(seen: Seen, rates: Rates, meters: Sequence[str], width: int) -> Table:
    rows = [(meter, *_numbers(seen, rates, meter)) for meter in meters]
    widths = [
        max(map(len, column)) for column in zip(_HEADINGS, *(r[1:] for r in rows), strict=True)
    ]
    left = max(width - sum(widths) - _GAP * len(widths) - 2, _SHORTEST_NAME)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("meter", no_wrap=True)
    for heading in _HEADINGS:
        shown.add_column(heading, justify="right", no_wrap=True)
    for meter, *numbers in rows:
        shown.add_row(shortened(meter, left), *numbers)
    return shown


def _numbers(seen: Seen, rates: Rates, meter: str) -> tuple[str, ...]:
    late = seen.events("rejected", Reason.TOO_LATE, meter)
    rejected = seen.events("rejected", meter=meter) - late
    metered = seen.events("metered", meter=meter)
    return (f"{metered:,}", f"{rates.of(meter):,.0f}", f"{late:,}", f"{rejected:,}")


def _throughput(seen: Seen, rates: Rates) -> str:
    return f"{rates.of():,.0f} events/s · {seen.events('received'):,} received"


def _troubles(seen: Seen) -> tuple[str, ...]:
    conflicts = seen.events("rejected", Reason.CONFLICT)
    return (
        f"{seen.events('duplicate'):,} duplicates",
        f"{seen.events('rejected'):,} rejected, {conflicts:,} of them conflicts",
    )


def _watermark(seen: Seen, now_us: int) -> str:
    at = seen.watermark_us or 0
    if at > _LAST_US:
        return "watermark at the end"
    behind = max(now_us - at, 0) / _SECOND_US
    lag = f"{behind:.1f} s" if behind < _MINUTE_S else _duration(behind)
    return f"watermark {moment_of(at):%Y-%m-%d %H:%M:%S}Z, {lag} behind"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole >= _DAY_S:
        return f"{whole // _DAY_S:,} d {whole % _DAY_S // _HOUR_S} h"
    minutes = f"{whole % _HOUR_S // _MINUTE_S:02}:{whole % _MINUTE_S:02}"
    return f"{whole // _HOUR_S}:{minutes}"


def _words(*parts: str) -> str:
    return " · ".join(parts)
