"""Lines over time: a month as it adds up, and delays."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from pipelines.report.encodings import (
    ACCENT,
    DAY,
    HALF,
    HIGH,
    MARK,
    TEXT,
    Spec,
    amounts_axis,
    chart,
    form_of,
    moment_text,
    of_rows,
    x_time,
)
from pipelines.report.model import Chart
from pipelines.summary import plain

_LENGTHS = {
    1: "1 ms",
    10: "10 ms",
    100: "0.1 s",
    1_000: "1 s",
    10_000: "10 s",
    60_000: "1 min",
    600_000: "10 min",
    3_600_000: "1 h",
    21_600_000: "6 h",
    86_400_000: "1 day",
    864_000_000: "10 days",
    8_640_000_000: "100 days",
    86_400_000_000: "1,000 days",
    864_000_000_000: "10,000 days",
}


class Line(NamedTuple):
    """Amounts over time."""

    name: str
    points: Sequence[tuple[datetime, Decimal]]


def lines(caption: str, unit: str, series: Sequence[Line], width: int = HALF) -> Chart:
    """Lines over time, the first in the accent's colour, with a point for each amount."""
    rows = [
        {
            "at": moment_text(at),
            "amount": float(amount),
            "name": line.name,
            "words": f"{line.name}, {at:%Y-%m-%d}: {plain(amount)} {unit}",
        }
        for line in series
        for at, amount in line.points
    ]
    return chart(
        caption, rows, _lines_spec(rows, series, amounts_axis(rows, "amount", unit)), width
    )


def delays(caption: str, series: Sequence[Line], width: int = HALF) -> Chart:
    """Lines of milliseconds, on a scale on which each step is ten times the one before or so.

    What took no time, or came before it happened, is drawn at the foot.
    """
    rows = [
        {
            "at": moment_text(at),
            "amount": max(float(amount), 1.0),
            "name": line.name,
            "words": f"{line.name}, {at:%Y-%m-%d}: {plain(amount)} ms",
        }
        for line in series
        for at, amount in line.points
    ]
    amounts = [max(float(amount), 1.0) for line in series for _, amount in line.points]
    least, most = min(amounts), max(amounts)
    below = [ms for ms in _LENGTHS if ms <= least] or [1]
    above = [ms for ms in _LENGTHS if ms >= most and ms > below[-1]] or [int(most)]
    shown = [ms for ms in _LENGTHS if below[-1] <= ms <= above[0]]
    axis = {
        "values": shown,
        "labelExpr": f"({json.dumps(_LENGTHS)})[datum.value]",
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    }
    scale = {"type": "log", "domain": [below[-1], above[0]], "nice": False}
    y = {"field": "amount", "type": "quantitative", "scale": scale, "axis": axis}
    return chart(caption, rows, _lines_spec(rows, series, y), width)


def _lines_spec(rows: Sequence[Spec], series: Sequence[Line], y: Spec) -> Callable[..., Spec]:
    names = [line.name for line in series]
    color = {"domain": names, "range": [ACCENT, MARK, TEXT][: len(names)]}
    dash = {"domain": names, "range": [[1, 0], [6, 3], [2, 2]][: len(names)]}
    legend = {"legend": {"symbolType": "stroke"} if len(names) > 1 else None}
    first, last = (limit(row["at"] for row in rows) for limit in (min, max))
    scale = {"type": "utc", "nice": False} | ({"domain": [first, last]} if first < last else {})
    by_name = {"field": "name", "type": "nominal"}

    def spec(*, narrow: bool) -> Spec:
        encoding = {"x": x_time("at", scale, form_of(DAY), narrow=narrow), "y": y}
        styles = {
            "color": by_name | {"scale": color} | legend,
            "strokeDash": by_name | {"scale": dash} | legend,
        }
        point = {
            "color": by_name | {"scale": color, "legend": None},
            "description": {"field": "words"},
        }
        layers = [
            {"mark": {"type": "line", "strokeWidth": 2}, "encoding": styles},
            {
                "mark": {"type": "point", "filled": True, "size": 22, "opacity": 1},
                "encoding": point,
            },
        ]
        return of_rows(rows, {"layer": layers, "encoding": encoding}, HIGH + 40)

    return spec
