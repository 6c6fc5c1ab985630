"""Makes a worker's disk slow, where METERBEAM_TEST_SLOW_S says by how much for each file.

A file is there in part while that lasts, as with a disk that takes its time. Python imports this
by itself in any process that has the folder on its path.
"""

import os
import time
from importlib import import_module
from pathlib import Path
from typing import Any

SLOW_S = float(os.environ.get("METERBEAM_TEST_SLOW_S", "0"))


def _slow_down() -> None:
    parquet = import_module("pyarrow.parquet")
    write_table = parquet.write_table

    def write_slowly(table: Any, where: Any, *args: Any, **kwargs: Any) -> None:
        write_table(table, where, *args, **kwargs)
        with Path(where).open("r+b") as file:
            content = file.read()
            file.truncate(len(content) // 2)
            time.sleep(SLOW_S)
            file.seek(0)
            file.write(content)

    parquet.write_table = write_slowly


if SLOW_S:
    _slow_down()
