"""Where rate tables come from: a file, a folder, or a remote one of either."""

from pathlib import Path

import pytest
from apache_beam.io.localfilesystem import LocalFileSystem

from rates import RateErrors, read_rate_files


class Elsewhere(LocalFileSystem):
    """A remote file system: the local one under a scheme of its own."""

    @classmethod
    def scheme(cls) -> str:
        return "elsewhere"

    def match(self, patterns: list[str], limits: object = None) -> object:
        local = [pattern.removeprefix("elsewhere://") for pattern in patterns]
        files = [path for path in local if not path.endswith("/") and not Path(path).is_dir()]
        found = super().match(files or ["/nowhere"], limits)
        for result in found:
            for each in result.metadata_list:
                each.path = f"elsewhere://{each.path}"
        return found

    def open(self, path: str, *args: object, **named: object) -> object:
        return super().open(path.removeprefix("elsewhere://"), *args, **named)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", ".hidden.csv", "notes.md"):
        (tmp_path / name).write_text(name)
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.fixture(params=["", "elsewhere://"])
def place(request: pytest.FixtureRequest, folder: Path) -> str:
    return f"{request.param}{folder}"


def test_a_file_is_itself(place: str) -> None:
    assert read_rate_files(f"{place}/notes.md") == [(f"{place}/notes.md", b"notes.md")]


@pytest.mark.parametrize("end", ["", "/"])
def test_a_folder_is_its_csv_files_in_order(place: str, end: str) -> None:
    assert read_rate_files(f"{place}{end}") == [
        (f"{place}/a.csv", b"a.csv"),
        (f"{place}/b.csv", b"b.csv"),
    ]


def test_nothing_there_is_said(place: str) -> None:
    with pytest.raises(RateErrors, match="missing: there is no such file or folder"):
        read_rate_files(f"{place}/missing")


def test_a_folder_without_tables_is_said(folder: Path) -> None:
    with pytest.raises(RateErrors, match=r"empty: the folder holds no \*.csv"):
        read_rate_files(f"{folder}/empty")


def test_a_scheme_nobody_knows_is_said() -> None:
    with pytest.raises(RateErrors, match="nowhere://rates: cannot be read: "):
        read_rate_files("nowhere://rates")
