"""Which places of a record the catalog's meters read, and as what: the columns of `readings`.

A slot is one path read as one kind: `n0`, `n1`, … as numbers (values), `t0`, `t1`, … as texts
(dimensions, `where` operands, values of unique_count). Meters that read the same place share it.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from transforms.aggregations import AGGREGATIONS
from transforms.catalog import Catalog, Keys, Meter, Source
from transforms.paths import Path


@dataclass(frozen=True)
class Slot:
    """One place of a record: its column name, `number` or `text`, and the catalog's path to it."""

    name: str
    kind: str
    path: Path


class Filter(NamedTuple):
    """Which events a meter matches: by their type, and by texts that slots may hold."""

    event_types: frozenset[str]
    where: tuple[tuple[str, frozenset[str]], ...]


@dataclass(frozen=True)
class MeterPlan:
    """A meter with the names of the columns that it reads."""

    meter: Meter
    value: str | None
    where: tuple[tuple[str, frozenset[str]], ...]
    dimensions: tuple[tuple[str, str], ...]

    @cached_property
    def filter(self) -> Filter:
        """Meters with an equal one match the same events."""
        return Filter(frozenset(self.meter.event_types), self.where)

    @cached_property
    def grouping(self) -> tuple[tuple[str, ...], int]:
        """Its dimensions' slots and its window in µs.

        Meters of the same have the same groups of the same readings, but for changes of rates.
        """
        return tuple(slot for _, slot in self.dimensions), self.meter.window_us

    @property
    def columns(self) -> frozenset[str]:
        """Every slot that this meter reads."""
        names = {name for name, _ in self.where} | {name for _, name in self.dimensions}
        return frozenset(names | {self.value} if self.value else names)


@dataclass
class _Collector:
    slots: dict[tuple[str, Path], Slot] = field(default_factory=dict)

    def name(self, kind: str, path: Path) -> str:
        at = (kind, path)
        if at not in self.slots:
            count = sum(slot.kind == kind for slot in self.slots.values())
            self.slots[at] = Slot(f"{kind[0]}{count}", kind, path)
        return self.slots[at].name

    def plan(self, meter: Meter) -> MeterPlan:
        kind = AGGREGATIONS[meter.aggregation].reads
        return MeterPlan(
            meter,
            self.name(kind, meter.value) if kind and meter.value else None,
            tuple((self.name("text", path), allowed) for path, allowed in meter.where),
            tuple((name, self.name("text", path)) for name, path in meter.dimensions),
        )


@dataclass(frozen=True)
class Slots:
    """All slots of a catalog and what each meter does with them."""

    slots: tuple[Slot, ...]
    plans: tuple[MeterPlan, ...]

    @classmethod
    def of(cls, catalog: Catalog) -> "Slots":
        """The slots of a catalog, in the order in which its meters name them."""
        collector = _Collector()
        plans = tuple(collector.plan(meter) for meter in catalog.meters)
        return cls(tuple(collector.slots.values()), plans)

    @cached_property
    def by_type(self) -> dict[str, frozenset[str]]:
        """Event type to the slots that the meters of that type read."""
        read: dict[str, frozenset[str]] = {}
        for plan in self.plans:
            for event_type in plan.meter.event_types:
                read[event_type] = read.get(event_type, frozenset()) | plan.columns
        return read

    def amounts(self, source: Source) -> frozenset[Keys]:
        """The paths of a source read as quantities, times of an epoch format among them."""
        paths = {source.resolve(slot.path) for slot in self.slots if slot.kind == "number"}
        times = [time for time in (source.timestamp, source.received_at) if time]
        return frozenset(paths | {time.path for time in times if time.format != "rfc3339"})

    def read_by(self, event_type: str) -> frozenset[str]:
        """The slots that decide whether two events of a type say the same."""
        return self.by_type.get(event_type, frozenset())
