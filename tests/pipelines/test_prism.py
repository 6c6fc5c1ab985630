"""Which Prism is run, and that none is found says what to do."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.prism_runner import PrismJobServer

from pipelines import build_prism, notices
from pipelines.build_prism import MODULE, PROGRAM, VERSION, BuildError, Change, built_prism
from pipelines.prism import find_prism, get_prism
from pipelines.problems import UserError

NONE = PipelineOptions([])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Prism, and without a network."""
    for name in ("METERBEAM_PRISM", "XDG_CACHE_HOME", "GOBIN", "GOPATH", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setattr(PrismJobServer, "BIN_CACHE", str(tmp_path / "beam"))
    return tmp_path


@pytest.fixture
def told() -> Iterator[list[str]]:
    texts: list[str] = []
    notices.taken_by(texts.append)
    yield texts
    notices.given_back()


def binary(path: Path, version: str = VERSION, program: str = PROGRAM) -> Path:
    """A program that says of itself what Go's linker writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"\x7fELF\0path\t{program}\nmod\t{MODULE}\t{version}\th1:x\n".encode())
    path.chmod(0o755)
    return path


def at(option: object) -> PipelineOptions:
    return PipelineOptions([f"--prism_location={option}"])


def test_the_one_that_is_named_goes_before_all_others(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary(built_prism())
    by_environment, by_option = binary(home / "environment"), binary(home / "option")
    monkeypatch.setenv("METERBEAM_PRISM", str(by_environment))
    assert find_prism(NONE) == by_environment
    assert find_prism(at(by_option)) == by_option


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("", f".cache/meterbeam/prism-{VERSION}"),
        ("PATH", "p/prism"),
        ("GOBIN", "p/prism"),
        ("GOPATH", "p/bin/prism"),
        ("", "go/bin/prism"),
    ],
)
def test_it_is_found_where_it_is_usually_put(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, place: str
) -> None:
    if variable:
        monkeypatch.setenv(variable, str(home / "p"))
    there = binary(home / place)
    assert find_prism(NONE) == there
    ours = binary(built_prism())
    assert find_prism(NONE) == ours


def test_it_is_found_where_beam_keeps_its_downloads(home: Path) -> None:
    release = Path(PrismJobServer(NONE).path_to_binary()).stem
    assert find_prism(NONE) is None
    there = binary(home / "beam" / release)
    assert find_prism(NONE) == there


def test_the_cache_of_the_user_is_looked_into(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    there = binary(built_prism())
    assert there.is_relative_to(home / "cache" / "meterbeam")
    assert find_prism(NONE) == there


def test_another_program_of_that_name_is_left_alone(home: Path) -> None:
    binary(home / "path" / "prism", program="example.com/prism")
    assert find_prism(NONE) is None


def test_one_of_another_version_is_the_last_choice_and_there_is_a_warning(
    home: Path, told: list[str]
) -> None:
    other = binary(home / "path" / "prism", version="v2.70.0")
    assert get_prism(NONE) == other
    assert len(told) == 1
    assert "v2.70.0" in told[0]
    right = binary(home / "go" / "bin" / "prism")
    assert get_prism(NONE) == right
    assert len(told) == 1


def test_one_that_does_not_say_its_version_is_taken(home: Path, told: list[str]) -> None:
    there = binary(home / "path" / "prism", version="(devel)")
    assert get_prism(NONE) == there
    assert not told


def test_a_named_one_that_is_not_there_is_a_mistake(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"--prism_location .*/nowhere: no such file"):
        find_prism(at(home / "nowhere"))
    (home / "text").write_text("text")
    with pytest.raises(UserError, match=r"--prism_location .*not executable; chmod"):
        find_prism(at(home / "text"))
    monkeypatch.setenv("METERBEAM_PRISM", str(home / "nowhere"))
    with pytest.raises(UserError, match=r"METERBEAM_PRISM .*no such file"):
        find_prism(NONE)


def test_the_zip_file_of_a_release_may_be_named(home: Path) -> None:
    inner = binary(home / "in" / "prism-of-a-release")
    with zipfile.ZipFile(home / "prism-of-a-release.zip", "w") as archive:
        archive.write(inner, inner.name)
    found = find_prism(at(home / "prism-of-a-release.zip"))
    assert found == home / "beam" / inner.name
    assert found.read_bytes() == inner.read_bytes()
    assert os.access(found, os.X_OK)


def test_where_there_is_none_and_beam_gets_none_all_ways_out_are_said(
    home: Path, told: list[str]
) -> None:
    with pytest.raises(UserError) as error:
        get_prism(NONE)
    for way in (
        "make prism",
        "-m pipelines.build_prism",
        "--prism_location",
        "METERBEAM_PRISM",
    ):
        assert way in str(error.value)
    assert VERSION in str(error.value)
    assert told
    assert told[0].startswith("fetching https://")
    assert not list((home / ".cache").glob("**/prism*"))


@pytest.mark.usefixtures("home")
def test_a_build_without_go_says_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        build_prism.main()
    for word in ("no Go", "1.26", "https://go.dev/dl/", "METERBEAM_PRISM"):
        assert word in str(end.value)
    monkeypatch.setenv("METERBEAM_PRISM", "/opt/prism")
    build_prism.main()
    assert "nothing to build" in capsys.readouterr().err


def test_a_build_that_fails_says_what_go_said(home: Path) -> None:
    go = home / "path" / "go"
    go.parent.mkdir()
    go.write_text("#!/bin/sh\necho 'go.mod requires go >= 1.26.0 (running go 1.20)' >&2\nexit 1\n")
    go.chmod(0o755)
    with pytest.raises(BuildError, match=r"Go 1\.26[\s\S]*running go 1\.20"):
        build_prism.build_prism()
    assert not list(built_prism().parent.iterdir())


def test_a_source_that_is_not_the_expected_one_is_not_built(tmp_path: Path) -> None:
    file = tmp_path / "go/pkg/beam/runners/prism/internal/stage.go"
    file.parent.mkdir(parents=True)
    file.write_text("once\n")
    build_prism._apply(Change("stage.go", "once", "again"), tmp_path)  # noqa: SLF001
    assert file.read_text() == "again\n"
    with pytest.raises(BuildError, match=r"stage\.go"):
        build_prism._apply(Change("stage.go", "once", "again"), tmp_path)  # noqa: SLF001


def test_the_built_one_is_named_after_the_release_and_the_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = built_prism()
    assert before.name.startswith(f"prism-{VERSION}-")
    monkeypatch.setattr(build_prism, "CHANGES", build_prism.CHANGES[:1])
    assert built_prism() != before
