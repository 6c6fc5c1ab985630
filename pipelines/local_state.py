"""The state of a stream's steps, held by the process that runs them.

An engine on this machine has state in memory and repeats no bundle: nothing it holds outlives its
one worker, which alone reads and writes it. So the worker keeps it: to ask for it, and to wait
until a change has arrived, took a third of the time of a small bundle.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from apache_beam.coders.coder_impl import create_InputStream, create_OutputStream
from apache_beam.runners.worker.sdk_worker import CachingStateHandler, StateHandlerFactory


@dataclass
class _Change:
    """What a bundle does to a bag: whether it empties it, and what it adds then."""

    cleared: bool = False
    added: list[bytes] = field(default_factory=list)


class _Done:
    """What need not be waited for."""

    def get(self) -> None:
        """Nothing comes of it."""


class LocalState(CachingStateHandler):
    """Bags of state by cell and key: all that steps keep is in bags, encoded.

    What a bundle changes holds once it has ended well. Takes as much memory as steps keep: how much
    that is, and when it is freed, is theirs to say.
    """

    def __init__(self) -> None:
        self._bags: dict[bytes, list[bytes]] = {}
        self._bundle = threading.local()

    @contextmanager
    def process_instruction_id(self, bundle_id: str, cache_tokens: Any) -> Iterator[None]:  # noqa: ARG002 - of a cache
        """Around a bundle, in its thread. Engines give a key to one bundle at a time."""
        changes: dict[bytes, _Change] = {}
        self._bundle.changes = changes
        yield
        for bag, change in changes.items():
            if change.cleared:
                self._bags.pop(bag, None)
            if change.added:
                self._bags.setdefault(bag, []).extend(change.added)

    def blocking_get(self, state_key: Any, coder: Any) -> Iterator[Any]:
        """What a bag has, with what this bundle did to it."""
        bag = _named(state_key)
        change = self._bundle.changes.get(bag, _Change())
        before = [] if change.cleared else self._bags.get(bag, [])
        encoded = [*before, *change.added]
        return (coder.decode_from_stream(create_InputStream(each), True) for each in encoded)  # noqa: FBT003 - Beam's

    def extend(self, state_key: Any, coder: Any, elements: Iterable[Any]) -> Any:
        """Adds to a bag."""
        change = self._changed(state_key)
        for element in elements:
            stream = create_OutputStream()
            coder.encode_to_stream(element, stream, True)  # noqa: FBT003 - Beam's
            change.added.append(stream.get())
        return _Done()

    def clear(self, state_key: Any) -> Any:
        """Empties a bag."""
        change = self._changed(state_key)
        change.cleared = True
        change.added.clear()
        return _Done()

    def done(self) -> None:
        """Frees everything: the worker ends."""
        self._bags.clear()

    def _changed(self, state_key: Any) -> _Change:
        changes: dict[bytes, _Change] = self._bundle.changes
        return changes.setdefault(_named(state_key), _Change())


class LocalStates(StateHandlerFactory):
    """Gives all steps of a worker the same state."""

    def __init__(self) -> None:
        self._state = LocalState()

    def create_state_handler(self, api_service_descriptor: Any) -> CachingStateHandler:  # noqa: ARG002 - the engine is not asked
        """The state."""
        return self._state

    def close(self) -> None:
        """Frees it."""
        self._state.done()


def _named(state_key: Any) -> bytes:
    """The name of a bag: the step, its cell, the window and the key."""
    if not state_key.HasField("bag_user_state"):
        kind = state_key.WhichOneof("type")
        raise NotImplementedError(f"steps on this machine keep bags and single values, no {kind}")
    name: bytes = state_key.SerializeToString(deterministic=True)
    return name
