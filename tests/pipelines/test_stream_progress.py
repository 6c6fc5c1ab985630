"""What a stream's user is told when the engine lost state of it."""

from collections.abc import Iterator

import pytest

from pipelines import read_pubsub, stream_progress
from pipelines.read_pubsub import PubSubProgress
from pipelines.stream_progress import Observer
from transforms.held_state import HELD
from transforms.live_totals import LIVE_TOTALS


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """All that the user is told."""
    texts: list[str] = []
    monkeypatch.setattr(stream_progress, "notify", lambda text, _level: texts.append(text))
    monkeypatch.setattr(HELD, "reloaded", HELD.reloaded)
    yield texts
    LIVE_TOTALS.reset()


def lose_state(observer: Observer) -> None:
    observer()
    HELD.reloaded += 1
    observer()
    observer()


def test_the_alarm_is_told_once_for_each_loss(told: list[str]) -> None:
    observer = Observer()
    observer()
    assert told == []
    lose_state(observer)
    assert len(told) == 1
    lose_state(observer)
    assert len(told) == 2


def test_a_stream_of_files_is_to_be_gone_on_with(told: list[str]) -> None:
    lose_state(Observer())
    assert "ALARM" in told[0]
    assert "--run-id" in told[0]


def test_a_stream_of_messages_which_cannot_be_gone_on_with_is_to_be_metered_anew(
    told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_pubsub, "progress", lambda: PubSubProgress(0, 0, None, 0))
    lose_state(Observer())
    assert "ALARM" in told[0]
    assert "--run-id" not in told[0]
    assert "a new run" in told[0]
    assert "a batch run over the output" in told[0]
