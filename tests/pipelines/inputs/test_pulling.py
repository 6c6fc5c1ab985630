"""Messages are pulled once, kept until they are safe, and given back otherwise."""

from collections.abc import Iterator
from datetime import UTC, datetime

import grpc
import pytest
from pubsub_reader import ALWAYS, AT_ONCE_US, LONG_S, left, reading

from faulty_service import faulty
from pipelines.inputs.block import InputReadError
from pubsub_emulator import Emulator, emulating


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating() as running:
        yield running


def payloads(count: int) -> list[bytes]:
    return [b'{"n":%d}' % i for i in range(count)]


def test_all_messages_come_in_batches_that_are_not_too_large(service: Emulator) -> None:
    address = service.subscribe("all")
    service.publish(address, payloads(150))
    with reading(address, rows=100) as reader:
        reader.until("held", 150)
        sizes = [len(reader.pulling.take(AT_ONCE_US, LONG_S)) for _ in range(2)]
    assert sizes == [100, 50]


def test_a_batch_has_8_mib_at_most_unless_one_message_has_more(service: Emulator) -> None:
    address = service.subscribe("heavy")
    service.publish(address, [b"x" * 5_000_000, b"y" * 5_000_000, b"z" * 9_000_000])
    with reading(address) as reader:
        reader.until("held", 3)
        sizes = [len(reader.pulling.take(AT_ONCE_US, LONG_S)) for _ in range(3)]
    assert sizes == [1, 1, 1]


def test_messages_that_are_safe_are_gone_for_good(service: Emulator) -> None:
    address = service.subscribe("safe")
    service.publish(address, payloads(3))
    with reading(address) as reader:
        reader.take(3)
        reader.safe = ALWAYS
        reader.until("held", 0)
    assert not left(service, address, reader)


def test_messages_that_are_not_safe_are_given_back_at_the_end(
    service: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = service.subscribe("unsafe")
    service.publish(address, payloads(3))
    with faulty(service.host) as (host, calls):
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
        with reading(address) as reader:
            reader.take(3)
            assert not calls.calls["ModifyAckDeadline"]
        assert calls.calls["ModifyAckDeadline"] == 1
    assert service.pull_all(address, 3) == payloads(3)


def test_what_was_given_out_before_a_good_end_is_acknowledged(service: Emulator) -> None:
    address = service.subscribe("good")
    service.publish(address, payloads(3))
    with reading(address) as reader:
        reader.take(3)
        service.publish(address, [b"late"])
        reader.until("held", 4)
        reader.pulling.close(all_safe=True)
    assert (left(service, address, reader) or service.pull_all(address, 1)) == [b"late"]


def test_a_message_that_comes_again_while_it_is_held_is_not_taken_twice(
    service: Emulator,
) -> None:
    address = service.subscribe("again-held")
    since = datetime.now(UTC)
    service.publish(address, payloads(50))
    with reading(address) as reader:
        reader.take(50)
        service.deliver_again(address, since)
        reader.until("again", 50)
        assert reader.nothing_comes()
        reader.safe = ALWAYS
        reader.until("held", 0)
    assert not left(service, address, reader)


def test_a_message_that_comes_again_after_it_was_acknowledged_is_not_taken_twice(
    service: Emulator,
) -> None:
    address = service.subscribe("again-done")
    since = datetime.now(UTC)
    service.publish(address, payloads(50))
    with reading(address) as reader:
        reader.safe = ALWAYS
        reader.take(50)
        reader.until("held", 0)
        service.deliver_again(address, since)
        reader.until("again", 50)
        assert reader.nothing_comes()
    assert not left(service, address, reader)


def test_a_message_that_another_reader_gave_back_is_taken(service: Emulator) -> None:
    address = service.subscribe("returned")
    service.publish(address, payloads(2))
    received = service.pull(address)
    with reading(address) as reader:
        service.release(address, received)
        assert sorted(reader.take(2)) == payloads(2)


def test_a_message_whose_lease_another_reader_let_lapse_is_taken(service: Emulator) -> None:
    address = service.subscribe("lapsed")
    service.publish(address, payloads(2))
    service.release(address, service.pull(address), after_s=1)
    with reading(address) as reader:
        assert sorted(reader.take(2)) == payloads(2)


def test_the_same_event_published_twice_is_two_messages(service: Emulator) -> None:
    address = service.subscribe("twice")
    ids = service.publish(address, [b"{}", b"{}"])
    with reading(address) as reader:
        reader.take(2)
        assert sorted(each.id for each in reader.taken) == sorted(ids)


def test_white_space_is_acknowledged_and_not_taken(service: Emulator) -> None:
    address = service.subscribe("blank")
    service.publish(address, [b" \r\n", b"{}"])
    with reading(address) as reader:
        assert reader.take(1) == [b"{}"]
        reader.safe = ALWAYS
        reader.until("held", 0)
    assert not left(service, address, reader)


def test_what_is_given_back_comes_first(service: Emulator) -> None:
    address = service.subscribe("given-back")
    service.publish(address, payloads(3))
    with reading(address, rows=2) as reader:
        reader.until("held", 3)
        first = reader.pulling.take(AT_ONCE_US, LONG_S)
        reader.pulling.give_back(first)
        assert reader.pulling.take(AT_ONCE_US, LONG_S) == first


def test_after_a_stop_what_was_pulled_is_given_out_and_no_more(service: Emulator) -> None:
    address = service.subscribe("stopped")
    service.publish(address, payloads(30))
    with reading(address) as reader:
        reader.until("held", 30)
        reader.pulling.stop()
        service.publish(address, [b"late"])
        assert sorted(reader.take(30)) == sorted(payloads(30))
        assert reader.nothing_comes()
        reader.pulling.close(all_safe=True)
    assert service.pull_all(address, 1) == [b"late"]


def test_faults_of_the_service_that_pass_lose_nothing(
    service: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address = service.subscribe("faults")
    service.publish(address, payloads(20))
    with faulty(service.host) as (host, faults):
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
        codes = grpc.StatusCode
        faults.faults["Pull"].extend([codes.UNAVAILABLE, codes.DEADLINE_EXCEEDED, codes.INTERNAL])
        faults.faults["Acknowledge"].extend([codes.UNAVAILABLE, codes.DEADLINE_EXCEEDED])
        with reading(address) as reader:
            assert sorted(reader.take(20)) == sorted(payloads(20))
            reader.safe = ALWAYS
            reader.until("held", 0)
        assert not any(faults.faults.values())
    assert not left(service, address, reader)
    assert "trying again" in capsys.readouterr().err


def test_a_subscription_that_is_deleted_ends_the_reading(
    service: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.inputs.subscription._PATIENCE_S", 2.0)  # of a pull under way
    address = service.subscribe("deleted")
    with reading(address) as reader:
        service.unsubscribe(address)
        with pytest.raises(InputReadError, match=address):
            reader.take(1)


def test_no_more_is_pulled_than_can_be_held(
    service: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.inputs.pulling._HELD", 100)
    address = service.subscribe("room")
    service.publish(address, payloads(400))
    with reading(address) as reader:
        reader.take(100)
        assert reader.nothing_comes()
        assert not reader.pulling.idle
        reader.safe = ALWAYS
        assert sorted(reader.take(400)) == sorted(payloads(400))
