"""The emulator of Pub/Sub that other tests use."""

import os
import socket
from pathlib import Path

import emulator_process
import pytest
from emulator_process import NoEmulatorError

from pubsub_emulator import emulating


def test_it_is_there_within_the_block_and_gone_behind_it() -> None:
    with emulating() as service:
        assert os.environ["PUBSUB_EMULATOR_HOST"] == service.host
        host, _, port = service.host.partition(":")
        assert host == "127.0.0.1"
        socket.create_connection((host, int(port))).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_where_it_is_missing_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator_process, "_HOMES", (str(tmp_path),))
    monkeypatch.setattr(emulator_process.shutil, "which", lambda name, **_: f"{tmp_path}/x/{name}")
    with pytest.raises(NoEmulatorError, match="install google-cloud-cli-pubsub-emulator"):
        emulating().__enter__()
    monkeypatch.setattr(emulator_process.shutil, "which", lambda *_, **__: None)
    with pytest.raises(NoEmulatorError, match="java is not on this machine"):
        emulating().__enter__()
