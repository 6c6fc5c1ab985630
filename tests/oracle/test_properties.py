"""What holds of every outcome, over hostile input; and that the input is hostile indeed."""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle import Outcome, Record, meter_batch, split_records
from oracle.catalog import read_catalog
from oracle.events import RECORD_REASONS
from oracle.rates import read_rates
from strategies import Case, CaseOptions, cases, options

METER_REASONS = (
    *("invalid_dimension", "missing_value", "invalid_value", "number_out_of_range", "too_late"),
)
ALL_REASONS = {*RECORD_REASONS, "conflict", *METER_REASONS, "total_out_of_range"}

# A case is drawn in some 40 ms, more than hypothesis likes to see.
some = settings(deadline=None, max_examples=35, suppress_health_check=list(HealthCheck))
with_options = cases().flatmap(lambda case: st.tuples(st.just(case), options(case)))


def records_of(case: Case) -> list[Record]:
    return [record for name, content in case.files for record in split_records(name, content)]


def run(case: Case, chosen: CaseOptions, records: list[Record] | None = None) -> Outcome:
    return meter_batch(
        case.catalog,
        case.rates,
        records_of(case) if records is None else records,
        source=case.source,
        started_at_us=case.started_at_us,
        as_streamed=chosen.as_streamed,
        from_us=chosen.from_us,
        to_us=chosen.to_us,
        meters=chosen.meters,
    )


def in_order(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(str(row) for row in rows)


def test_the_ledger_balances_and_the_input_reaches_every_reason() -> None:
    reached: Counter[str] = Counter()

    @settings(some, max_examples=120, derandomize=True, database=None)
    @given(with_options)
    def balances(drawn: tuple[Case, CaseOptions]) -> None:
        case, chosen = drawn
        outcome = run(case, chosen)
        sums: Counter[tuple[str | None, str]] = Counter()
        for (_, meter, kind, _), events in outcome.ledger.items():
            sums[meter, kind] += events
        received = sums[None, "accepted"] + sums[None, "duplicate"] + sums[None, "rejected"]
        assert sums[None, "received"] == received == len(records_of(case))
        for meter in {row["meter"] for row in outcome.usage} | {
            meter for meter, _ in sums if meter
        }:
            assert sums[meter, "matched"] == sums[meter, "metered"] + sums[meter, "rejected"]
            counted = (row["event_count"] for row in outcome.usage if row["meter"] == meter)
            assert sums[meter, "metered"] == sum(counted)
        rejects = Counter((row["meter"], row["reason"]) for row in outcome.rejects)
        reached.update(reason for _, reason in rejects)
        rows = {key: count for key, count in rejects.items() if key[1] != "total_out_of_range"}
        ledger: Counter[tuple[str | None, str | None]] = Counter()
        for (_, meter, kind, reason), events in outcome.ledger.items():
            ledger[meter, reason] += events if kind == "rejected" else 0
        assert rows == +ledger

    balances()
    assert set(reached) == ALL_REASONS


@some
@given(with_options, st.integers(0, 1 << 30))
def test_the_order_of_records_does_not_matter(drawn: tuple[Case, CaseOptions], seed: int) -> None:
    records = records_of(drawn[0])
    expected = run(*drawn, records)
    random.Random(seed).shuffle(records)  # noqa: S311 - a shuffle, no secret
    found = run(*drawn, records)
    assert found.ledger == expected.ledger
    assert in_order(found.usage) == in_order(expected.usage)
    assert in_order(found.events) == in_order(expected.events)
    assert in_order(found.rejects) == in_order(expected.rejects)


@some
@given(cases(), st.booleans())
def test_two_ranges_that_meet_give_the_usage_of_the_whole(case: Case, as_streamed: bool) -> None:
    cut = case.started_at_us // 86_400_000_000 * 86_400_000_000 - 5 * 86_400_000_000
    whole = CaseOptions(as_streamed=as_streamed)
    before, after = run(case, replace(whole, to_us=cut)), run(case, replace(whole, from_us=cut))
    expected = run(case, whole)
    assert in_order(before.usage + after.usage) == in_order(expected.usage)
    assert in_order(before.events) == in_order(after.events) == in_order(expected.events)


@some
@given(cases())
def test_drawn_rates_never_tie(case: Case) -> None:
    rates = read_rates(case.rates or {})
    meters = {meter.name: meter for meter in read_catalog(case.catalog, case.source).meters}
    for row in run(case, CaseOptions()).usage:
        at = row["window_start"]
        best = [
            rate
            for rate in rates
            if rate.meter == row["meter"]
            and rate.holds(at)
            and rate.matches(row["customer_id"], row["dimensions"])
        ]
        top = max((rate.precedence[:2] for rate in best), default=None)
        winners = [rate for rate in best if rate.precedence[:2] == top]
        assert len({(rate.customer_id, tuple(sorted(rate.cells))) for rate in winners}) <= 1
        assert len({rate.terms.effective_from for rate in winners}) == len(winners)
        assert set(dict(meters[row["meter"]].dimensions)) == set(row["dimensions"])
