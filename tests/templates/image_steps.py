"""Does the steps of templates/Dockerfile, as they stand there, in clean roots instead of bases.

Left out are the programs that come of Google's and Beam's images: the launcher, and the worker's
start. What pip is told here of its index and certificates goes to it, as the network of a build
does.
"""

import os
import re
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from clean_root import Root
from image import ROOT, Stage, stages

_PIP = {name: text for name, text in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
_CONTINUED = re.compile(r"\\\n")
_BASE_PATH = "/python/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@dataclass
class Made:
    """A stage that was made: its root, and what its image says of processes in it.

    left_out: the targets of what comes from images that are not had.
    """

    root: Root
    variables: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    entry: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": "/root", **self.variables}


def make_stages(folder: Path) -> dict[str, Made]:
    """All that have instructions, by name; the last has none."""
    made: dict[str, Made] = {}
    for stage in stages():
        if stage.instructions:
            (folder / (stage.name or "last")).mkdir()
            made[stage.name] = _made(stage, Root.make(folder / (stage.name or "last")), made)
    return made


def _made(stage: Stage, root: Root, others: dict[str, Made]) -> Made:
    made = Made(root)
    for kind, text in stage.instructions:
        words = shlex.split(_CONTINUED.sub("", text))
        if kind == "ENV":
            for name, value in (each.split("=", 1) for each in words):
                known = {"PATH": _BASE_PATH, **made.variables}
                made.variables[name] = Template(value).substitute(known)
        elif kind == "WORKDIR":
            made.workdir = text
            root.at(text).mkdir(parents=True, exist_ok=True)
        elif kind == "COPY":
            _copy(made, words, others)
        elif kind == "RUN":
            shell = ["/bin/sh", "-c", _CONTINUED.sub("", text)]
            root.run(shell, made.environment | _PIP, made.workdir)
        else:
            assert kind == "ENTRYPOINT", kind
            made.entry = [each.strip('",[]') for each in words]
    return made


def _copy(made: Made, words: list[str], others: dict[str, Made]) -> None:
    source = ROOT
    if words[0].startswith("--from="):
        name = words.pop(0).removeprefix("--from=")
        if name not in others:
            made.left_out.append(f"{words[1]}{Path(words[0]).name}")
            return
        source = others[name].root.folder
    *sources, target = words
    place = made.root.at(str(Path(made.workdir, target)))
    for each in (source / name.lstrip("/") for name in sources):
        if each.is_dir():
            ignored = shutil.ignore_patterns("__pycache__") if source == ROOT else None
            shutil.copytree(each, place, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(each, place)
