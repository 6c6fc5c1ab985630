"""A catalog file in, a checked catalog out, or everything that is wrong with the file."""

import hashlib

from transforms.catalog import Catalog, Meter, Source, TextField, TimeField
from transforms.catalog_model import (
    CatalogPart,
    Defaults,
    MeterPart,
    SourcePart,
    TextPart,
    TimePart,
)
from transforms.catalog_problems import CatalogErrors, Problem
from transforms.catalog_review import review
from transforms.paths import parse_path
from transforms.sources import BUILT_IN
from transforms.yaml_reader import read_yaml


def load_catalog(name: str, content: bytes) -> Catalog:
    """Read a catalog from the bytes of its file; `name` is what messages call the file.

    Raises CatalogErrors with every problem of the file, in the order of its lines.
    """
    tree, problems = read_yaml(name, content)
    part = None
    if tree is not None:
        part, found = review(name, tree)
        problems += found
    elif not problems:
        problems.append(Problem(name, None, "", "the file holds no catalog: it is empty"))
    if problems or part is None:
        raise CatalogErrors(sorted(problems, key=lambda each: each.line or 0))
    return _catalog(name, part, hashlib.sha256(content).hexdigest())


def _catalog(name: str, part: CatalogPart, digest: str) -> Catalog:
    own = {source: _source(source, fields) for source, fields in part.sources.items()}
    return Catalog(
        name=name,
        meters=tuple(_meter(meter, part.defaults) for meter in part.meters),
        sources={**BUILT_IN, **own},
        future_tolerance_us=part.defaults.future_tolerance,
        dedup_horizon_us=part.defaults.dedup_horizon,
        digest=digest,
    )


def _meter(part: MeterPart, defaults: Defaults) -> Meter:
    lateness = part.allowed_lateness
    return Meter(
        name=part.name,
        description=part.description,
        event_types=tuple(part.event_type),
        where=tuple((parse_path(path), frozenset(texts)) for path, texts in part.where.items()),
        aggregation=part.aggregation,
        value=part.value,
        dimensions=part.sorted_dimensions,
        window_us=defaults.window if part.window is None else part.window,
        allowed_lateness_us=defaults.allowed_lateness if lateness is None else lateness,
        unit=part.unit,
    )


def _source(name: str, part: SourcePart) -> Source:
    return Source(
        name=name,
        event_type=_text_field(part.event_type),
        customer_id=_text_field(part.customer_id),
        timestamp=_time_field(part.timestamp),
        id=None if part.id is None else _text_field(part.id),
        received_at=None if part.received_at is None else _time_field(part.received_at),
        properties=part.properties,
        objects=(part.properties,) if part.properties else (),
    )


def _text_field(part: TextPart) -> TextField:
    return TextField(part.path, part.const, part.as_ is not None)


def _time_field(part: TimePart) -> TimeField:
    return TimeField(part.path, part.format, part.zone is not None)
