"""What a job counts for those who watch it: Beam's metrics, all in the namespace `meterbeam`.

The tables never depend on them: what a runner does twice may be counted twice. The ledger is exact.
A counter is added to by the entry of the ledger, a distribution by the batch, neither by the row.
docs/runbook.md says what each one means, templates/monitoring/ has alerts on them.
"""

from apache_beam.metrics import Metrics

from transforms.counts import Count
from transforms.reasons import Reason

NAMESPACE = "meterbeam"

# records, as the ledger has them with no meter
RECORDS = {
    outcome: Metrics.counter(NAMESPACE, outcome)
    for outcome in ("received", "accepted", "duplicate", "rejected")
}
# rows of `rejects`, of records and of meters; those that a sink refused are below
REJECTED = {
    str(reason): Metrics.counter(NAMESPACE, f"rejected_{reason}")
    for reason in Reason
    if reason is not Reason.REFUSED
}
REFUSED = Metrics.counter(NAMESPACE, "refused")
REFUSED_LOST = Metrics.counter(NAMESPACE, "refused_lost")

# of a stream's state
STATE_RELOADED = Metrics.counter(NAMESPACE, "state_reloaded")
KEYS_FORGOTTEN = Metrics.counter(NAMESPACE, "keys_forgotten")
AFTER_CLOSE = Metrics.counter(NAMESPACE, "after_close")

# by step, once for each batch that goes through it
BATCH_ROWS = Metrics.distribution(NAMESPACE, "batch_rows")
KERNEL_US = Metrics.distribution(NAMESPACE, "kernel_us")
LAG_MS = Metrics.distribution(NAMESPACE, "lag_ms")

COUNTERS = (
    *RECORDS.values(),
    *REJECTED.values(),
    REFUSED,
    REFUSED_LOST,
    STATE_RELOADED,
    KEYS_FORGOTTEN,
    AFTER_CLOSE,
)
DISTRIBUTIONS = (BATCH_ROWS, KERNEL_US, LAG_MS)


def counted(count: Count) -> Count:
    """Adds an entry of the ledger to the metrics, and passes it on."""
    (_, meter, outcome, reason), events = count
    if not meter:
        RECORDS[outcome].inc(events)
    if reason:
        REJECTED[reason].inc(events)
    return count
