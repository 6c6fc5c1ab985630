"""The main of the image: what Dataflow's launcher calls to have a job made.

The launcher runs it as root. It needs nothing of root's, so it goes on as the user of the image.
"""

import os
import pwd
from contextlib import suppress

from pipelines.template_main import launched

_USER = "meterbeam"


def drop_root() -> None:
    """Become the user of the image, where there is one."""
    with suppress(KeyError):
        user = pwd.getpwnam(_USER)
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        os.environ["HOME"] = user.pw_dir


if __name__ == "__main__":
    if os.geteuid() == 0:
        drop_root()
    launched()
