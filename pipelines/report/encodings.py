"""What the charts have in common: their axes, and how one becomes a drawing for two widths."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pipelines.report.drawing import drawn
from pipelines.report.model import Chart

FULL, HALF, NARROW = 1070, 523, 309  # px
ACCENT, MARK, TEXT = "var(--accent)", "var(--mark)", "var(--text)"
DAY, _MONTH = timedelta(days=1), timedelta(days=28)
HIGH = 190  # px of a chart over time
_SHORT_NAME, _NAME, _LETTER = 12, 21, 7  # characters, and px of one
_THOUSANDS = 10_000  # from here on axes say 10k
_FEW = 4  # things, up to which an axis has each number
_WORDS = 12  # marks that the words of a chart name
_ABOVE = {
    "titleAngle": 0,
    "titleAlign": "left",
    "titleAnchor": "end",
    "titleBaseline": "bottom",
    "titleX": 2,
    "titleY": -8,
}

Spec = dict[str, Any]


def chart(caption: str, rows: Sequence[Spec], spec: Callable[..., Spec], width: int) -> Chart:
    """A chart of rows that have `words`, from its specification for wide and narrow pages."""
    words = "; ".join(row["words"] for row in rows[:_WORDS])
    more = f"; and {len(rows) - _WORDS:,} more" if len(rows) > _WORDS else ""
    wide, narrow = (
        drawn(spec(narrow=narrow) | {"width": px})
        for narrow, px in ((False, width), (True, NARROW))
    )
    return Chart(caption, words + more, wide, narrow, full=width == FULL)


def of_rows(rows: Sequence[Spec], spec: Spec, height: int) -> Spec:
    """A specification with its data."""
    return {"data": {"values": list(rows)}, "height": height} | spec


def form_of(step: timedelta) -> str:
    """How an axis of time writes its moments."""
    return "%-d %b %H:%M" if step < DAY else "%-d %b" if step < _MONTH else "%b %Y"


def x_time(name: str, scale: Mapping[str, Any], form: str, *, narrow: bool) -> Spec:
    """An axis of time, in UTC."""
    count = {"tickCount": 4 if narrow else 8}
    axis = {"grid": False, "labelOverlap": True, "labelFlush": True, "format": form} | count
    return {"field": name, "type": "temporal", "scale": dict(scale), "axis": axis}


def y_names(rows: Sequence[Spec], *, narrow: bool) -> Spec:
    """Names in their order, from the left; those that look the same, cut, keep a bar each."""
    most = _SHORT_NAME if narrow else _NAME
    names = {row["place"]: _cut(row["name"], most) for row in rows}
    room = max(map(len, names.values())) * _LETTER + 10
    axis = {
        "labelAlign": "left",
        "labelExpr": f"({json.dumps(names)})[datum.value]",
        "labelLimit": 0,
        "labelPadding": room,
        "minExtent": room,
        "maxExtent": room,
        "domain": False,
        "ticks": False,
        "grid": False,
    }
    return {"field": "place", "type": "nominal", "sort": list(names), "axis": axis}


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def amounts_axis(rows: Sequence[Spec], name: str, unit: str, *, lying: bool = False) -> Spec:
    """An axis of amounts: its unit, four lines or so, and each number of a few things."""
    most = max(abs(row[name]) for row in rows)
    few = most <= _FEW and all(row[name] == int(row[name]) >= 0 for row in rows)
    axis = {
        "title": unit,
        "tickCount": 4,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
        "labelExpr": "datum.value == 0 ? '0' : datum.label",  # not 0k
        **({} if lying else _ABOVE),
        **({"format": "~s"} if most >= _THOUSANDS else {}),
        **({"values": list(range(int(most) + 1)), "format": "d"} if few else {}),
    }
    return {"field": name, "type": "quantitative", "axis": axis}


def moment_text(at: datetime) -> str:
    """A moment as Vega-Lite reads it."""
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"
