"""Pub/Sub and BigQuery of the tests, for a cluster whose workers find them in their environment."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from bigquery_emulator import Emulator, emulating_bigquery
from bigquery_front import fronting
from bigquery_write_service import WriteService, write_service

import pubsub_emulator
from pipelines.bigquery.connection import EMULATOR
from pipelines.views import VIEWS, view_sql
from pipelines.views.dialects import bigquery_name, read_by

VIEWS_READ = ("usage_current", "rejects", "events", "ledger_current", "ledger_balance")


@dataclass(frozen=True)
class Cloud:
    """Emulators that this process, and those it starts, take for the services."""

    bigquery: Emulator
    writes: WriteService
    messages: pubsub_emulator.Emulator


@contextmanager
def clouds() -> Iterator[Cloud]:
    """A cloud, to the end of the `with`."""
    with ExitStack() as stack:
        bigquery = stack.enter_context(emulating_bigquery())
        front, _ = stack.enter_context(fronting(bigquery.service.rest, views_needed()))
        appends, writes = stack.enter_context(write_service(bigquery.client))
        messages = stack.enter_context(pubsub_emulator.emulating())
        stack.enter_context(
            patch.dict(os.environ, {"BIGQUERY_EMULATOR_HOST": front, EMULATOR: appends})
        )
        yield Cloud(bigquery, writes, messages)


def views_needed() -> frozenset[str]:
    """The views that are compared, and those they read."""
    found, rest = set[str](), set(VIEWS_READ)
    while rest:
        found |= rest
        rest = {name for each in rest for name in read_by(view_sql(each), VIEWS)} - found
    names = {bigquery_name(*reversed(name.rpartition("/")[::2])) for name in found | {"runs"}}
    return frozenset(names | {bigquery_name("meters", "stored")})
