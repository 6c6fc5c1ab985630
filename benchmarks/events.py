"""Write the events that the benchmarks read: NDJSON of the `native` shape, the same for a seed.

    python benchmarks/events.py --events 2000000 [--bad 0.001] [--seed 1] [--folder DIR]

About 280 bytes an event: LLM tokens, API calls and GPU seconds of some 10,000 customers, few of
them large (Zipf 1.3), over three days, in no order of time. 2 % of the lines repeat an earlier line
byte for byte, 0.05 % repeat its id with another value. `--bad` replaces that share of the lines
with broken ones. Beside the file, a manifest says what was written (see `Written`).
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from event_lines import Ints, Originals

REPEATED = 0.02
CONFLICTING = 0.0005
CHUNK = 100_000


@dataclass
class Written:
    """What a file holds: the truth that a run over it is held against.

    `quantities` are the totals of the meters that add up (gpu_seconds in microseconds); they and
    `repeats` and `conflicts` hold for files without bad lines only, where the first of an id is
    always the original.
    """

    events: int
    seed: int
    repeats: int
    conflicts: int
    bad: dict[str, int] = field(default_factory=dict)
    quantities: dict[str, int] = field(default_factory=dict)


def _truncated(line: bytes) -> bytes:
    return line[: len(line) // 2] + b"\n"


def _number_for_text(line: bytes) -> bytes:
    return line.replace(b'"customer_id":"c', b'"customer_id":1', 1).replace(
        b'","time', b',"time', 1
    )


def _without_type(line: bytes) -> bytes:
    return line.replace(b'"event_type"', b'"kind"', 1)


def _no_time(line: bytes) -> bytes:
    return line.replace(b'"timestamp":"2026-01-', b'"timestamp":"2026-13-', 1)


def _not_utf8(line: bytes) -> bytes:
    return line.replace(b'"user_agent":"', b'"user_agent":"\xff', 1)


def _field_twice(line: bytes) -> bytes:
    return line.replace(b'"properties":{', b'"properties":{"region":"us-east-1",', 1)


def _in_array(line: bytes) -> bytes:
    return b"[" + line[:-1] + b"]\n"


BREAKS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("not_json", _truncated),
    ("wrong_type", _number_for_text),
    ("missing_field", _without_type),
    ("bad_timestamp", _no_time),
    ("not_utf8", _not_utf8),
    ("duplicate_field", _field_twice),
    ("not_object", _in_array),
]


def _other_value(line: bytes) -> bytes:
    """The same event with a digit more before its value: the same id, another amount."""
    for name in (b'"tokens":', b'"bytes":', b'"seconds":'):
        line = line.replace(name, name + b"1", 1)
    return line


def _order(rng: np.random.Generator, originals: int, repeats: int) -> tuple[Ints, Ints]:
    """Where the repeats go: (the lines in order, the original that each repeat repeats).

    A line is the number of an original, or `originals` + the number of a repeat. A repeat comes 1
    to a million lines after its original, each length of number as likely, or at the end.
    """
    source = np.sort(rng.choice(originals, repeats, replace=False))
    delay = np.exp(rng.uniform(0, np.log(1e6), repeats))
    place = np.concatenate([np.arange(originals, dtype=np.float64), source + delay + 0.5])
    return np.argsort(place, kind="stable"), source


def generate(written: Written) -> Iterator[list[bytes]]:
    """The lines of a file without bad ones, in chunks; fills in `written.quantities`."""
    repeats = written.repeats + written.conflicts
    originals = written.events - repeats
    rng = np.random.default_rng([written.seed, 1])
    order, source = _order(rng, originals, repeats)
    conflicting = set(rng.choice(repeats, written.conflicts, replace=False).tolist())
    repeated_by = {original: number for number, original in enumerate(source.tolist())}
    maker, first = Originals(written.seed), 0
    kept: dict[int, bytes] = {}  # originals that a later line repeats
    for start in range(0, len(order), CHUNK):
        places = order[start : start + CHUNK].tolist()
        fresh = [place for place in places if place < originals]
        made = maker.lines(first, len(fresh))
        first += len(fresh)
        lines = []
        new = iter(made)
        for place in places:
            if place >= originals:
                line = kept.pop(place - originals)
                lines.append(_other_value(line) if place - originals in conflicting else line)
                continue
            line = next(new)
            if place in repeated_by:
                kept[repeated_by[place]] = line
            lines.append(line)
        yield lines
    written.quantities = dict(maker.totals)


def write(target: Path, events: int, bad: float, seed: int) -> Written:
    """Write `target` and its manifest; the file appears when it is complete."""
    written = Written(events, seed, round(events * REPEATED), round(events * CONFLICTING))
    rng = np.random.default_rng([seed, 2])
    reasons: Counter[str] = Counter()
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    with aside.open("wb") as file:
        for lines in generate(written):
            for row in np.flatnonzero(rng.random(len(lines)) < bad).tolist():
                reason, broken = BREAKS[reasons.total() % len(BREAKS)]
                lines[row] = broken(lines[row])
                reasons[reason] += 1
            file.write(b"".join(lines))
    written.bad = dict(reasons)
    if reasons:  # an original may be among them, then its repeat counts
        written.quantities = {}
    target.with_suffix(".json").write_text(json.dumps(asdict(written), indent=1) + "\n")
    aside.replace(target)
    return written


def default_folder() -> Path:
    """Where files go that nobody named a place for: $METERBEAM_BENCH, else a cache folder."""
    return Path(os.environ.get("METERBEAM_BENCH", Path.home() / ".cache" / "meterbeam-bench"))


def ensure(folder: Path, events: int, bad: float = 0.0, seed: int = 1) -> Path:
    """The path of such a file, which is written first if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = f"-bad{bad:g}" if bad else ""
    target = folder / f"events-{events}-seed{seed}{suffix}.ndjson"
    if not target.exists():
        write(target, events, bad, seed)
    return target


def manifest(file: Path) -> Written:
    """What `write` said of the file."""
    return Written(**json.loads(file.with_suffix(".json").read_text()))


def main() -> None:
    """Write one file and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--bad", type=float, default=0.0, help="share of lines to break: 0.001")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=default_folder())
    asked = parser.parse_args()
    path = ensure(asked.folder, asked.events, asked.bad, asked.seed)
    print(path, path.stat().st_size, "bytes", manifest(path), file=sys.stdout)


if __name__ == "__main__":
    main()
