"""Group codes are one to one with the values of their key columns."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.groups import Groups

TEXT = st.one_of(st.none(), st.sampled_from(["", "a", "b", "é"]))


@given(st.lists(st.tuples(TEXT, TEXT, st.integers(-3, 3)), max_size=30), st.integers(0, 30))
@settings(deadline=None)
def test_rows_share_a_code_exactly_when_they_share_every_key(
    rows: list[tuple[str | None, str | None, int]], cut: int
) -> None:
    def part(some: list[tuple[str | None, str | None, int]]) -> pa.Table:
        columns = list(zip(*some, strict=True)) or [(), (), ()]
        return pa.table(
            {
                "x": pa.array(columns[0], pa.string()).dictionary_encode(),
                "y": pa.array(columns[1], pa.string()),
                "n": pa.array(columns[2], pa.int64()),
            }
        )

    groups = Groups(pa.concat_tables([part(rows[:cut]), part(rows[cut:])]), ["x", "y", "n"])
    by_code: dict[int, tuple[object, ...]] = {}
    for code, row in zip(groups.codes.tolist(), rows, strict=True):
        assert by_code.setdefault(code, row) == row
    assert len(by_code) == len(set(rows))
    found = groups.columns(groups.codes)
    assert list(zip(*(found[key].to_pylist() for key in "xyn"), strict=True)) == rows


def test_more_combinations_than_an_int64_has_room_for_are_kept_apart() -> None:
    count = 3000
    names = [f"k{i}" for i in range(8)]  # 3001^8 > 2^62
    table = pa.table({name: pa.array([f"{name}-{i}" for i in range(count)]) for name in names})
    groups = Groups(table, names)
    assert len(set(groups.codes.tolist())) == count
    assert groups.columns(groups.codes)["k3"].to_pylist() == table.column("k3").to_pylist()
