"""A memory is used just where it is what the state says, whatever fails, moves or is forgotten."""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import held_state
from transforms.held_state import Held, Memories, States

PLACE = ("step", 3)


class Numbers(list[int]):
    """A memory: the numbers that were appended."""

    nbytes = 8


def built(segments: Sequence[bytes]) -> Numbers:
    return Numbers(number for segment in segments for number in segment)


@dataclass
class Bag:
    """A bag, or a cell, of an engine: what a bundle did is kept only if it did not fail.

    Gives its content in another order than it was put in.
    """

    kept: list[bytes] = field(default_factory=list)
    now: list[bytes] = field(default_factory=list)
    written: int = 0

    def read(self) -> Iterator[bytes]:
        yield from reversed(self.now)

    def add(self, value: bytes) -> None:
        self.now.append(value)
        self.written += len(value)

    def clear(self) -> None:
        self.now.clear()

    def end(self, *, failed: bool) -> None:
        if failed:
            self.now = [*self.kept]
        self.kept = [*self.now]


class Cell(Bag):
    """One value."""

    def read(self) -> bytes | None:  # type: ignore[override]
        return self.now[0] if self.now else None

    def write(self, value: bytes) -> None:
        self.now = [value]


class Key:
    """A key's state in an engine."""

    def __init__(self) -> None:
        self.states = States(Cell(), Bag(), Bag())

    def end(self, *, failed: bool = False) -> None:
        for bag in (self.states.mark, self.states.recent, self.states.older):
            bag.end(failed=failed)


def opened(worker: Memories, key: Key):  # noqa: ANN201 - as long as its type's name
    return worker.open(PLACE, key.states, built, b"".join)


def append(held: Held[Numbers], number: int, times: int = 1) -> None:
    held.memory += [number] * times
    held.append(bytes([number]) * times)


ACTIONS = st.sampled_from(
    [
        *["append", "append", "append much", "look", "rewrite", "clear"],
        *["error", "end", "end", "fail", "other worker"],
    ]
)


@patch.object(held_state, "_MANY", 3)
@given(st.lists(ACTIONS, max_size=40), st.integers(0, 1))
def test_a_memory_always_says_what_the_state_says(actions: list[str], limit: int) -> None:
    workers = [Memories(limit=limit << 20), Memories()]
    key, now, kept = Key(), Numbers(), Numbers()
    for step, action in enumerate(actions):
        if action in ("end", "fail"):
            key.end(failed=action == "fail")
            now = Numbers(kept if action == "fail" else now)
            kept = Numbers(now)
        elif action == "other worker":
            workers.reverse()
        elif action == "error":
            with pytest.raises(ZeroDivisionError):
                fail_inside(workers[0], key)
        else:
            with opened(workers[0], key) as held:
                assert held.memory == now
                change(held, action, step)
                now = Numbers(held.memory)
            stored = sum(len(each) - 8 for bag in bags(key) for each in bag.now)
            assert held.stored == stored == len(now)


def fail_inside(worker: Memories, key: Key) -> None:
    with opened(worker, key) as held:
        held.memory.append(0)
        raise ZeroDivisionError


def change(held: Held[Numbers], action: str, step: int) -> None:
    if action == "append":
        append(held, step)
    elif action == "append much":
        append(held, step, 1 << 16)
    elif action == "rewrite":
        held.memory[:] = [step, step]
        held.rewrite([bytes([step]), bytes([step])])
    elif action == "clear":
        held.memory.clear()
        held.rewrite([])


def bags(key: Key) -> list[Bag]:
    return [key.states.recent, key.states.older]


def test_the_memory_itself_is_used_while_nobody_else_writes() -> None:
    worker, key = Memories(), Key()
    with opened(worker, key) as held:
        append(held, 1)
        memory = held.memory
    key.end()
    for _ in range(3):
        with opened(worker, key) as held:
            assert held.memory is memory
    assert worker.reloaded == 0


def test_appends_do_not_write_the_state_again() -> None:
    worker, key = Memories(), Key()
    for step in range(1_000):
        with opened(worker, key) as held:
            append(held, step % 256, 20)
        key.end()
    assert sum(bag.written for bag in bags(key)) < 3 * 1_000 * 20
    assert len(key.states.recent.now) < 256
    assert len(key.states.older.now) == 1_000 // 256


def test_segments_come_back_in_the_order_in_which_they_were_appended() -> None:
    worker, key = Memories(), Key()
    for step in range(300):
        with opened(worker, key) as held:
            append(held, step % 256, times=1 << 16 if step % 100 == 50 else 1)
            expected = Numbers(held.memory)
    with opened(Memories(), key) as held:
        assert held.memory == expected


def test_an_emptied_state_leaves_nothing_behind() -> None:
    worker, key = Memories(), Key()
    with opened(worker, key) as held:
        append(held, 1)
    with opened(worker, key) as held:
        held.memory.clear()
        held.rewrite([])
    assert [*bags(key)[0].now, *bags(key)[1].now, *key.states.mark.now] == []
    assert PLACE not in worker
    with opened(worker, key) as held:
        assert held.memory == []
    assert worker.reloaded == 0


def test_a_lost_change_is_reported_once_a_key(caplog: pytest.LogCaptureFixture) -> None:
    worker, key = Memories(), Key()
    with caplog.at_level(logging.WARNING):
        for lost in range(1, 3):
            with opened(worker, key) as held:
                append(held, 1)
            key.end(failed=True)
            with opened(worker, key) as held:
                assert held.memory == []
            assert worker.reloaded == lost
    assert [record.getMessage()[:18] for record in caplog.records] == ["the state of key 3"]


def test_of_two_bundles_at_once_each_has_a_memory_of_its_own() -> None:
    worker, key = Memories(), Key()
    with opened(worker, key) as held:
        append(held, 1)
    key.end()
    first_has_it, second_is_done = threading.Event(), threading.Event()
    found = []

    def first() -> None:
        with opened(worker, key) as held:
            found.append(held.memory)
            first_has_it.set()
            second_is_done.wait(10)
            append(held, 2)

    thread = threading.Thread(target=first)
    thread.start()
    first_has_it.wait(10)
    with opened(worker, key) as held:
        found.append(held.memory)
        assert held.memory == [1]
    second_is_done.set()
    thread.join()
    assert found[0] is not found[1]
    assert found[0] == [1, 2]
    assert found[1] == [1]
    with opened(worker, key) as held:  # the engine takes the first
        assert held.memory == [1, 2]
    key.end(failed=True)
    with opened(worker, key) as held:  # the engine takes the second
        assert held.memory == [1]


def test_memories_used_longest_ago_make_way() -> None:
    worker = Memories(limit=3 * Numbers.nbytes)
    keys = {number: Key() for number in range(5)}
    for number in [0, 1, 2, 0, 3, 4]:
        with worker.open(("step", number), keys[number].states, built, b"".join) as held:
            append(held, number)
    assert [number for number in keys if ("step", number) in worker] == [0, 3, 4]
    assert worker.nbytes == 3 * Numbers.nbytes
    with worker.open(("step", 1), keys[1].states, built, b"".join) as held:
        assert held.memory == [1]
    assert worker.reloaded == 0
