"""What the views of a dataset say of a run at its end."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from google.cloud import bigquery

from pipelines import runs
from pipelines.bigquery.client import ask
from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.bigquery.registry import with_values
from pipelines.bigquery.views import with_pending
from pipelines.problems import JobFailedError
from pipelines.stream_output import too_many
from pipelines.summary import Summary, summary_of
from pipelines.views.dialects import bigquery_name

_BALANCE = """
SELECT meter, received, accepted, duplicate, matched, metered, counted, rejected, balanced
FROM {ledger_balance} WHERE run_id = @run ORDER BY meter
"""
_REJECTED = """
SELECT
  (SELECT COALESCE(SUM(events), 0) FROM {ledger_current}
   WHERE run_id = @run AND outcome = 'received' AND meter IS NULL) AS received,
  (SELECT COUNT(DISTINCT origin) FROM {rejects}
   WHERE run_id = @run AND reason NOT IN ('total_out_of_range', 'refused')) AS rejected,
  (SELECT COUNT(*) FROM {rejects} WHERE run_id = @run AND reason = 'refused') AS refused
"""
_LEDGER = """
SELECT outcome, reason, meter, SUM(events) AS events FROM {ledger_current}
WHERE run_id = @run AND (meter IS NULL OR outcome = 'rejected')
GROUP BY outcome, reason, meter ORDER BY meter, reason
"""
# whole units and the rest apart: their sums fit where a sum of 38 digits would not
_USAGE = """
SELECT currency, SUM(TRUNC(cost)) AS whole, SUM(cost - TRUNC(cost)) AS rest, COUNT(*) AS usage_rows,
  COUNTIF(rate_label IS NULL) AS unrated
FROM (
  SELECT * FROM {usage} WHERE run_id = @run QUALIFY ROW_NUMBER() OVER (
    PARTITION BY meter, customer_id, dimensions, window_start, window_end,
      rate_label, rate_effective_from, unit_price, per, currency
    ORDER BY event_count DESC, written_at DESC
  ) = 1
)
GROUP BY currency ORDER BY currency
"""
_NAMES = ("ledger_balance", "ledger_current", "rejects", "usage")


def check(
    client: bigquery.Client,
    dataset: Dataset,
    run: runs.Run,
    most: Decimal | None,
    *,
    pending: bool = False,
) -> None:
    """What must hold of any run in the end: its ledger, and at most this share of rejects.

    `pending`: it is a batch run that is not shown yet. Raises JobFailedError.
    """
    problems = imbalances(client, dataset, run.run_id, pending=pending)
    received, rejects, refused = rejected(client, dataset, run.run_id, pending=pending)
    if problems:
        why = f"; rows refused: {refused:,}, which are in rejects with the answers"
        raise JobFailedError(
            f"the ledger does not balance: {'; '.join(problems)}{why if refused else ''}"
        )
    if most is not None and rejects > most * received:
        raise JobFailedError(too_many(run, received, rejects, most, f"{PREFIX}{dataset}.rejects"))


def imbalances(
    client: bigquery.Client, dataset: Dataset, run_id: str, *, pending: bool = False
) -> list[str]:
    """Says where the ledger of a run does not balance; `pending`: a batch run not yet shown."""
    rows = _rows(client, dataset, _BALANCE, run_id, pending=pending)
    if not rows:
        return [f"run {run_id} is not in runs"]
    return [problem for row in rows for problem in runs.imbalances(*row)]


def rejected(
    client: bigquery.Client, dataset: Dataset, run_id: str, *, pending: bool = False
) -> tuple[int, int, int]:
    """How many records a run received, how many it rejected, and how many rows were refused."""
    rows = _rows(client, dataset, _REJECTED, run_id, pending=pending)
    ((received, rejects, refused),) = rows
    return int(received), int(rejects), int(refused)


def summarize(client: bigquery.Client, dataset: Dataset, run: runs.Run) -> Summary:
    """The summary of a stream."""
    ledger = _rows(client, dataset, _LEDGER, run.run_id)
    return summary_of(run, ledger, _rows(client, dataset, _USAGE, run.run_id))


def _rows(
    client: bigquery.Client, dataset: Dataset, sql: str, run_id: str, *, pending: bool = False
) -> list[Sequence[Any]]:
    if pending:
        asked_for = with_pending(sql.format(**{name: name for name in _NAMES}), dataset, run_id)
    else:
        asked_for = sql.format(**{name: dataset.table(bigquery_name(name)) for name in _NAMES})
    asked = ask(client, asked_for, with_values(run=run_id))
    return [tuple(row) for row in asked]
