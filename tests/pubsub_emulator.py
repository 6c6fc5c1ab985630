"""The Pub/Sub emulator of the Google Cloud SDK, and what a test does with it."""

import os
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import grpc
from emulator_process import emulator_process
from google.cloud.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.publisher import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

PROJECT = "meterbeam-test"
_VARIABLE = "PUBSUB_EMULATOR_HOST"
_MESSAGES, _BYTES = 1000, 5_000_000  # of one request to publish


@dataclass(frozen=True)
class Emulator:
    """An emulator at `host`: an address and a port."""

    host: str

    def subscribe(self, name: str, *, deadline_s: int = 10, **how: Any) -> str:
        """The address of a new subscription, to a topic of its own, of the same name.

        Messages are leased for `deadline_s` seconds unless they are acknowledged.
        """
        topic = f"projects/{PROJECT}/topics/{name}"
        with _publisher(self.host) as publisher, _subscriber(self.host) as subscriber:
            publisher.create_topic(request={"name": topic})
            asked = {"name": _full(name), "topic": topic, "ack_deadline_seconds": deadline_s}
            subscriber.create_subscription(request=asked | {"retain_acked_messages": True} | how)
        return f"pubsub://{PROJECT}/{name}"

    def unsubscribe(self, address: str) -> None:
        """Delete a subscription."""
        with _subscriber(self.host) as subscriber:
            subscriber.delete_subscription(request={"subscription": _full(_name(address))})

    def publish(self, address: str, payloads: Iterable[bytes]) -> list[str]:
        """Publish to the topic of a subscription, in this order; gives the messages' ids."""
        topic = f"projects/{PROJECT}/topics/{_name(address)}"
        ids: list[str] = []
        with _publisher(self.host) as publisher:
            for some in _requests(payloads):
                messages = [{"data": each} for each in some]
                answer = publisher.publish(request={"topic": topic, "messages": messages})
                ids.extend(answer.message_ids)
        return ids

    def deliver_again(self, address: str, since: datetime) -> None:
        """Have all messages delivered anew that were published since, acknowledged or not.

        They keep their ids, as in any redelivery. All that were published before are taken for
        acknowledged, so none of them may still wait. (The emulator's times are milliseconds.)
        """
        with _subscriber(self.host) as subscriber:
            subscriber.seek(request={"subscription": _full(_name(address)), "time": since})

    def void_leases(self, address: str, deliveries: Iterable[int]) -> None:
        """Have those of these deliveries delivered again that were not acknowledged yet.

        Deliveries are counted from 1, as the emulator numbers them, those made again too.
        """
        name = _full(_name(address))
        ids = [f"{name}:{each}" for each in deliveries]
        with _subscriber(self.host) as subscriber:
            request = {"subscription": name, "ack_ids": ids, "ack_deadline_seconds": 0}
            subscriber.modify_ack_deadline(request=request)

    def pull(self, address: str, most: int = 1000) -> list[Any]:
        """What another reader would get now: messages neither acknowledged nor leased."""
        with _subscriber(self.host) as subscriber, warnings.catch_warnings():
            # where there are none the emulator would wait for as long as the caller does
            warnings.simplefilter("ignore", DeprecationWarning)
            asked = {"max_messages": most, "return_immediately": True}
            answer = subscriber.pull(request=asked | {"subscription": _full(_name(address))})
            return list(answer.received_messages)

    def pull_all(self, address: str, count: int, within_s: float = 60.0) -> list[bytes]:
        """The payloads of so many messages that another reader gets, sorted; or all that come.

        A pull that ended while it waited may have taken messages along: they come again when their
        lease is over.
        """
        beat, end = threading.Event(), time.monotonic() + within_s
        found: list[bytes] = []
        while len(found) < count and time.monotonic() < end:
            found += [each.message.data for each in self.pull(address)]
            beat.wait(0.01)
        return sorted(found)

    def release(self, address: str, received: Sequence[Any], after_s: int = 0) -> None:
        """Give back what was pulled: it is delivered again, at once or when the lease is over.

        What was acknowledged is not.
        """
        ids = [each.ack_id for each in received]
        with _subscriber(self.host) as subscriber:
            asked = {"ack_ids": ids, "ack_deadline_seconds": after_s}
            request = asked | {"subscription": _full(_name(address))}
            subscriber.modify_ack_deadline(request=request)


@contextmanager
def emulating() -> Iterator[Emulator]:
    """An emulator that this process, and those it starts, take for the service.

    See `emulator_process`.
    """
    before = os.environ.get(_VARIABLE)
    with emulator_process() as host:
        os.environ[_VARIABLE] = host
        try:
            yield Emulator(host)
        finally:
            del os.environ[_VARIABLE]
            if before is not None:
                os.environ[_VARIABLE] = before


def _name(address: str) -> str:
    return address.rpartition("/")[2]


def _full(name: str) -> str:
    return f"projects/{PROJECT}/subscriptions/{name}"


@contextmanager
def _publisher(host: str) -> Iterator[PublisherClient]:
    with grpc.insecure_channel(host) as channel:
        yield PublisherClient(transport=PublisherGrpcTransport(channel=channel))


@contextmanager
def _subscriber(host: str) -> Iterator[SubscriberClient]:
    sizes = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(host, options=sizes) as channel:
        yield SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))


def _requests(payloads: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Payloads in pieces that one request may hold."""
    some: list[bytes] = []
    size = 0
    for payload in payloads:
        if some and (len(some) == _MESSAGES or size + len(payload) > _BYTES):
            yield some
            some, size = [], 0
        some.append(payload)
        size += len(payload)
    if some:
        yield some
