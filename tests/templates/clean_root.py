"""A root of a file system of its own, with a Python and what the system has, and nothing else.

Processes in it see no checkout, no home and no cache. It needs root, and Linux.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

# a mount is seen by these processes alone, and goes with them
_ENTER = """
set -e
root=$1; python=$2; user=$3; folder=$4; shift 4
for each in /usr "$python"; do
  mount --bind "$each" "$root$each" && mount -o remount,bind,ro "$root$each"
done
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
exec chroot --userspec="$user" "$root" /usr/bin/env --chdir="$folder" "$@"
"""
_OF_USR = ("bin", "lib", "lib64", "sbin")
_PATH = "/python/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Root:
    """A folder that is the root of what runs in it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Root":
        """One whose Python is this one's base, in its PATH as `python`."""
        base = Path(sys.base_prefix)
        for name in ("dev", "proc", "tmp", "usr", "home", "opt", "python/bin", *base.parts[1:2]):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "tmp").chmod(0o1777)
        (folder / base.relative_to("/")).mkdir(parents=True, exist_ok=True)
        for name in _OF_USR:
            (folder / name).symlink_to(f"usr/{name}")
        (folder / "python" / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
        shutil.copytree("/etc", folder / "etc", symlinks=True)
        return cls(folder)

    def at(self, path: str) -> Path:
        """Where a path in it is."""
        return self.folder / path.lstrip("/")

    def start(
        self,
        words: list[str],
        variables: Mapping[str, str],
        workdir: str,
        user: str = "0:0",
        said: int | TextIO = subprocess.PIPE,
    ) -> "subprocess.Popen[str]":
        """Starts a program in it, with these variables only, as a user's and a group's number."""
        enter = ["unshare", "--mount", "--", "/bin/sh", "-c", _ENTER, "sh"]
        how = [str(self.folder), sys.base_prefix, user, workdir]
        return subprocess.Popen(
            [*enter, *how, *words],
            env={"PATH": _PATH, **variables},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(
        self, words: list[str], variables: Mapping[str, str], workdir: str, user: str = "0:0"
    ) -> str:
        """What such a program prints; it has to end well."""
        process = self.start(words, variables, workdir, user)
        said, _ = process.communicate()
        assert process.returncode == 0, said[-3000:]
        return said
