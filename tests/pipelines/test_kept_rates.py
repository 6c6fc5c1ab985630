"""What a stream keeps of its rates outlives a power failure, or says what is damaged."""

from pathlib import Path

import pytest

from pipelines.kept_rates import LostRatesError, history, keep, newest, note, read
from rates.load import digest

FILES = [("a.csv", b"one"), ("b.csv", b"two")]


def kept(folder: Path) -> Path:
    """A version, in its folder."""
    version = folder / digest(content for _, content in FILES)
    keep(version, FILES)
    return version


@pytest.mark.parametrize("torn", ["2", "2 b", "2 bcd", "\0" * 9])
def test_an_entry_of_the_history_that_was_cut_short_is_none_and_spoils_none(
    tmp_path: Path, torn: str
) -> None:
    (tmp_path / "history").write_text(f"1 a\n{torn}")
    assert history(tmp_path) == [(1, "a")]
    note(tmp_path, "c", 3)
    assert history(tmp_path) == [(1, "a"), (3, "c")]
    assert newest(tmp_path) == "c"


@pytest.mark.parametrize("damaged", ["2 b3 c", "\0\0", "x y", ""])
def test_a_history_that_is_damaged_is_named(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "history").write_text(f"1 a\n{damaged}\n4 d\n")
    with pytest.raises(LostRatesError, match=f"{tmp_path}/history"):
        history(tmp_path)


def test_the_history_is_in_order_though_the_clock_was_set_back(tmp_path: Path) -> None:
    for at, version in ((5, "a"), (3, "b"), (9, "c"), (9, "c")):
        note(tmp_path, version, at)
    assert history(tmp_path) == [(5, "a"), (6, "b"), (9, "c")]


def test_a_version_is_what_was_kept(tmp_path: Path) -> None:
    assert [content for _, content in read(kept(tmp_path))] == [b"one", b"two"]
    assert [path.name for path in tmp_path.iterdir()] == [kept(tmp_path).name]


@pytest.mark.parametrize("left", [b"", b"on", b"\0\0\0"])
def test_a_version_that_a_power_failure_damaged_is_named_and_kept_anew(
    tmp_path: Path, left: bytes
) -> None:
    version = kept(tmp_path)
    (version / "0000.csv").write_bytes(left)
    with pytest.raises(LostRatesError, match=version.name):
        read(version)
    kept(tmp_path)
    assert [content for _, content in read(version)] == [b"one", b"two"]


def test_a_version_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(LostRatesError, match=f"{tmp_path}/abc"):
        read(tmp_path / "abc")


def test_what_was_left_half_kept_is_in_the_way_of_nothing(tmp_path: Path) -> None:
    version = kept(tmp_path)
    half = version.with_name(f".{version.name}")
    version.rename(half)
    (half / "0001.csv").unlink()
    assert [content for _, content in read(kept(tmp_path))] == [b"one", b"two"]
    assert not half.exists()
