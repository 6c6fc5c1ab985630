"""Charts of bars. They are drawn by Vega-Lite; floats are for drawing only.

Each is drawn for a wide page and for a phone. Colours are the page's (CSS variables), so that one
drawing does for light and dark, and each mark has its exact value as a title.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from pipelines.report.encodings import (
    ACCENT,
    DAY,
    FULL,
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
    y_names,
)
from pipelines.report.model import Chart
from pipelines.report.texts import name_of, short
from pipelines.summary import plain

_GAP = 0.12  # of a bar's width
_ROW, _PAIR = 28, 44  # px
_ROOM, _NARROW_ROOM = 1.3, 1.6  # the axis goes on behind the longest bar, for its amount


class Bar(NamedTuple):
    """What happened from one moment to another."""

    start: datetime
    end: datetime
    amount: Decimal


class Ranked(NamedTuple):
    """A bar with a name; one that stands for many others is not of the accent's colour."""

    name: str
    amount: Decimal
    is_rest: bool = False


def over_time(caption: str, unit: str, bars: Sequence[Bar], width: int = FULL) -> Chart:
    """Upright bars on an axis of time, in UTC."""
    step = bars[0].end - bars[0].start
    form = "%H:%M" if step < DAY and bars[-1].end - bars[0].start <= DAY else form_of(step)
    rows = [
        {
            "start": moment_text(bar.start),
            "end": moment_text(bar.end - (bar.end - bar.start) * _GAP),
            "amount": float(bar.amount),
            "words": f"{bar.start:%Y-%m-%d %H:%M}: {plain(bar.amount)} {unit}",
        }
        for bar in bars
    ]
    domain = [moment_text(bars[0].start), moment_text(bars[-1].end)]
    scale = {"type": "utc", "domain": domain, "nice": False}

    def spec(*, narrow: bool) -> Spec:
        encoding = {
            "x": x_time("start", scale, form, narrow=narrow),
            "x2": {"field": "end"},
            "y": amounts_axis(rows, "amount", unit),
            "y2": {"datum": 0},
            "description": {"field": "words"},
        }
        return of_rows(rows, {"mark": {"type": "bar", "color": ACCENT}, "encoding": encoding}, HIGH)

    return chart(caption, rows, spec, width)


def ranking(caption: str, unit: str, bars: Sequence[Ranked]) -> Chart:
    """Lying bars with names, in the order given, each with its amount behind it."""
    rows = [
        {
            "place": str(place),
            "name": name_of(bar.name),
            "amount": float(bar.amount),
            "shown": short(bar.amount),
            "color": MARK if bar.is_rest else ACCENT,
            "words": f"{name_of(bar.name)}: {plain(bar.amount)} {unit}",
        }
        for place, bar in enumerate(bars)
    ]
    amounts = [float(bar.amount) for bar in bars]

    def spec(*, narrow: bool) -> Spec:
        room = _NARROW_ROOM if narrow else _ROOM
        domain = [min(min(amounts) * room, 0), max(max(amounts) * room, 0) or 1]
        x = amounts_axis(rows, "amount", unit, lying=True) | {
            "scale": {"domain": domain, "nice": False}
        }
        color = {"field": "color", "type": "nominal", "scale": None}
        encoding = {"x": x, "y": y_names(rows, narrow=narrow), "description": {"field": "words"}}
        shown = {"text": {"field": "shown"}}
        left = {"type": "text", "align": "left", "dx": 6, "color": TEXT, "fontSize": 12}
        layers = [
            {"mark": {"type": "bar", "height": {"band": 0.66}}, "encoding": {"color": color}},
            {"mark": left, "encoding": shown},
        ]
        return of_rows(rows, {"layer": layers, "encoding": encoding}, _ROW * len(rows) + 46)

    return chart(caption, rows, spec, HALF)


def pairs(caption: str, unit: str, named: Sequence[tuple[str, Decimal, Decimal]]) -> Chart:
    """For each name what is now, and below it, softer, what was before."""
    rows = [
        {
            "place": str(place),
            "name": name_of(name),
            "which": which,
            "amount": float(amount),
            "words": f"{name_of(name)}, {which} period: {plain(amount)} {unit}",
        }
        for place, (name, now, before) in enumerate(named)
        for which, amount in (("this", now), ("previous", before))
    ]
    order = ["this", "previous"]

    def spec(*, narrow: bool) -> Spec:
        scale = {"domain": order, "range": [ACCENT, MARK]}
        legend = {"labelExpr": "datum.label + ' period'", "symbolType": "square"}
        encoding = {
            "x": amounts_axis(rows, "amount", unit, lying=True),
            "y": y_names(rows, narrow=narrow),
            "yOffset": {"field": "which", "type": "nominal", "sort": order},
            "color": {"field": "which", "type": "nominal", "scale": scale, "legend": legend},
            "description": {"field": "words"},
        }
        return of_rows(rows, {"mark": "bar", "encoding": encoding}, _PAIR * len(named) + 80)

    return chart(caption, rows, spec, HALF)
