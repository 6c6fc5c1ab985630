"""The chart of what each step takes, as an SVG that is right on light and on dark pages."""

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipelines.report.drawing import drawn

WIDTH, ROW, ROOM = 760, 24, 1.2
MARGIN = 12
LETTER = 7  # px; who draws it and who shows it have other fonts
# as in pipelines/report/page.css
COLORS = """
svg { --card: #ffffff; --text: #1b1f24; --soft: #57606a; --line: #dfe3e8; --accent: #0b63c4;
  --mark: #8b95a1; --runner: #b45f06; background: var(--card); }
@media (prefers-color-scheme: dark) { svg { --card: #171b22; --text: #e8ebef; --soft: #a3adb8;
  --line: #2c333d; --accent: #5aa2f5; --mark: #75808d; --runner: #e69138; } }
"""
KINDS = {"step": "our steps", "runner": "Beam and its engine", "other": "start and end"}
FILLS = {"step": "var(--accent)", "runner": "var(--runner)", "other": "var(--mark)"}


@dataclass(frozen=True)
class Bar:
    """What a step took, of what kind it is."""

    name: str
    amount: float
    kind: Literal["step", "runner", "other"]

    def scaled(self, by: float) -> "Bar":
        """The same in another unit."""
        return replace(self, amount=self.amount * by)


def draw(unit: str, bars: list[Bar]) -> str:
    """Lying bars in the order given, each with its amount and its share behind it."""
    total = sum(bar.amount for bar in bars)
    rows = [
        {
            "name": bar.name,
            "amount": bar.amount,
            "kind": KINDS[bar.kind],
            "shown": f"{bar.amount:.2f}  ({bar.amount / total:.0%})",
            "words": f"{bar.name}: {bar.amount:.2f} {unit}",
        }
        for bar in bars
    ]
    most = max(bar.amount for bar in bars) * ROOM
    used = [kind for kind in KINDS if kind in {bar.kind for bar in bars}]
    scale = {"domain": [KINDS[kind] for kind in used], "range": [FILLS[kind] for kind in used]}
    encoding: dict[str, Any] = {
        "x": {
            "field": "amount",
            "type": "quantitative",
            "scale": {"domain": [0, most], "nice": False},
            "axis": {"tickCount": 6},
        },
        "y": {
            "field": "name",
            "type": "nominal",
            "sort": [bar.name for bar in bars],
            "axis": {
                "labelLimit": 0,
                "minExtent": LETTER * max(len(bar.name) for bar in bars),
                "domain": False,
                "ticks": False,
                "labelPadding": 8,
            },
        },
        "description": {"field": "words"},
    }
    legend = {"orient": "top", "columnPadding": 40}
    color = {"field": "kind", "type": "nominal", "scale": scale, "legend": legend}
    amounts = {"type": "text", "align": "left", "dx": 5, "color": "var(--text)", "fontSize": 12}
    layers = [
        {"mark": {"type": "bar", "height": {"band": 0.7}}, "encoding": {"color": color}},
        {"mark": amounts, "encoding": {"text": {"field": "shown"}}},
    ]
    title = {
        "text": f"{unit}: {total:.2f} in all",
        "anchor": "start",
        "color": "var(--text)",
        "fontSize": 14,
    }
    spec = {
        "title": title,
        "data": {"values": rows},
        "width": WIDTH,
        "height": ROW * len(rows) + 80,
    }
    svg = drawn(spec | {"layer": layers, "encoding": encoding})
    head, _, rest = svg.partition(">")
    return f"{_with_margin(head)}><style>{COLORS}</style>{rest}\n"


def _with_margin(head: str) -> str:
    """The opening tag of a drawing, for one with a margin around it."""
    wide, high = (float(re.findall(f'{name}="([0-9.]+)"', head)[0]) for name in ("width", "height"))
    wide, high = wide + 2 * MARGIN, high + 2 * MARGIN
    size = f'width="{wide:g}" height="{high:g}" viewBox="-{MARGIN} -{MARGIN} {wide:g} {high:g}"'
    return re.sub(r' (width|height|viewBox)="[^"]*"', "", head) + f" {size}"
