"""The graph: every step an event takes, from the bytes it came in to what it costs.

One graph for both modes. The source, and where each table goes, are passed in; what else differs
in a stream is inside Deduplicate, Aggregate and Ledger: state and timers where batch groups.
"""

from collections.abc import Callable
from dataclasses import dataclass

import apache_beam as beam

import transforms.arrow_coder  # noqa: F401 - registers the coder for record batches
from rates import RateBook
from transforms.aggregate import Aggregate
from transforms.catalog import Catalog
from transforms.deduplicate import Deduplicate
from transforms.kernel import THREADS
from transforms.ledger import Ledger
from transforms.live import Live
from transforms.measure import Measure
from transforms.price import Price
from transforms.rate_terms import Books
from transforms.run import Run
from transforms.scope import Scope
from transforms.spill import Spill
from transforms.validate import Validate


@dataclass(frozen=True)
class Job:
    """One run of the graph: what it meters, from where, and to where."""

    run: Run
    catalog: Catalog
    book: RateBook
    books: Books  # the versions that `book` has while a stream runs, or just that
    scope: Scope
    source: str  # the catalog's name for the kind of the records
    read: beam.PTransform  # gives blocks of records
    write: Callable[[str], beam.PTransform]  # table name to the transform that takes its rows
    spill: Spill  # where shuffled readings wait
    key_buckets: int  # pieces in which event keys are brought together
    series_buckets: int  # pieces in which series are added up
    live: Live | None = None  # how a stream differs; None is a batch run


def build(pipeline: beam.Pipeline, job: Job) -> None:
    """Adds the whole graph to a pipeline."""
    run, catalog, live = job.run, job.catalog, job.live
    threads = 0 if live else THREADS  # a stream's elements keep their own moment

    blocks = pipeline | "Read" >> job.read
    valid = blocks | "Validate" >> Validate(
        run, catalog, job.source, job.key_buckets, job.spill, threads
    )
    first = valid.readings | "Deduplicate" >> Deduplicate(run, catalog, job.spill, live, threads)
    measured = first.accepted | "Measure" >> Measure(
        run, catalog, job.books, job.scope, job.series_buckets, live is not None, threads
    )
    groups = measured.partials | "Aggregate" >> Aggregate(catalog, live, threads)
    priced = groups | "Price" >> Price(run, catalog, job.book, threads)

    rejects = {"Validate": valid, "Deduplicate": first, "Measure": measured, "Price": priced}
    counts = (valid.counts, first.counts, measured.counts)
    valid.events | "Write events" >> job.write("events")
    priced.usage | "Write usage" >> job.write("usage")
    for step, each in rejects.items():
        # not flattened: so it is done where they are made, before a source may take it for done
        each.rejects | f"Write rejects of {step}" >> job.write("rejects")
    counts | "Ledger" >> Ledger(run.run_id, live) | "Write ledger" >> job.write("ledger")
