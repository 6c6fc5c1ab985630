"""Records what the steps take now, in counts.json, and says what has changed.

Usage: python tests/record_counts.py [--times 1]

With --times nothing is recorded: it counts so often and says which figures are not the same always.
"""

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from counted.areas import AREAS, Figures, figures  # noqa: E402 - after the path
from counted.recorded import FILE, PYTHON, Recorded  # noqa: E402 - likewise


def spread(taken: list[Figures]) -> list[str]:
    """The figures that are not the same in all, with the least and the greatest."""
    lines = []
    for step, of_step in taken[0].items():
        for figure in of_step:
            each = [one.get(step, {}).get(figure, 0.0) for one in taken]
            if min(each) != max(each):
                share = max(each) / min(each) - 1 if min(each) else 1
                lines.append(f"{step}: {figure}: {min(each):,g} to {max(each):,g} ({share:.2%})")
    return lines


def main() -> None:
    """Records, or tries how stable the figures are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=1)
    times = parser.parse_args().times
    if times > 1:
        for area in AREAS:
            print(area, *spread([figures(area) for _ in range(times)]), sep="\n  ", flush=True)  # noqa: T201
        return
    now = {area: figures(area) for area in AREAS}
    before = Recorded.read() if FILE.exists() else Recorded(PYTHON, now)
    for area in AREAS:
        for line in before.differences(area, now[area]):
            print(line)  # noqa: T201 - what it is for
    Recorded(PYTHON, now).write()


if __name__ == "__main__":
    main()
