"""A step does no more work for an event than it did: in figures that no other program moves.

They are compared with those in counts.json; `make record-counts` writes that anew.
"""

import pytest
from counted.areas import AREAS, figures
from counted.recorded import PYTHON, Recorded, differences


@pytest.mark.parametrize("area", AREAS)
def test_no_step_does_more_than_is_recorded(area: str) -> None:
    found = list(Recorded.read().differences(area, figures(area)))
    assert not found, "\n".join(["counts differ from those in tests/counts.json:", *found])


def test_a_figure_that_grows_or_shrinks_is_told_with_its_step() -> None:
    before = {"Price": {"bytes": 100.0, "calls": 10.0, "gone": 1.0}}
    now = {"Price": {"bytes": 104.0, "calls": 9.0, "new": 2.0}}
    told = [line.split(";")[0] for line in differences("batch", before, now)]
    assert told == [
        "batch: Price: bytes: 104, but 100 is recorded (+4.0%): the step does more than it did",
        "batch: Price: calls: 9, 10 is recorded (-10.0%): better",
        "batch: Price: gone: is gone (1)",
        "batch: Price: new: is new (2)",
    ]


def test_a_figure_that_hardly_moves_is_not_told() -> None:
    before = {"Price": {"bytes": 100.0, "instructions": 0.0}}
    assert not list(differences("batch", before, {"Price": {"bytes": 100.9, "instructions": 0.4}}))


def test_figures_of_another_python_are_left_out() -> None:
    before = {"start": {"modules loaded": 900.0, "bytes": 10.0}}
    now = {"start": {"modules loaded": 990.0, "bytes": 20.0}}
    told = {
        python: len(list(Recorded(python, {"command": before}).differences("command", now)))
        for python in (PYTHON, "2.7")
    }
    assert told == {PYTHON: 2, "2.7": 1}
