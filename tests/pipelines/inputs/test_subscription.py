"""What a user may name as a subscription, and what is said of one that cannot be read."""

import time
from collections.abc import Iterator

import grpc
import pytest

from faulty_service import faulty
from pipelines.inputs.subscription import Service, check_subscription, find_subscription
from pipelines.problems import UserError
from pubsub_emulator import PROJECT, Emulator, emulating


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating() as running:
        yield running


def problem(address: str) -> str:
    with pytest.raises(UserError) as refused:
        check_subscription(address)
    return str(refused.value)


@pytest.mark.parametrize("address", ["pubsub://p/abc", "pubsub://example.com:my-1/a-._~+%Z"])
def test_a_subscription_is_named_by_project_and_name(address: str) -> None:
    assert find_subscription(address) == address


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("pubsub://", "a subscription is named as pubsub://project/subscription"),
        ("pubsub://p", "a subscription is named as pubsub://project/subscription"),
        ("pubsub:///sub", "a subscription is named as pubsub://project/subscription"),
        ("pubsub:p/sub", "a subscription is named as pubsub://project/subscription"),
        ("pubsub://projects/p1/subscriptions/sub", "write pubsub://p1/sub"),
        ("pubsub://p/sub/x", "as pubsub://project/subscription"),
        ("pubsub://My Project/sub", "My Project is no id of a project"),
        ("pubsub://p/ab", "ab is no name of a subscription"),
        ("pubsub://p/1ab", "1ab is no name of a subscription"),
        ("pubsub://p/google", "google is no name of a subscription"),
        ("pubsub://p/sub?x=1", "no name of a subscription"),
        ("pubsub://p/" + "a" * 256, "no name of a subscription"),
    ],
)
def test_a_wrong_name_is_told_from_a_right_one(address: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        find_subscription(address)
    assert str(refused.value).startswith(f"{address}: ")
    assert said in str(refused.value)


def test_a_subscription_that_is_there_can_be_read_and_loses_no_message(service: Emulator) -> None:
    address = service.subscribe("there")
    service.publish(address, [b"{}"])
    check_subscription(address)
    assert len(service.pull(address)) == 1


def test_a_subscription_that_is_not_there_is_named_with_the_emulator(service: Emulator) -> None:
    said = problem(f"pubsub://{PROJECT}/missing")
    assert said.startswith(f"pubsub://{PROJECT}/missing: there is no such subscription")
    assert service.host in said


def test_one_that_pushes_its_messages_cannot_be_read(service: Emulator) -> None:
    push = {"push_config": {"push_endpoint": "http://127.0.0.1:9/"}}
    assert "sent elsewhere" in problem(service.subscribe("pushed", **push))


def test_what_is_not_allowed_is_said(service: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    address = service.subscribe("forbidden")
    with faulty(service.host) as (host, faults):
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
        for method in ("GetSubscription", "TestIamPermissions"):
            faults.faults[method].append(grpc.StatusCode.PERMISSION_DENIED)
        assert problem(address) == f"{address}: not allowed: made to fail"


def test_a_short_fault_of_the_service_is_waited_out(
    service: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = service.subscribe("shaky")
    with faulty(service.host) as (host, faults):
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
        faults.faults["GetSubscription"].extend([grpc.StatusCode.UNAVAILABLE] * 2)
        check_subscription(address)
        assert faults.calls["GetSubscription"] == 3


def test_a_service_that_is_not_there_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.inputs.subscription._CHECK_S", 0.5)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    said = problem(f"pubsub://{PROJECT}/unreachable")
    assert "cannot be reached (at 127.0.0.1:1, which PUBSUB_EMULATOR_HOST names)" in said


def test_without_an_emulator_missing_credentials_are_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    assert "/nowhere.json" in problem(f"pubsub://{PROJECT}/no-credentials")


def test_an_answer_may_be_as_large_as_messages_are(service: Emulator) -> None:
    address = service.subscribe("large")
    service.publish(address, [b"x" * 9_500_000])
    reading = Service(address)
    try:
        assert [len(each.data) for each in reading.pull()] == [9_500_000]
    finally:
        reading.close()


def test_fewer_messages_are_asked_for_where_they_are_large(service: Emulator) -> None:
    address = service.subscribe("several-large")
    reading = Service(address)
    try:
        service.publish(address, [b"x" * 9_000_000])
        assert len(reading.pull()) == 1
        service.publish(address, [b"x" * 9_000_000] * 2)
        assert [len(reading.pull()) for _ in range(2)] == [1, 1]
        service.publish(address, [b"x"])
        assert len(reading.pull()) == 1
        service.publish(address, [b"x"] * 50)
        assert len(reading.pull()) == 50
    finally:
        reading.close()


def test_a_pull_ends_when_it_is_closed(service: Emulator) -> None:
    address = service.subscribe("closed")
    reading = Service(address)
    reading.close()
    with pytest.raises(ValueError, match="closed"):
        reading.pull()


def test_when_a_message_was_published_is_known_to_the_microsecond(service: Emulator) -> None:
    address = service.subscribe("timed")
    before_us = time.time_ns() // 1000
    ids = service.publish(address, [b"{}"])
    reading = Service(address)
    try:
        (message,) = reading.pull()
    finally:
        reading.close()
    assert message.id == ids[0]
    # the emulator's clock has whole milliseconds
    assert before_us - 1000 <= message.published_us <= time.time_ns() // 1000
