"""The plan of which files are merged: they stay few, and no row is copied often."""

from pipelines.compaction import SETTLED_BYTES, Shelves


def test_an_hour_of_files_leaves_few_of_them_at_any_time() -> None:
    """The plan for an hour, with the grace time of two seconds."""
    for pause_s, bound in ((0.02, 125), (0.5, 50)):
        shelves = Shelves(grace_s=2)
        for number in range(round(3600 / pause_s)):
            now = number * pause_s
            shelves.place(0, 4096)
            while shelf := shelves.due(SETTLED_BYTES):
                shelves.place(shelf.level + 1, shelf.size)
                shelves.supersede([shelf], now)
            shelves.to_hide(now)
            assert len(shelves) <= bound


def test_files_of_many_bytes_are_left_alone() -> None:
    shelves, given, merged = Shelves(grace_s=1), 5 << 20, 0
    for number in range(1000):
        shelves.place(0, given)
        while shelf := shelves.due(2 * SETTLED_BYTES):
            merged += shelf.size
            shelves.place(shelf.level + 1, shelf.size)
            shelves.supersede([shelf], number)
        shelves.to_hide(number)
    assert merged <= 1000 * given  # each row once: what it became is settled
    while group := shelves.rest():
        assert sum(shelf.size for shelf in group) <= 2 * SETTLED_BYTES
        shelves.place(None, 0)
        shelves.supersede(group, 1000)
    shelves.to_hide(2000)
    assert len(shelves) <= 1000 * given // SETTLED_BYTES + 1
