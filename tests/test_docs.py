"""The commands and files that README and docs show are real."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.command import main

ROOT = Path(__file__).parent.parent
FILE = re.compile(r"<!-- file: (\S+) -->\n```\w*\n(.*?)```", re.DOTALL)
COMMANDS = re.compile(r"<!-- run -->\n```\w*\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def shown(page: Path) -> list[str]:
    return [line for block in COMMANDS.findall(page.read_text()) for line in block.splitlines()]


def invoke(line: str) -> str:
    words = shlex.split(line, comments=True)
    assert words[0] == "meterbeam"
    done = CliRunner().invoke(main, words[1:])
    assert done.exit_code == 0, (line, done.output)
    return done.output


@pytest.mark.parametrize("page", [p for p in PAGES if shown(p)], ids=lambda page: page.name)
def test_the_commands_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in FILE.findall(page.read_text()):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    for line in shown(page):
        assert invoke(line)


def test_the_five_minutes_of_the_readme_end_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in FILE.findall((ROOT / "README.md").read_text()):
        (tmp_path / name).write_text(content)
    outputs = [invoke(line) for line in shown(ROOT / "README.md")]
    assert "0.00003005" in outputs[2]
    assert "300.5" in outputs[2]
    assert "bad_timestamp" in outputs[3]
    assert "true" in outputs[4].lower()
    assert "false" not in outputs[4].lower()


def test_the_readme_shows_what_the_demo_prints() -> None:
    printed = (ROOT / "examples/azure-llm-2023/demo-output.txt").read_text()
    rows = re.findall(r"^  code .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert rows
    assert all(row in printed for row in rows)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
