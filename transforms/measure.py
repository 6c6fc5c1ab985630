"""Measure: accepted readings → for each meter the partials of its groups, and what it cannot meter.

Holds one bucket's readings a thread, about twice more while they are measured (see
transforms/selection.py), and its groups.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.typehints.decorators import no_annotations

from rates import RateBook
from transforms.aggregate import KEYED
from transforms.arrays import micros
from transforms.catalog import Catalog
from transforms.counts import COUNT, tally
from transforms.kernel import THREADS, Kernel, Tagged
from transforms.meter_batch import MeterBatch, rejects_of
from transforms.rate_terms import Books, terms_of
from transforms.readings import rates_version
from transforms.reasons import Reason
from transforms.rescue import careful
from transforms.run import Run
from transforms.scope import Scope
from transforms.selection import Batch
from transforms.slots import Filter, MeterPlan, Slots


class Measured(NamedTuple):
    """What `Measure` gives."""

    partials: beam.PCollection
    rejects: beam.PCollection
    counts: beam.PCollection


@dataclass
class Measure(beam.PTransform):
    """Accepted readings → partials keyed by (meter, bucket of its series), rejects, counts."""

    run: Run
    catalog: Catalog
    books: Books
    scope: Scope
    buckets: int
    rated: bool = False
    threads: int = THREADS

    @no_annotations
    def expand(self, pcoll: beam.PCollection) -> Measured:
        """Wires `Measurer` as a kernel."""
        make = partial(
            Measurer, self.run, self.catalog, self.books, self.scope, self.buckets, self.rated
        )
        done = (
            pcoll
            | "Apply meters"
            >> beam.ParDo(Kernel(make, self.threads, self.run.run_id)).with_outputs()
        )
        done.partials.element_type = KEYED
        done.rejects.element_type = pa.RecordBatch
        done.counts.element_type = COUNT
        return Measured(done.partials, done.rejects, done.counts)


@dataclass
class Measurer:
    """The kernel: one batch of accepted readings, all meters.

    `rated` puts the terms of the rate that holds into the keys of the partials, as `rate`.
    """

    run: Run
    catalog: Catalog
    books: Books
    scope: Scope
    buckets: int
    rated: bool = False
    plans: list[MeterPlan] = field(init=False)
    _terms: dict[str, pa.DictionaryArray] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        chosen = self.scope.meters
        plans = Slots.of(self.catalog).plans
        self.plans = alike_together(
            [plan for plan in plans if chosen is None or plan.meter.name in chosen]
        )

    def __call__(self, readings: pa.RecordBatch) -> Iterator[Tagged]:
        """Results for the outputs of `Measured`."""
        batch = Batch(readings, self.books.version(rates_version(readings)), self.scope)
        for plan in self.plans:
            measure, give_up = partial(self._measure, plan), partial(self._give_up, plan)
            yield from careful(measure, Batch.halves, give_up, batch)

    def _measure(self, plan: MeterPlan, batch: Batch) -> Iterator[Tagged]:
        return MeterBatch(self, plan, batch).results()

    def _give_up(self, plan: MeterPlan, batch: Batch, error: Exception) -> Iterator[Tagged]:
        """One reading, which nothing could be made of."""
        reading, name = batch.readings, plan.meter.name
        arrival = micros(reading.column("received_at"))
        detail = f"the event could not be metered: {type(error).__name__}"
        yield from tally(arrival, "matched", meter=name)
        yield from tally(arrival, "rejected", meter=name, reason=Reason.INVALID_VALUE)
        yield "rejects", rejects_of(self.run, reading, name, Reason.INVALID_VALUE, [detail])

    def terms(self, book: RateBook) -> pa.DictionaryArray:
        """See `terms_of`; worked out once a book."""
        if book.digest not in self._terms:
            self._terms[book.digest] = terms_of(book)
        return self._terms[book.digest]


def alike_together(plans: Iterable[MeterPlan]) -> list[MeterPlan]:
    """Meters in such an order that those which share a selection, or groups, follow each other."""
    alike: dict[Filter, dict[Hashable, list[MeterPlan]]] = {}
    for plan in plans:
        alike.setdefault(plan.filter, {}).setdefault(plan.grouping, []).append(plan)
    return [
        plan
        for of_filter in alike.values()
        for of_grouping in of_filter.values()
        for plan in of_grouping
    ]
