"""The product agrees with the oracle to the last digit, and its ledger balances."""

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels import Outputs, Steps, blocks_of
from oracle import Outcome, Record, meter_batch, split_records
from pipelines.inputs import find_inputs
from rates import RateBook, load_rates
from strategies import Case, CaseOptions, cases, options
from transforms.catalog import Catalog
from transforms.catalog_file import load_catalog
from transforms.run import Run
from transforms.scope import Scope

USAGE = (
    "meter customer_id window_start window_end closes_at quantity event_count unit rate_label"
    " rate_effective_from unit_price per currency cost pane"
).split()
EVENTS = "source origin event_id event_type customer_id event_time received_at payload".split()
REJECTS = "origin reason meter customer_id event_time received_at payload".split()


def book_of(case: Case, catalog: Catalog) -> RateBook:
    meters = {meter.name: tuple(name for name, _ in meter.dimensions) for meter in catalog.meters}
    files = [(name, text.encode()) for name, text in (case.rates or {}).items()]
    return load_rates(files, meters)


def counted(rows: list[dict[str, Any]], names: list[str], *extra: str) -> Counter[str]:
    """Rows as texts that compare whatever the order; dimensions by their content."""
    keyed = []
    digits = {"default": lambda amount: format(amount.normalize(), "e"), "sort_keys": True}
    for row in rows:
        shown = [row[name] for name in names]
        shown += [json.loads(row[n]) if isinstance(row[n], str) else row[n] for n in extra]
        keyed.append(json.dumps(shown, **digits))
    return Counter(keyed)


def assert_same(outputs: Outputs, wanted: Outcome) -> None:
    ledger = {(p, m or None, o, r or None): n for (p, m, o, r), n in outputs.counts.items()}
    found = [
        (counted(outputs.rows("events"), EVENTS), counted(wanted.events, EVENTS)),
        (counted(rejects(outputs.rows("rejects")), REJECTS), counted(wanted.rejects, REJECTS)),
        (usage(outputs.rows("usage")), usage(wanted.usage)),
        (Counter(ledger), wanted.ledger),
    ]
    for ours, theirs in found:
        assert (ours - theirs, theirs - ours) == (Counter(), Counter())


def usage(rows: list[dict[str, Any]]) -> Counter[str]:
    return counted(rows, USAGE, "dimensions")


def rejects(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    of_rows = "total_out_of_range"
    return [row | ({"origin": None} if row["reason"] == of_rows else {}) for row in rows]


def assert_balanced(outputs: Outputs) -> None:
    def total(meter: str, *outcomes: str) -> int:
        return sum(n for (_, m, o, _), n in outputs.counts.items() if m == meter and o in outcomes)

    assert total("", "received") == total("", "accepted", "duplicate", "rejected")
    used: Counter[str] = Counter()
    for row in outputs.rows("usage"):
        used[row["meter"]] += row["event_count"]
    for meter in {m for _, m, _, _ in outputs.counts if m}:
        assert total(meter, "matched") == total(meter, "metered", "rejected")
        assert total(meter, "metered") == used[meter]


@st.composite
def cases_and_options(draw: st.DrawFn) -> tuple[Case, CaseOptions]:
    case = draw(cases())
    return case, draw(options(case))


@given(cases_and_options(), st.integers(0, 1 << 30), st.integers(1, 3))
@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_order_and_bundling_gives_what_the_oracle_says(
    drawn: tuple[Case, CaseOptions], seed: int, buckets: int
) -> None:
    check_case(*drawn, seed=seed, buckets=buckets)


def check_case(case: Case, asked: CaseOptions, *, seed: int, buckets: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records: list[Record] = []
        for file, content in case.files:
            (folder / file).write_bytes(content)
            records += split_records(str(folder / file), content)
        wanted = meter_batch(
            case.catalog,
            case.rates,
            records,
            source=case.source,
            started_at_us=case.started_at_us,
            as_streamed=asked.as_streamed,
            from_us=asked.from_us,
            to_us=asked.to_us,
            meters=asked.meters,
        )
        catalog = load_catalog("catalog.yaml", case.catalog.encode())
        files = find_inputs([str(folder / file) for file, _ in case.files])
        chosen = frozenset(asked.meters) if asked.meters else None
        steps = Steps(
            Run("run", case.started_at_us),
            catalog,
            book_of(case, catalog),
            case.source,
            Scope(chosen, asked.from_us, asked.to_us, asked.as_streamed),
            buckets,
            seed,
        )
        # a block of a byte would cut a record of a megabyte into a million pieces
        block_bytes = max(case.block_size, max(file.size for file in files) // 200)
        outputs = steps.process(blocks_of(files, block_bytes))
    assert_same(outputs, wanted)
    assert_balanced(outputs)
