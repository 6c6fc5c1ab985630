"""A Pub/Sub subscription: its name, whether it can be read, and the calls to it.

`PUBSUB_EMULATOR_HOST` names an emulator to be used in place of the service; nobody is asked for
credentials then.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.api_core import exceptions, retry
from google.auth.exceptions import GoogleAuthError
from google.cloud.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import PullResponse

from pipelines.inputs.messages import Message
from pipelines.problems import UserError

SCHEME = "pubsub://"
_FORM = f"{SCHEME}project/subscription"
_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:-]*")
_NAME = re.compile(r"(?!goog)[A-Za-z][\w.~+%-]{2,254}", re.ASCII)
_CONSUME = "pubsub.subscriptions.consume"

_PULLED, _PULLED_BYTES = 1000, 16 << 20  # an answer has about so much at most
_IDS = 1000  # ids of deliveries in a request, which may have 512 KiB
_PATIENCE_S = 30.0  # how long a pull waits for messages
_CHECK_S, _CALL_S = 10.0, 30.0


def find_subscription(address: str) -> str:
    """The address of a subscription, if it is one: `pubsub://project/subscription`.

    Raises UserError, which names what is wrong with it.
    """
    project, _, name = address.removeprefix(SCHEME).partition("/")
    if not address.startswith(SCHEME) or not project or not name:
        raise UserError(f"{address}: a subscription is named as {_FORM}")
    if "/" in name:
        parts = name.split("/")
        known = project == "projects" and len(parts) == 3 and parts[1] == "subscriptions"  # noqa: PLR2004
        hint = f"; write {SCHEME}{parts[0]}/{parts[2]}" if known else f", as {_FORM}"
        raise UserError(f"{address}: a subscription is named by its project and its name{hint}")
    if not _PROJECT.fullmatch(project):
        raise UserError(f"{address}: {project} is no id of a project")
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{address}: {name} is no name of a subscription; these are 3 to 255 letters, digits"
            " and -._~+%, begin with a letter, and not with goog"
        )
    return address


def name_of(address: str) -> str:
    """The service's name for the subscription at an address."""
    project, name = address.removeprefix(SCHEME).split("/")
    return f"projects/{project}/subscriptions/{name}"


def check_subscription(address: str) -> None:
    """Asks the service whether messages can be pulled. Takes none.

    Raises UserError where the subscription is not there or not to be pulled from, where that is not
    allowed, and where the service cannot be reached within 10 seconds.
    """
    where = f" (at {_emulator()}, which PUBSUB_EMULATOR_HOST names)" if _emulator() else ""
    try:
        service = Service(address)
        try:
            problem = service.problem()
        finally:
            service.close()
    except exceptions.NotFound as error:
        raise UserError(f"{address}: there is no such subscription{where}") from error
    except (exceptions.Forbidden, exceptions.Unauthenticated) as error:
        raise UserError(f"{address}: not allowed: {error.message}") from error
    except exceptions.RetryError as error:
        raise UserError(f"{address}: Pub/Sub cannot be reached{where}: {error.cause}") from error
    except (exceptions.GoogleAPICallError, GoogleAuthError, ValueError) as error:
        raise UserError(f"{address}: cannot be read{where}: {error}") from error
    if problem:
        raise UserError(f"{address}: {problem}")


@dataclass
class Service:
    """The calls to a subscription, from any thread; each list of ids goes out in as many as needed.

    What may pass is tried again: by `pull` until it does, with `on_trouble` told each time; by the
    others for 30 seconds, then they raise, as for what does not pass.
    """

    address: str
    on_trouble: Callable[[Exception], None] = lambda _: None

    def __post_init__(self) -> None:
        self._name = name_of(self.address)
        self._client = _client()
        self._most = _PULLED

    def problem(self) -> str | None:
        """Why messages cannot be pulled, if so."""
        how = {"retry": _retry(_CHECK_S), "timeout": _CHECK_S}
        try:
            found = self._client.get_subscription(request={"subscription": self._name}, **how)
        except exceptions.PermissionDenied:  # who may pull need not be allowed to look
            asked = {"resource": self._name, "permissions": [_CONSUME]}
            allowed = self._client.test_iam_permissions(request=asked, **how).permissions
            return None if _CONSUME in allowed else f"not there, or {_CONSUME} is not granted"
        if found.push_config.push_endpoint or _exports(found):
            return "its messages are sent elsewhere; take a subscription that is pulled from"
        if found.detached:
            return "is detached from its topic"
        return None

    def pull(self) -> list[Message]:
        """Messages as soon as there are some; none after a time. For one thread.

        Holds an answer: 1000 messages, or about 16 MiB of such as came before.
        """
        request = {"subscription": self._name, "max_messages": self._most}
        how = {"retry": _retry(None, self.on_trouble), "timeout": _PATIENCE_S}
        try:
            answer = self._client.pull(request=request, **how)
        except exceptions.DeadlineExceeded:
            return []
        # the bare message: its wrapper costs more than all the rest
        messages = [_message(each) for each in PullResponse.pb(answer).received_messages]
        size = sum(len(each.data) for each in messages)
        if size:
            self._most = max(1, min(_PULLED, _PULLED_BYTES * len(messages) // size))
        return messages

    def acknowledge(self, ack_ids: Sequence[str], within_s: float = _CALL_S) -> None:
        """Never deliver these again."""
        for some in _pieces(ack_ids):
            request = {"subscription": self._name, "ack_ids": some}
            self._client.acknowledge(request=request, retry=_retry(within_s), timeout=within_s)

    def extend(self, ack_ids: Sequence[str], lease_s: float, within_s: float = _CALL_S) -> None:
        """Lease these for so many whole seconds from now; none delivers them again at once."""
        for some in _pieces(ack_ids):
            asked = {"ack_ids": some, "ack_deadline_seconds": int(lease_s)}
            request = {"subscription": self._name, **asked}
            how = {"retry": _retry(within_s), "timeout": within_s}
            self._client.modify_ack_deadline(request=request, **how)

    def close(self) -> None:
        """End all calls, also those under way, which raise."""
        self._client.close()


def _emulator() -> str | None:
    return os.environ.get("PUBSUB_EMULATOR_HOST") or None


def _client() -> Any:
    emulator = _emulator()
    if emulator is None:
        return SubscriberClient()
    # the library's own channel to an emulator takes no answer of over 4 MiB
    sizes = [("grpc.max_receive_message_length", -1)]
    channel = grpc.insecure_channel(emulator, options=sizes)
    return SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))


def _retry(within_s: float | None, on_trouble: Callable[[Exception], None] | None = None) -> Any:
    """The client library's retry of what may pass; a deadline is not, as pulls end with one."""
    passing = (
        exceptions.Aborted,
        exceptions.InternalServerError,
        exceptions.ResourceExhausted,
        exceptions.ServiceUnavailable,
        exceptions.Unknown,
    )
    kinds = passing if within_s is None else (*passing, exceptions.DeadlineExceeded)
    return retry.Retry(
        predicate=retry.if_exception_type(*kinds),
        initial=0.1,
        maximum=5.0,
        multiplier=1.5,
        timeout=within_s,
        on_error=on_trouble,
    )


def _exports(found: Any) -> bool:
    """Whether a subscription writes to a table or a bucket."""
    configs = (found.bigquery_config.table, found.cloud_storage_config.bucket)
    return any(configs)


def _message(received: Any) -> Message:
    message, at = received.message, received.message.publish_time
    published_us = at.seconds * 1_000_000 + at.nanos // 1000
    return Message(message.message_id, received.ack_id, message.data, published_us)


def _pieces(ack_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ack_ids), _IDS):
        yield ack_ids[start : start + _IDS]
