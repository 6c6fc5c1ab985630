"""A source distribution has what a wheel is made of, no more; its wheel is that of the image."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest
from flex_launcher import Image
from image import ROOT, wheel_of

STRAY = ["notes.txt", ".env", "out/usage/a.parquet", "pipelines/__pycache__/a.pyc", ".venv/a.py"]
WANTED = {
    *[".gitignore", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "requirements.lock"],
    *["docs", "examples", "pipelines", "rates", "templates", "transforms"],
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of just what git knows of or would, in which things lie about."""
    folder = tmp_path_factory.mktemp("checkout")
    known = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(known, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, done.stdout.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for name in STRAY:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("stray")
    return folder


@pytest.fixture(scope="module")
def source(checkout: Path) -> Path:
    """The source distribution, unpacked."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist"]
    subprocess.run(build, cwd=checkout, capture_output=True, check=True)
    (archive,) = (checkout / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(checkout / "unpacked", filter="data")
    (folder,) = (checkout / "unpacked").iterdir()
    return folder


def test_it_has_what_a_wheel_and_a_reader_need_and_nothing_that_lay_about(
    checkout: Path, source: Path
) -> None:
    assert {each.name for each in source.iterdir()} == WANTED
    found = {str(each.relative_to(source)) for each in source.rglob("*") if each.is_file()}
    assert not found & set(STRAY)
    assert all((checkout / each).exists() for each in found - {"PKG-INFO"})
    assert not any("__pycache__" in each for each in found)


def test_its_wheel_is_to_the_byte_the_one_of_the_image(
    source: Path, image: Image, tmp_path: Path
) -> None:
    made = _contents(wheel_of(source, tmp_path))
    (installed,) = image.wheels.glob("*.whl")
    assert made == _contents(installed)
    assert {"pipelines/views/duckdb.json", "pipelines/report/page.css"} <= set(made)
    assert any(each.startswith("pipelines/examples/azure-llm-2023/") for each in made)


def _contents(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as packed:
        return {each: packed.read(each) for each in packed.namelist()}
