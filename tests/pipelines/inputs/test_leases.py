"""What is held of a subscription, without a service."""

import pytest

from pipelines.inputs import leases
from pipelines.inputs.leases import FIRST_LEASE_S, LEASE_S, REMEMBERED_S, Leases
from pipelines.inputs.messages import Message


def delivery(name: str, again: int = 0) -> Message:
    return Message(name, f"{name}.{again}", b"x" * 10, 0)


def held(*names: str) -> Leases:
    """The first batch, number 1, of messages that came at 0."""
    made = Leases()
    made.give_out(1, made.take_in(map(delivery, names), 0))
    return made


def test_a_batch_is_acknowledged_when_it_is_safe_and_not_before() -> None:
    made = held("a", "b")
    made.give_out(2, made.take_in([delivery("c")], 0))
    assert made.settle(0, 1) == []
    assert made.settle(1, 1) == ["a.0", "b.0"]
    assert (made.held, made.held_bytes) == (1, 10)
    assert made.settle(2, 1) == ["c.0"]
    assert (made.held, made.held_bytes) == (0, 0)


def test_what_comes_again_while_it_is_held_is_acknowledged_with_its_first() -> None:
    made = held("a", "b")
    assert made.take_in([delivery("a", 1), delivery("c")], 1) == [delivery("c")]
    assert made.settle(1, 1) == ["a.1", "b.0"]
    assert made.again == 1


def test_what_comes_again_before_it_is_given_out_is_one_message() -> None:
    made = Leases()
    assert made.take_in([delivery("a"), delivery("a", 1)], 0) == [delivery("a")]
    made.give_out(1, [delivery("a")])
    assert made.settle(1, 0) == ["a.1"]


def test_what_comes_again_afterwards_is_acknowledged_at_once() -> None:
    made = held("a")
    made.settle(1, 1)
    assert made.take_in([delivery("a", 1)], 2) == []
    assert made.settle(1, 2) == ["a.1"]


def test_a_message_is_forgotten_after_10_minutes() -> None:
    made = held("a")
    made.settle(1, 1)
    later = 2 + REMEMBERED_S
    made.give_out(2, made.take_in([delivery("b")], later))
    made.settle(2, later)
    assert made.take_in([delivery("a", 1), delivery("b", 1)], later) == [delivery("a", 1)]


def test_no_more_ids_are_remembered_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "REMEMBERED", 3)
    made = held("x", "y")
    made.settle(1, 0)
    made.give_out(2, made.take_in([delivery("z"), delivery("v")], 0))
    made.settle(2, 0)
    assert made.take_in([delivery("x", 1), delivery("v", 1)], 0) == [delivery("x", 1)]


def test_a_lease_is_extended_before_it_ends_and_not_all_the_time() -> None:
    made = held("a")
    assert made.extend(0) == []
    assert made.extend(FIRST_LEASE_S / 2) == ["a.0"]
    assert made.extend(FIRST_LEASE_S) == []
    assert made.extend(LEASE_S) == ["a.0"]


def test_the_newest_delivery_is_the_one_that_is_leased() -> None:
    made = held("a")
    made.take_in([delivery("a", 1)], 20)
    assert made.extend(25) == ["a.1"]


def test_what_was_not_settled_is_given_up_whole() -> None:
    made = held("a")
    made.take_in([delivery("b")], 0)
    assert made.give_up() == ["a.0", "b.0"]
    assert (made.held, made.held_bytes) == (0, 0)
    assert made.settle(9, 0) == []


def test_what_is_no_record_is_acknowledged_and_not_held() -> None:
    made = Leases()
    made.answer([delivery("a")])
    assert made.held == 0
    assert made.settle(-1, 0) == ["a.0"]
    assert made.settle(-1, 0) == []


def test_what_another_reader_has_read_is_acknowledged_when_it_comes_again() -> None:
    made = Leases()
    made.expect(1, ["a", "b"])
    assert made.take_in([delivery("a", 1)], 0) == []
    assert made.extend(0) == []
    assert made.settle(1, 1) == ["a.1"]
    assert made.take_in([delivery("b", 1), delivery("c")], 2) == [delivery("c")]
    assert made.settle(1, 2) == ["b.1"]
    assert made.give_up() == ["c.0"]


def test_what_could_not_be_acknowledged_is_tried_again() -> None:
    made = held("a")
    made.owe(made.settle(1, 1))
    assert made.settle(1, 2) == ["a.0"]
