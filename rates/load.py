"""Rate tables in, a rate book out, or everything that is wrong with them."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from rates.book import RateBook
from rates.lines import Line, read_lines
from rates.problems import RateErrors, RateProblem, nearest, shown
from rates.rate import Rate
from rates.row import COLUMNS, REQUIRED, Meters, Row
from rates.ties import clashes


def load_rates(files: Sequence[tuple[str, bytes]], meters: Meters) -> RateBook:
    """Read rate tables, given as names and contents, for meters and the names of their dimensions.

    Raises RateErrors with every problem of every file; the order of files and rows means nothing.
    """
    problems: list[RateProblem] = []
    rates = [rate for file, content in files for rate in _read(file, content, meters, problems)]
    problems += clashes(rates)
    if problems:
        raise RateErrors(sorted(problems, key=lambda each: (each.file, each.line or 0)))
    return RateBook.of(rates, digest(content for _, content in files))


def digest(contents: Iterable[bytes]) -> str:
    """SHA-256 over the contents of rate tables, whatever their order and names."""
    each = sorted(hashlib.sha256(content).digest() for content in contents)
    return hashlib.sha256(b"".join(each)).hexdigest()


def _read(file: str, content: bytes, meters: Meters, problems: list[RateProblem]) -> list[Rate]:
    """Read the rows of one table that are right, and add to `problems` what is wrong."""
    before = len(problems)
    lines = read_lines(file, content, problems)
    if not lines:
        if len(problems) == before:
            problems.append(RateProblem(file, None, "is empty: its first line names the columns"))
        return []
    header, *rows = lines
    dimensions = {name for names in meters.values() for name in names}
    known = (*COLUMNS, *sorted(dimensions))
    problems += [
        RateProblem(file, header.number, text) for text in _header_problems(header.cells, known)
    ]
    rates: list[Rate] = []
    for line in rows:
        rate, wrong = _row(file, line, header.cells, known, meters)
        problems += [RateProblem(file, line.number, text) for text in wrong]
        rates += [rate] if rate else []
    return rates


def _header_problems(header: Sequence[str], known: Sequence[str]) -> list[str]:
    unknown = [name for name in dict.fromkeys(header) if name and name not in known]
    return [
        *(
            f"column {shown(name)} is neither a column of rates nor a dimension of any meter"
            f"{nearest(name, known)}"
            for name in unknown
        ),
        *(f"column {place} has no name" for place, name in enumerate(header, 1) if not name),
        *(
            f"column {shown(name)} is there {times} times"
            for name, times in Counter(header).items()
            if name and times > 1
        ),
        *(f"column {name} is missing" for name in REQUIRED if name not in header),
    ]


def _row(
    file: str, line: Line, header: Sequence[str], known: Sequence[str], meters: Meters
) -> tuple[Rate | None, list[str]]:
    if len(line.cells) != len(header):
        return None, [f"has {len(line.cells)} cells where the header has {len(header)} columns"]
    # what stands under a wrong column name is not a second mistake
    cells = {name: text for name, text in zip(header, line.cells, strict=True) if name in known}
    row = Row(cells, meters)
    rate = row.rate(file, line.number)
    return rate, row.problems
