"""What find_inputs finds, and what it says of what it does not."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.inputs import InputErrors, InputFile, find_inputs


def problems_of(*patterns: str | Path) -> list[str]:
    with pytest.raises(InputErrors) as raised:
        find_inputs([str(pattern) for pattern in patterns])
    assert str(raised.value) == "\n".join(raised.value.problems)
    return raised.value.problems


@pytest.mark.parametrize(
    ("name", "kind", "compression"),
    [
        ("a.ndjson", "lines", None),
        ("a.jsonl", "lines", None),
        ("a.JSONL", "lines", None),
        ("a.2026-01-15.ndjson.gz", "lines", "gzip"),
        ("a.jsonl.zst", "lines", "zstd"),
        ("a.csv", "csv", None),
        ("a.csv.gz", "csv", "gzip"),
        ("a.csv.zst", "csv", "zstd"),
        ("a.parquet", "parquet", None),
    ],
)
def test_a_name_says_the_kind_of_file(
    tmp_path: Path, name: str, kind: str, compression: str | None
) -> None:
    (tmp_path / name).write_bytes(b"12345")
    found = find_inputs([str(tmp_path / name)])
    assert [vars(file) for file in found] == [
        {"path": str(tmp_path / name), "kind": kind, "compression": compression, "size": 5}
    ]


def test_a_glob_gives_its_files_by_name_and_each_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.csv", "a.ndjson", "sub/c.ndjson", ".hidden.ndjson"):
        (tmp_path / name).touch()
    patterns = [f"{tmp_path}/b.csv", f"{tmp_path}/sub/../*", f"{tmp_path}/**/*.ndjson"]
    found = [Path(file.path).relative_to(tmp_path) for file in find_inputs(patterns)]
    assert list(map(str, found)) == ["b.csv", "a.ndjson", "sub/c.ndjson"]


def test_a_glob_does_not_follow_a_link_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("secret.ndjson", "in/a.ndjson"):
        (tmp_path / name).touch()
    (tmp_path / "in/b.ndjson").symlink_to("a.ndjson")
    assert len(find_inputs([f"{tmp_path}/in/*.ndjson"])) == 2
    (tmp_path / "in/c.ndjson").symlink_to("../secret.ndjson")
    (tmp_path / "in/up").symlink_to("..")
    for pattern in (f"{tmp_path}/in/c*.ndjson", f"{tmp_path}/in/u*/secret.ndjson"):
        (problem,) = problems_of(pattern)
        assert f"is a link that leads out of {tmp_path}/in; name it by itself" in problem
    assert len(find_inputs([f"{tmp_path}/in/c.ndjson"])) == 1


def test_a_file_named_like_a_glob_is_that_file(tmp_path: Path) -> None:
    for name in ("a[1]*.csv", "a1.csv", "a1b.csv"):
        (tmp_path / name).touch()
    found = find_inputs([str(tmp_path / "a[1]*.csv")])
    assert [file.path for file in found] == [str(tmp_path / "a[1]*.csv")]


def test_a_relative_path_and_a_tilde_become_full_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = find_inputs(["a.csv", "~/a.csv", "./a.csv"])
    assert [file.path for file in found] == [str(tmp_path / "a.csv")]


@pytest.mark.parametrize("made", [["events/r", "runs"], ["warehouse.duckdb"]])
def test_an_earlier_output_is_an_archive(tmp_path: Path, made: list[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in made:
        (out / name).touch() if "." in name else (out / name).mkdir(parents=True)
    if (out / "events").exists():
        (out / "events/r/a.parquet").write_bytes(b"123")
    size = 3 if "runs" in made else 0
    assert find_inputs([f"{out}/"]) == [InputFile(str(out), "archive", None, size)]


def test_what_is_not_there_is_named_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "monday").mkdir()
    (tmp_path / "monday" / "events.ndjson").touch()
    monday, munday = tmp_path / "monday", tmp_path / "munday"
    assert problems_of(monday / "event.ndjson") == [
        f"{monday}/event.ndjson: nothing is there; did you mean {monday}/events.ndjson?"
    ]
    assert problems_of(munday / "events.ndjson") == [
        f"{munday}/events.ndjson: nothing is there: {munday} does not exist; did you mean {monday}?"
    ]
    assert problems_of(monday / "*.csv", munday / "*.csv") == [
        f"{monday}/*.csv: no file matches",
        f"{munday}/*.csv: no file matches: {munday} does not exist; did you mean {monday}?",
    ]


@pytest.mark.parametrize("name", ["a.json", "a", "a.gz", "a.parquet.gz", "gz", ".csv/a.txt"])
def test_a_name_of_no_kind_lists_the_kinds(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    (problem,) = problems_of(path)
    assert problem.endswith(
        ".ndjson, .jsonl and .csv (each also with .gz or .zst) and .parquet are read"
    )


def test_a_folder_that_is_no_output_and_an_unreadable_file_are_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").touch()
    refused = PermissionError(13, "Permission denied")
    monkeypatch.setattr(Path, "open", lambda *_, **__: (_ for _ in ()).throw(refused))
    folder, file = problems_of(tmp_path, tmp_path / "a.csv")
    assert folder == (
        f"{tmp_path}: the folder {tmp_path} is no earlier output (it has no events and runs);"
        f" name the files in it, as in {tmp_path}/*.ndjson"
    )
    assert file == f"{tmp_path}/a.csv: {tmp_path}/a.csv cannot be read: Permission denied"


@pytest.mark.parametrize("name", ["pubsub://p/s", "tail:/var/log"])
def test_inputs_of_streams_are_named_as_such(name: str) -> None:
    (problem,) = problems_of(name)
    assert problem.startswith(f"{name}: this kind of input is read with --streaming")


def test_an_address_of_another_kind_and_an_empty_name_are_problems() -> None:
    assert problems_of("s3://b/a.csv", "") == [
        "s3://b/a.csv: inputs are local paths, or begin with gs:// or bigquery://",
        ": an input without a name",
    ]


def test_addresses_are_listed_by_beam(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = {"gs://b/x/a.ndjson": 5, "gs://b/x/b[1].csv": 7, "gs://b/x/": 0}

    def match(patterns: list[str]) -> list[SimpleNamespace]:
        matching = {
            "gs://b/x/*": list(stored),
            "gs://b/x/a.ndjson": ["gs://b/x/a.ndjson"],
            "gs://b/x/b[[]1].csv": ["gs://b/x/b[1].csv"],
        }.get(patterns[0], [])
        found = [SimpleNamespace(path=path, size_in_bytes=stored[path]) for path in matching]
        return [SimpleNamespace(metadata_list=found)]

    monkeypatch.setattr("apache_beam.io.filesystems.FileSystems.match", match)
    lines = InputFile("gs://b/x/a.ndjson", "lines", None, 5)
    csv = InputFile("gs://b/x/b[1].csv", "csv", None, 7)
    assert find_inputs(["gs://b/x/a.ndjson"]) == [lines]
    assert find_inputs(["gs://b/x/*"]) == [lines, csv]
    assert find_inputs(["gs://b/x/b[1].csv"]) == [csv]
    (problem,) = problems_of("gs://b/y/*.csv")
    assert problem.startswith("gs://b/y/*.csv: no file matches")


def test_a_bucket_that_cannot_be_listed_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def match(_: list[str]) -> None:
        raise OSError("no credentials")

    monkeypatch.setattr("apache_beam.io.filesystems.FileSystems.match", match)
    assert problems_of("gs://b/a.csv") == ["gs://b/a.csv: cannot be listed: no credentials"]
