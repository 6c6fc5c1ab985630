"""Nothing of an event, and no secret, is in what the command writes to standard error."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from log_desk import assert_run, batch, lines, prepared, said, streaming
from terminal import HERE, PATHS

from runs_desk import event

CANARY = "c4n4ry"
# each has the canary where a reader stumbles over it
HOSTILE = [
    f"{CANARY}",
    f'{{"id": "{CANARY}"',
    f'["{CANARY}"]',
    f'{{"{CANARY}": 1, "{CANARY}": 2}}',
    event(1, CANARY),
    event(2, f"1e{CANARY}"),
    event(3, "9" * 400 + CANARY),
    event(4, {CANARY: CANARY}),
    event(5, [CANARY]),
    event(6, 5, customer_id=CANARY),
    event(6, 6, customer_id=CANARY),  # a conflict
    event(7, 5, timestamp=CANARY),
    event(8, 5, timestamp=f"9999-12-31T23:59:59Z{CANARY}"),
    event(9, 5, timestamp="9999-12-31T23:59:59Z", customer_id=CANARY),
    event(10, 5, id=[CANARY]),
    event(11, 5, customer_id={CANARY: 1}),
    event(12, 5, event_type=CANARY * 60),
    event(13, 5, properties={"tokens": 5, "model": {CANARY: 1}}),
    event(14, 5, properties={"tokens": 10**19, "model": CANARY}),
    event(15, 5, properties={"model": CANARY}),
    event(16, 5, properties=CANARY),
    event(17, 5, metadata=f"{CANARY}"),
    event(18, 5, deep=json.loads("[" * 400 + f'"{CANARY}"' + "]" * 400)),
    event(19, 5, pad=CANARY * 200_000),
    '{"id":"\\ud800' + CANARY + '"}',
]
CELLS = f"""\
id,event_type,customer_id,timestamp,properties
1,llm,{CANARY},2026-01-15T10:30:00Z,"{{""tokens"": ""{CANARY}""}}"
2,llm,{CANARY},{CANARY},{CANARY}
3,llm,c,2026-01-15T10:30:00Z,"{{""tokens"": {CANARY}}}",{CANARY},{CANARY}
4,"{CANARY}"{CANARY}
5,llm,"{CANARY}
"""
BYTES = b"".join(each.encode() + b"\n" for each in HOSTILE) + b"\xff" + CANARY.encode() + b"\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return prepared(tmp_path)


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """An environment with secrets: a token, and a file of credentials."""
    key = {"type": "authorized_user", "refresh_token": CANARY, "client_secret": CANARY}
    (tmp_path / "key.json").write_text(json.dumps(key))
    credentials = str(tmp_path / "key.json")
    return {"ACCESS_TOKEN": CANARY, "GOOGLE_APPLICATION_CREDENTIALS": credentials}


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("command", [batch, streaming])
def test_nothing_of_an_event_or_a_secret_is_said(
    folder: Path, secrets: dict[str, str], command: Any, form: str
) -> None:
    for path in (folder / "events.ndjson", folder / "in" / "a.ndjson"):
        path.write_bytes(BYTES)
    (folder / "cells.csv").write_text(CELLS)
    given = command(folder, "--verbose", "--log-format", form, "--rates", folder / "rates.csv")
    given += ["--input", folder / "cells.csv"] if command is batch else []
    text = said(given, **secrets)
    assert text
    assert CANARY not in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_dataset_whose_credentials_are_no_good_does_not_show_them(
    folder: Path, secrets: dict[str, str], form: str
) -> None:
    given = ["--log-format", form, "--verbose", "--output", "bigquery://p.d"]
    text = said(batch(folder, *given), fails=2, **secrets)
    assert "bigquery://p.d" in text
    assert CANARY not in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_password_in_an_address_is_not_said(folder: Path, form: str) -> None:
    place = f"http://me:{CANARY}@127.0.0.1:1/prism.zip"
    given = ["--verbose", "--log-format", form, "--prism_location", place]
    text = said(streaming(folder, *given), fails=2)
    assert "http://127.0.0.1:1/prism.zip" in text
    assert CANARY not in text


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("where", ["here", "prism"])
def test_a_step_that_fails_on_a_record_does_not_quote_it(where: str, form: str) -> None:
    done = subprocess.run(
        [sys.executable, HERE / "failing_step.py", where, form, CANARY],
        capture_output=True,
        text=True,
        check=False,
        env=PATHS,
    )
    assert done.returncode == 1, done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert "run live failed: ArrowInvalid at pipelines/failing_step.py:" in done.stderr
    if form == "json":
        found = lines(done.stderr)
        assert_run(found, "live")
        assert any("ArrowInvalid" in each.get("exception", "") for each in found)
        steps = [each.get("step") for each in found if "exception" in each]
        assert "a step" in steps
