"""Catalogs with one thing wrong, and what is said of it."""

import pytest

from transforms.catalog_file import load_catalog
from transforms.catalog_problems import CatalogErrors

METER = "- {name: m, event_type: e, aggregation: count"
FILE = f"version: 1\nmeters:\n{METER}}}\n"


def mistakes(text: str) -> list[str]:
    """Give the problems of a catalog, as texts."""
    with pytest.raises(CatalogErrors) as error:
        load_catalog("c.yaml", text.encode())
    assert str(error.value) == "\n".join(map(str, error.value.problems))
    return [str(problem) for problem in error.value.problems]


def of_meter(rest: str) -> str:
    """Give a catalog of one meter that counts, with more keys, on line 3."""
    return f"version: 1\nmeters:\n{METER}, {rest}}}\n"


def of_source(rest: str) -> str:
    """Give a catalog with one source that lacks nothing, with more keys, on line 5."""
    need = "customer_id: c, event_type: e, timestamp: t"
    return f"{FILE}sources:\n  own: {{{need}, {rest}}}\n"
