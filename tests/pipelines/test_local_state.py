"""State in the worker: a bundle sees what ended well before it, and no engine is asked."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.coders import BytesCoder, VarIntCoder
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_fn_api_pb2 as api
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engine import run_graph
from pipelines.local_state import LocalState
from pipelines.prism import get_prism

NONE = PipelineOptions([])
CODER = BytesCoder().get_impl()
CELLS = ("recent", "older")
BAGS = [(cell, key) for cell in CELLS for key in (b"a", b"b")]
SEEN: dict[str, list[tuple[int, int, int]]] = {}
THREADS: set[threading.Thread] = set()


def name(bag: tuple[str, bytes]) -> api.StateKey:
    cell, key = bag
    named = api.StateKey.BagUserState(transform_id="step", user_state_id=cell, key=key)
    return api.StateKey(bag_user_state=named)


@contextmanager
def bundle(state: LocalState) -> Iterator[None]:
    with state.process_instruction_id("1", []):
        yield


def content(state: LocalState, bag: tuple[str, bytes]) -> list[bytes]:
    return [*state.blocking_get(name(bag), CODER)]


STEPS = st.tuples(st.sampled_from(BAGS), st.none() | st.lists(st.binary(max_size=3), max_size=3))
BUNDLES = st.lists(st.tuples(st.lists(STEPS, max_size=6), st.booleans()), max_size=6)


@given(BUNDLES)
def test_bags_hold_what_bundles_that_ended_well_left_and_a_bundle_sees_its_own(
    bundles: list[tuple[list[tuple[tuple[str, bytes], Sequence[bytes] | None]], bool]],
) -> None:
    state = LocalState()
    stored: dict[tuple[str, bytes], list[bytes]] = {bag: [] for bag in BAGS}

    def do(steps: list[tuple[tuple[str, bytes], Sequence[bytes] | None]], *, well: bool) -> None:
        now = {bag: [*each] for bag, each in stored.items()}
        with bundle(state):
            for bag, added in steps:
                if added is None:
                    state.clear(name(bag)).get()
                    now[bag] = []
                else:
                    state.extend(name(bag), CODER, added).get()
                    now[bag] += added
                assert {each: content(state, each) for each in BAGS} == now
            if not well:
                raise ZeroDivisionError
        stored.update(now)

    for steps, well in bundles:
        if well:
            do(steps, well=True)
        else:
            with pytest.raises(ZeroDivisionError):
                do(steps, well=False)
        with bundle(state):
            assert {bag: content(state, bag) for bag in BAGS} == stored


def test_bundles_in_two_threads_change_their_own_keys() -> None:
    state = LocalState()
    both = threading.Barrier(2, timeout=10)

    def work(key: bytes) -> None:
        for _ in range(50):
            with bundle(state):
                both.wait()
                state.extend(name(("recent", key)), CODER, [key])
                both.wait()

    threads = [threading.Thread(target=work, args=(key,)) for key in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with bundle(state):
        assert content(state, ("recent", b"a")) == [b"a"] * 50
        assert content(state, ("recent", b"b")) == [b"b"] * 50


def test_what_was_cleared_takes_no_room() -> None:
    state = LocalState()
    with bundle(state):
        state.extend(name(BAGS[0]), CODER, [b"1"])
    with bundle(state):
        state.clear(name(BAGS[0]))
    assert not state._bags  # noqa: SLF001 - nothing is left of it


def test_a_step_that_keeps_anything_but_bags_is_told_so() -> None:
    state = LocalState()
    other = api.StateKey(multimap_user_state=api.StateKey.MultimapUserState(key=b"a"))
    with bundle(state), pytest.raises(NotImplementedError, match="no multimap_user_state"):
        state.blocking_get(other, CODER)


class Keep(beam.DoFn):
    """Each number with how many came before it of its key, and the sum of those."""

    BEFORE = BagStateSpec("before", VarIntCoder())
    SUM = ReadModifyWriteStateSpec("sum", VarIntCoder())

    def process(
        self,
        element: tuple[str, int],
        before: Any = beam.DoFn.StateParam(BEFORE),
        total: Any = beam.DoFn.StateParam(SUM),
    ) -> None:
        key, number = element
        SEEN.setdefault(key, []).append((number, len([*before.read()]), total.read() or 0))
        before.add(number)
        total.write((total.read() or 0) + number)
        THREADS.update(threading.enumerate())


def test_steps_on_prism_keep_state_by_key_without_asking_it() -> None:
    def build(pipeline: beam.Pipeline) -> None:
        rows = [(key, number) for number in range(20) for key in "ab"]
        _ = pipeline | beam.Create(rows) | beam.ParDo(Keep())

    SEEN.clear()
    THREADS.clear()
    before = {*threading.enumerate()}
    assert run_graph(build, NONE, lambda: None, get_prism(NONE)) == "DONE"
    for key in "ab":
        numbers = [number for number, _, _ in SEEN[key]]
        assert sorted(numbers) == [*range(20)]
        assert [count for _, count, _ in SEEN[key]] == [*range(20)]
        assert [total for _, _, total in SEEN[key]] == [sum(numbers[:i]) for i in range(20)]
    begun = {thread.name for thread in THREADS - before}
    assert "read_grpc_client_inputs" in begun
    assert "read_state" not in begun  # who asks an engine for state has this thread
