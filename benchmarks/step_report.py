"""What each step takes, as a table here and in docs/speed.md, and as a chart there."""

import re
from dataclasses import dataclass
from pathlib import Path

from report import surroundings
from rich.table import Table
from step_chart import Bar, draw

DOCS = Path(__file__).parent.parent / "docs"


@dataclass(frozen=True)
class Whole:
    """What was run: so many of a unit."""

    name: str
    title: str
    unit: str
    count: int


@dataclass(frozen=True)
class Chart:
    """The bars of a whole, in seconds of CPU of all its units."""

    whole: Whole
    bars: list[Bar]
    clock: dict[str, float]  # seconds on the clock, by phase
    on_clock: dict[str, float]  # and by step

    @property
    def total(self) -> float:
        """All bars together, in seconds of CPU."""
        return sum(bar.amount for bar in self.bars)

    @property
    def scale(self) -> tuple[float, str]:
        """What a second of all units is for one of them, and in which unit of time."""
        by, short = (1e6, "µs") if self.whole.unit == "event" else (1e3, "ms")
        return by / self.whole.count, short

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Step, CPU of one unit, share of all, and time on the clock where it was taken."""
        by, _ = self.scale
        taken = [(bar.name, bar.amount, self.on_clock.get(bar.name)) for bar in self.bars]
        return [
            (
                name,
                f"{cpu * by:.2f}",
                f"{cpu / self.total:.1%}",
                "" if clock is None else f"{clock * by:.2f}",
            )
            for name, cpu, clock in [*taken, ("all", self.total, None)]
        ]

    def heads(self) -> tuple[str, str, str, str]:
        """The heads of the columns."""
        _, short = self.scale
        return "step", f"CPU, {short}", "share", f"on the clock, {short}"

    def said(self) -> str:
        """What was run, and its seconds on the clock."""
        phases = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.clock.items())
        return f"{self.whole.title}; on the clock: {phases}"


def table(chart: Chart) -> Table:
    """For a terminal."""
    told = Table(title=chart.said(), min_width=70)
    for name in chart.heads():
        told.add_column(name, justify="left" if name == "step" else "right")
    for row in chart.rows():
        told.add_row(*row)
    return told


def put_into_docs(chart: Chart, runs: int) -> None:
    """Draws the chart anew, and the table in its place in docs/speed.md, if it has one."""
    by, short = chart.scale
    unit = f"{short} of CPU for {'an' if chart.whole.unit == 'event' else 'a'} {chart.whole.unit}"
    name, page = chart.whole.name, DOCS / "speed.md"
    begin, end = f"<!-- steps: {name} -->", "<!-- end -->"
    if begin not in page.read_text():
        return
    drawing = draw(unit, [bar.scaled(by) for bar in chart.bars])
    (DOCS / f"step-times-{name}.svg").write_text(drawing)
    lines = [chart.heads(), ("---", "--:", "--:", "--:"), *chart.rows()]
    words = f"{chart.said()}. The middle one of {runs} runs. {surroundings()}."
    content = "\n".join([words, "", *(f"| {' | '.join(line)} |" for line in lines)])
    place = re.compile(f"{begin}.*?{end}", re.DOTALL)
    page.write_text(place.sub(lambda _: f"{begin}\n{content}\n{end}", page.read_text()))
