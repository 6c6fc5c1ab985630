"""Every aggregation is exact, and does not depend on how its rows were cut or ordered."""

from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.aggregations import AGGREGATIONS
from transforms.fixed_point import LIMIT, amounts, unscaled

VALUES = st.one_of(
    st.integers(-50, 50).map(lambda n: n * 10**18), st.integers(1 - LIMIT, LIMIT - 1)
)
ROWS = st.lists(st.tuples(st.integers(0, 3), VALUES, st.integers(0, 3)), min_size=1, max_size=40)


def table(rows: list[tuple[int, int, int]], reads: str | None) -> pa.Table:
    groups, values, times = zip(*rows, strict=True)
    value = amounts(values) if reads != "text" else pa.array([str(v % 7) for v in values])
    return pa.table({"group": pa.array(groups), "value": value, "time": pa.array(times)})


def expected(name: str, rows: list[tuple[int, int, int]]) -> dict[int, tuple[int, Decimal]]:
    by_group = defaultdict(list)
    for group, value, time in rows:
        by_group[group].append((time, value))
    with localcontext(prec=200):
        one = Decimal(10) ** 18
        results = {}
        for group, found in by_group.items():
            values = [value for _, value in found]
            quantity = {
                "sum": lambda v=values: Decimal(sum(v)) / one,
                "count": lambda v=values: Decimal(len(v)),
                "unique_count": lambda v=values: Decimal(len({n % 7 for n in v})),
                "min": lambda v=values: Decimal(min(v)) / one,
                "max": lambda v=values: Decimal(max(v)) / one,
                "avg": lambda v=values: (Decimal(sum(v)) / len(v) / one).quantize(
                    Decimal("1e-18"), ROUND_HALF_EVEN
                ),
                "latest": lambda f=found: Decimal(max(f)[1]) / one,
            }[name]()
            results[group] = (len(values), quantity)
    return results


@pytest.mark.parametrize("name", list(AGGREGATIONS))
@given(rows=ROWS, cut=st.integers(0, 40), turned=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_cut_and_order_gives_the_exact_quantity(
    name: str, rows: list[tuple[int, int, int]], cut: int, turned: bool
) -> None:
    aggregation = AGGREGATIONS[name]
    parts = [part for part in (rows[:cut], rows[cut:]) if part]
    partials = [aggregation.partial(table(part, aggregation.reads)) for part in parts]
    if turned:
        partials.reverse()
    kinds = [partial.schema for partial in partials]
    if kinds[0] != kinds[-1]:  # one sum was too wide for 38 digits
        wide = max(kinds, key=str)
        partials = [partial.cast(wide) for partial in partials]
    merged = aggregation.merge(pa.concat_tables(partials))
    done = aggregation.quantities(merged)
    quantities = unscaled(done.column("quantity").combine_chunks())
    found = {
        group: (events, quantity)
        for group, events, quantity in zip(
            done.column("group").to_pylist(),
            done.column("events").to_pylist(),
            quantities,
            strict=True,
        )
    }
    with localcontext(prec=200):
        wanted = {g: (n, int(q * 10**18)) for g, (n, q) in expected(name, rows).items()}
    assert found == wanted
