"""A few rows are grouped to the digits that Arrow's own group-by gives."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.few_groups import FEW, few_grouped
from transforms.fixed_point import LIMIT, amounts

_ROWS = 60
_AMOUNTS = st.integers(-(LIMIT // _ROWS), LIMIT // _ROWS) | st.integers(-5, 5)
_TABLES = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(1, 2**40), _AMOUNTS), min_size=1, max_size=_ROWS
)
_WHAT = [("events", "sum"), ("value", "sum"), ("value", "min"), ("value", "max")]


def table(rows: list[tuple[int, int, int]]) -> pa.Table:
    groups, events, values = zip(*rows, strict=True)
    columns = {"group": pa.array(groups), "events": pa.array(events), "value": amounts(values)}
    return pa.table(columns)


def by_arrow(rows: pa.Table, what: tuple[str, str]) -> pa.Table:
    done = pa.TableGroupBy(rows, ["group"], use_threads=False).aggregate([what])
    return done.rename_columns(["group", what[0]]).sort_by("group")


@given(_TABLES)
def test_groups_are_those_of_arrow(rows: list[tuple[int, int, int]]) -> None:
    for what in _WHAT:
        assert few_grouped(table(rows), [what]) == by_arrow(table(rows), what)


def test_a_part_of_a_table_is_grouped_without_the_rest() -> None:
    whole = table([(1, 1, 10), (2, 1, -(10**30)), (1, 1, 10**30), (2, 1, 7), (1, 1, 3)])
    part = whole.slice(1, 3)
    for what in _WHAT:
        assert few_grouped(part, [what]) == by_arrow(part, what)


def test_the_most_rows_that_are_few_are_added_up_exactly() -> None:
    greatest = LIMIT // FEW - 1
    for value in (greatest, -greatest, 2**32 - 1):
        done = few_grouped(table([(0, 1, value)] * FEW), [("value", "sum")])
        assert done is not None
        assert done.column("value").combine_chunks() == amounts([value * FEW])


@pytest.mark.parametrize(
    ("column", "how"),
    [
        (pa.array([1, None]), "sum"),
        (amounts([1, 2], pa.decimal256(76, 18)), "sum"),
        (pa.array(["a", "b"]), "min"),
        (amounts([1, 2]), "mean"),
    ],
)
def test_what_it_does_not_know_is_left_to_arrow(column: pa.Array, how: str) -> None:
    rows = pa.table({"group": pa.array([1, 1]), "value": column})
    assert few_grouped(rows, [("value", how)]) is None
