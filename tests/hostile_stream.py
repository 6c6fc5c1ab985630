"""Hostile records as a stream: in an order in which each key's records come as they arrived.

The first of a key is the first to arrive in batch, and the first processed in a stream. So that
both are the same, what comes of a key in another file comes in a later piece.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from oracle.catalog import read_catalog
from oracle.events import MAX_BYTES, read_event
from oracle.records import split_records
from strategies.catalogs import CatalogPlan, catalogs
from strategies.lines import lines
from strategies.pools import DAY_US, STARTED_AT_US
from strategies.rate_tables import rate_tables

_FEWEST = 40
_NAMES = ("a.ndjson", "b.jsonl", "10.ndjson", "é.ndjson")
_ENDS = (b"\n", b"\n", b"\r\n", b"\n \t\n", b"\n\r\n")
# keys are held for a hundred years at most; the ledger knows hours of any time
_HORIZON = "36500d"
_OLDEST_US = STARTED_AT_US - 36_000 * DAY_US
_TOO_LARGE = b'{"pad":"' + b"x" * MAX_BYTES + b'"}'


@dataclass(frozen=True, repr=False)
class Feed:
    """A catalog, rates and files: what each piece adds to them, the next when one was read.

    `torn` is how many bytes of the line that comes next a piece brings already, at most.
    """

    catalog: str
    rates: Mapping[str, str]
    source: str
    pieces: Sequence[Mapping[str, bytes]]
    torn: int

    def __repr__(self) -> str:
        """Without the thousands of letters of records that are too large."""
        return re.sub(r"x{300,}", "xxx…", f"Feed{tuple(vars(self).values())}")

    @property
    def files(self) -> dict[str, bytes]:
        """The files in the end."""
        names = {name for piece in self.pieces for name in piece}
        return {name: b"".join(p.get(name, b"") for p in self.pieces) for name in sorted(names)}

    def __iter__(self) -> Iterator[tuple[dict[str, bytes], dict[str, int]]]:
        """What to append for each piece, and to where each file can be read then."""
        files, written = self.files, dict.fromkeys(self.files, 0)
        whole = dict.fromkeys(self.files, 0)
        for piece in self.pieces:
            whole |= {name: whole[name] + len(data) for name, data in piece.items()}
            added = {}
            for name, end in whole.items():
                line = files[name].find(b"\n", end)
                to = min(end + self.torn, max(line, end))
                if to > written[name]:
                    added[name] = files[name][written[name] : to]
                    written[name] = to
            ends = {name: files[name].rfind(b"\n", 0, end) + 1 for name, end in whole.items()}
            yield added, ends

    def cut(self, lines: int) -> "Feed":
        """The same in smaller pieces."""
        pieces = []
        for piece in self.pieces:
            for name, data in piece.items():
                found = re.findall(rb"[^\n]*\n|[^\n]+", data)
                starts = range(0, len(found), lines)
                pieces += [{name: b"".join(found[start : start + lines])} for start in starts]
        return replace(self, pieces=pieces)


@st.composite
def feeds(draw: DrawFn) -> Feed:
    """Draw a catalog whose source records arrivals, and records of all kinds for it."""
    plan = draw(catalogs().filter(lambda each: each.source.received_at is not None))
    rates = draw(rate_tables(plan.meters)) if draw(st.booleans()) else {}
    found = [line for _ in range(4) for line in draw(lines(plan))]
    found.insert(draw(st.integers(0, len(found))), _TOO_LARGE)
    # some hold a line end within, and so are several
    records = [part for line in found for part in line.split(b"\n")]
    assume(len(records) > _FEWEST)
    names = draw(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3, unique=True))
    placed = [
        (draw(st.sampled_from(names)), part + draw(st.sampled_from(_ENDS))) for part in records
    ]
    pieces = _pieces(list(_in_order(plan, draw(st.permutations(placed)))))
    if pieces and draw(st.booleans()):
        pieces = [*pieces[:-1], {name: _without_end(data) for name, data in pieces[-1].items()}]
    catalog = _remembering(plan.text)
    return Feed(catalog, rates or {}, plan.source.name, pieces, draw(st.sampled_from([0, 1, 40])))


def _remembering(catalog: str) -> str:
    """A catalog that holds keys as long as it can."""
    head, rest = catalog.split("\n", 1)
    if rest.startswith("defaults:\n"):
        return f"{head}\ndefaults:\n  dedup_horizon: {_HORIZON}\n" + rest.removeprefix(
            "defaults:\n"
        )
    return f"{head}\ndefaults: {{dedup_horizon: {_HORIZON}}}\n{rest}"


def _without_end(data: bytes) -> bytes:
    return data[:-1] if data.endswith(b"\n") and not data.endswith(b"\r\n") else data


def _in_order(
    plan: CatalogPlan, placed: Sequence[tuple[str, bytes]]
) -> Iterator[tuple[str, bytes, object]]:
    """Lines with their files and keys, those of one key by arrival and file."""
    source = read_catalog(plan.text, plan.source.name).source
    found = []
    for name, line in placed:
        records = split_records(name, line)
        event = None
        if records:
            event = read_event(records[0], source, clock=STARTED_AT_US, tolerance=plan.tolerance_us)
        if event and not event.reason and event.received_at < _OLDEST_US:
            continue
        if event is None or event.reason:
            found.append((name, line, None, 0))
        else:
            found.append((name, line, event.key, event.received_at))
    turns = defaultdict(list)
    for name, line, key, arrival in found:
        turns[key].append((arrival, name, line))
    ordered = {
        key: iter(lines if key is None else sorted(lines, key=lambda each: each[:2]))
        for key, lines in turns.items()
    }
    for _, _, key, _ in found:
        _, name, line = next(ordered[key])
        yield name, line, key


def _pieces(ordered: Sequence[tuple[str, bytes, object]]) -> list[dict[str, bytes]]:
    """Pieces, in each of which a key is in one file only."""
    last: dict[object, tuple[int, str]] = {}
    pieces: defaultdict[int, defaultdict[str, bytes]] = defaultdict(lambda: defaultdict(bytes))
    for name, line, key in ordered:
        number, before = last.get(key, (0, name))
        number += before != name and key is not None
        last[key] = number, name
        pieces[number][name] += line
    return [dict(pieces[number]) for number in sorted(pieces)]
