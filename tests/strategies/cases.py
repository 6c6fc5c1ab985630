"""Whole cases: a catalog, rates and files to meter, and the options of a run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from strategies.catalogs import CatalogPlan, catalogs
from strategies.lines import lines
from strategies.pools import INSTANTS, STARTED_AT_US
from strategies.rate_tables import rate_tables

_NAMES = ("a.ndjson", "b.jsonl", "B.ndjson", "a-1.ndjson", "10.ndjson", "9.ndjson", "é.ndjson")
_ENDS = (b"\n", b"\n", b"\r\n")
_BLANKS = (b"",) * 9 + (b"\n", b"  \t\n", b"\r\n", b" \r\n")
_BLOCK_SIZES = (1, 7, 64, 1000, 65_536, 1 << 20)


@dataclass(frozen=True)
class Case:
    """What a run is given; `files` are (name, content) in the order to hand them over.

    `started_at_us` may be changed freely: nothing here is between it and the year 2200.
    """

    plan: CatalogPlan
    rates: Mapping[str, str] | None
    files: tuple[tuple[str, bytes], ...]
    block_size: int
    started_at_us: int = STARTED_AT_US

    @property
    def catalog(self) -> str:
        """The YAML text."""
        return self.plan.text

    @property
    def source(self) -> str:
        """The name of the source to read the records with."""
        return self.plan.source.name

    @property
    def records_arrivals(self) -> bool:
        """Tell whether the source names a recorded arrival."""
        return self.plan.source.received_at is not None


@dataclass(frozen=True)
class CaseOptions:
    """Options that a run of a case may have."""

    as_streamed: bool = False
    from_us: int | None = None
    to_us: int | None = None
    meters: tuple[str, ...] | None = None


@st.composite
def cases(draw: DrawFn) -> Case:
    """Draw a case: mostly valid events, and a bit of everything that is not."""
    plan = draw(catalogs())
    rates = draw(rate_tables(plan.meters)) if draw(st.integers(0, 5)) else None
    names = draw(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3, unique=True))
    parts: dict[str, list[bytes]] = {name: [] for name in names}
    for line in draw(lines(plan)):
        parts[draw(st.sampled_from(names))].append(line)
    files = tuple((name, _joined(draw, part)) for name, part in parts.items())
    return Case(plan, rates, files, draw(st.sampled_from(_BLOCK_SIZES)))


def _joined(draw: DrawFn, part: Sequence[bytes]) -> bytes:
    """Give the lines their ends, some blank lines between them, and maybe no end at the last."""
    content = b"".join(
        line + draw(st.sampled_from(_ENDS)) + draw(st.sampled_from(_BLANKS)) for line in part
    )
    return content.rstrip(b"\n") if draw(st.booleans()) else content


@st.composite
def options(draw: DrawFn, case: Case) -> CaseOptions:
    """Draw options that the case may be run with."""
    names = tuple(meter.name for meter in case.plan.meters)
    chosen = draw(st.none() | st.lists(st.sampled_from(names), min_size=1, unique=True).map(tuple))
    windows = [each.window_us for each in case.plan.meters if each.name in (chosen or names)]
    step = math.lcm(*windows)
    start = draw(st.none() | st.sampled_from(INSTANTS).map(lambda at: at // step * step))
    end = draw(st.none() | st.sampled_from(INSTANTS).map(lambda at: (at // step + 1) * step))
    if start is not None and end is not None and end <= start:
        end = start + step
    as_streamed = case.records_arrivals and draw(st.booleans())
    return CaseOptions(as_streamed, start, end, chosen)
