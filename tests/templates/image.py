"""The image of templates/Dockerfile, as far as it can be made without Docker.

The steps of the Dockerfile that need no network are done in a folder: the wheel is made of just
what the build copies and is installed into a new environment, with the dependencies of this one.
"""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from flex_launcher import Image

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "templates" / "Dockerfile"
_PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
_INSTRUCTION = re.compile(r"^([A-Z]+) ((?:.*\\\n)*.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Stage:
    """A stage of a Dockerfile: what it begins with, its name, and its instructions in order."""

    base: str
    name: str
    instructions: tuple[tuple[str, str], ...]

    def of(self, kind: str) -> list[str]:
        """What instructions of a kind say."""
        return [text for each, text in self.instructions if each == kind]


def stages() -> list[Stage]:
    """Those of the Dockerfile."""
    found: list[Stage] = []
    for kind, text in _INSTRUCTION.findall(DOCKERFILE.read_text()):
        if kind == "FROM":
            base, _, name = text.partition(" AS ")
            found.append(Stage(base, name, ()))
        else:
            last = found.pop()
            found.append(Stage(last.base, last.name, (*last.instructions, (kind, text))))
    return found


def context(folder: Path) -> None:
    """Copies what the build copies from the checkout, and only what .dockerignore lets through."""
    (build,) = [each for each in stages() if each.name == "build"]
    for text in build.of("COPY"):
        *sources, target = text.split()
        for source in sources:
            _copy(ROOT / source, folder / target if target != "./" else folder / Path(source).name)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def make_image(folder: Path) -> Image:
    """A Python with the wheel of the project, apart from the checkout, and the image's main."""
    build = folder / "build"
    build.mkdir()
    context(build)
    wheel = wheel_of(build, folder / "dist")
    python = folder / "env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    install = ["--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*_PIP, *map(str, install)], check=True)
    packages = next((folder / "env" / "lib").glob("python*/site-packages"))
    # a path in such a file is a place to look at, and what it has of such files does not count: so
    # the checkout, which is installed there by one, is out of reach
    (packages / "dependencies.pth").write_text(f"{_packages()}\n")
    (folder / "template").mkdir()
    main = Path(shutil.copy(ROOT / "templates" / "main.py", folder / "template"))
    shutil.rmtree(build)
    return Image(python, main, wheel.parent)


def wheel_of(source: Path, folder: Path) -> Path:
    """Makes a wheel of what is in a folder, with what this environment has, into another."""
    how = ["--no-deps", "--no-build-isolation", "--wheel-dir", folder, source]
    subprocess.run([*_PIP, "wheel", *map(str, how)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _packages() -> Path:
    (place,) = {Path(each) for each in sys.path if each.endswith("site-packages")}
    return place


def tell(image: Image, code: str) -> object:
    """What a program in the image prints as JSON."""
    done = subprocess.run(
        [str(image.python), "-c", code],
        cwd=image.main.parent,
        env={"PATH": "/usr/bin:/bin", "HOME": str(image.main.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
