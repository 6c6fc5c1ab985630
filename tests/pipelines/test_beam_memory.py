"""What is remembered of Beam's answers is what Beam answers."""

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.coders import BytesCoder
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TypeOptions
from apache_beam.transforms import userstate
from apache_beam.transforms.userstate import BagStateSpec

from pipelines import beam_memory
from pipelines.beam_memory import Options, remember_specs
from transforms.deduplicate_live import FirstProcessed
from transforms.revise import Revise

LOOK = userstate.get_dofn_specs
BAG = BagStateSpec("bag", BytesCoder())


class Same(beam.DoFn):
    """One without state."""

    def process(self, element: Any) -> Iterator[Any]:
        yield element


def of_function(more: Any) -> beam.DoFn:
    class Owner:
        def method(self, element: Any, more: Any = more) -> list[Any]:
            return [element, more]

    return beam.core.CallableWrapperDoFn(Owner().method)


def bare(kind: type[beam.DoFn]) -> beam.DoFn:
    return kind.__new__(kind)


@pytest.fixture(autouse=True)
def beams_own(monkeypatch: pytest.MonkeyPatch) -> None:
    look = LOOK.look if isinstance(LOOK, beam_memory._OncePerClass) else LOOK  # noqa: SLF001 - ours
    monkeypatch.setattr(userstate, "get_dofn_specs", look)


def test_each_step_has_the_state_and_the_timers_that_beam_finds() -> None:
    steps = [bare(FirstProcessed), bare(Revise), Same()]
    steps += [of_function(5), of_function(beam.DoFn.StateParam(BAG)), of_function(6)]
    found = [userstate.get_dofn_specs(step) for step in steps]
    assert [bool(states) for states, _ in found] == [True, True, False, False, True, False]
    remember_specs()
    for _ in range(2):
        assert [userstate.get_dofn_specs(step) for step in steps] == found


def test_a_class_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[beam.DoFn] = []

    def look(dofn: beam.DoFn) -> Any:
        asked.append(dofn)
        return set(), set()

    monkeypatch.setattr(userstate, "get_dofn_specs", look)
    remember_specs()
    remember_specs()
    for step in (Same(), Same(), of_function(5), of_function(6)):
        userstate.get_dofn_specs(step)
    assert len(asked) == 2


def test_options_say_what_beams_own_say() -> None:
    given = ["--runner=PortableRunner", "--save_main_session", "--unknown=5"]
    ours, theirs = Options(given), PipelineOptions(given)
    assert ours.get_all_options() == theirs.get_all_options()
    assert ours.view_as(StandardOptions).runner == "PortableRunner"


def test_a_view_shows_what_was_changed_in_another() -> None:
    options = Options(["--runner=PortableRunner"])
    first = options.view_as(StandardOptions)
    first.view_as(StandardOptions).runner = "PrismRunner"
    assert first.runner == options.view_as(StandardOptions).runner == "PrismRunner"
    options.view_as(TypeOptions).pipeline_type_check = False
    assert not options.get_all_options()["pipeline_type_check"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])  # noqa: S301 - ours
def test_a_copy_has_values_of_its_own(copied: Any) -> None:
    options = Options(["--runner=PortableRunner"])
    options.view_as(StandardOptions).streaming = True
    other = copied(options)
    other.view_as(StandardOptions).runner = "PrismRunner"
    assert other.view_as(StandardOptions).streaming
    assert options.view_as(StandardOptions).runner == "PortableRunner"
