"""Time the reading of one file alone, and print {"seconds", "rows"}.

    python benchmarks/input_reading.py ours|library FILE CATALOG

ours: the blocks of the file, read on one thread, and the fields of their events, found on two, as
the graph does; into one Arrow table, in a process that allocates as that of the command does. The
records of rows of Parquet and CSV are no part of it: they are made of events that are accepted.
library: the same file by pyarrow into one Arrow table, all columns, in a process as Python starts
it; of CSV the JSON in its cells is parsed by pyarrow too.
"""

import json
import sys
import time
from pathlib import Path

from pipelines.process import keep_memory


def main() -> None:
    """Time one of the two."""
    who, file, catalog = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if who == "ours":
        keep_memory(of_arrow=True)
    from input_reads import library, ours  # noqa: PLC0415 - Arrow looks when it is imported

    clock = time.perf_counter()
    table = ours(file, catalog) if who == "ours" else library(file)
    seconds = time.perf_counter() - clock
    print(json.dumps({"seconds": seconds, "rows": table.num_rows}))


if __name__ == "__main__":
    main()
