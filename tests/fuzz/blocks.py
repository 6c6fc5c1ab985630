"""Blocks of lines: ordinary and spoilt ones in some order, with some line ends."""

from random import Random

from fuzz.mutations import (
    MUTATIONS,
    Mutation,
    a_field_twice,
    a_lenient_number,
    a_new_field,
    a_number,
    a_value,
    rows_and_lines,
    spoilt,
)
from fuzz.samples import record

_FEW = (1, 60)
_SOME = (500, 2000)
_MANY = 5000
_SHARES = (0.001, 0.01, 0.1, 0.5, 0.9, 1.0)
_ENDS = (b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b"\n \t\n", b"\r\r\n", b"\r")
_LASTS = (b"\n", b"", b"\r\n", b"\r", b"\n\r", b"\n ", b"\n\n", b" ")
# the strict decoder takes most of these and pyarrow does not, so runs of lines fail in it
_PASSED: tuple[tuple[Mutation, ...], ...] = (
    *((a_field_twice,), (a_number,), (a_value, a_new_field)),
    *((a_lenient_number,), (rows_and_lines,)),
)  # fmt: skip


def block(random: Random, source: str) -> bytes:
    """The bytes of a block of a source: of a few lines mostly, else of up to thousands."""
    kinds = random.choice((MUTATIONS, MUTATIONS, random.choice(_PASSED)))
    if random.random() < 0.85:
        lines = _few(random, source, kinds)
    else:
        count = random.randint(*_SOME) if random.random() < 0.95 else _MANY
        lines = ordinary(random, source, count)
        for i in _odd(random, count):
            lines[i] = spoilt(random, lines[i], kinds)
    return _joined(random, lines)


def ordinary(random: Random, source: str, count: int) -> list[bytes]:
    """So many ordinary records of a source."""
    return [record(random, source) for _ in range(count)]


def _few(random: Random, source: str, kinds: tuple[Mutation, ...]) -> list[bytes]:
    """A few lines with at most three odd ones: what hides among others shows here."""
    lines = ordinary(random, source, random.randint(*_FEW))
    for _ in range(random.randint(1, 3)):
        i = random.randrange(len(lines))
        lines[i] = spoilt(random, lines[i], kinds)
    return lines


def _odd(random: Random, count: int) -> list[int]:
    """Which lines are spoilt: some, a run of them, those at the edges, every second, or none."""
    first, length = random.randrange(count), random.choice((2, 7, 16, 33))
    share = random.choice(_SHARES)
    some = [i for i in range(count) if random.random() < share]
    edges = [0, 1, count - 2, count - 1]
    runs = [i for i in range(count) if i // length % 2]
    run = list(range(first, min(count, first + 200)))
    return random.choice((some, some, some, run, edges, runs, list(range(0, count, 2)), []))


def _joined(random: Random, lines: list[bytes]) -> bytes:
    end, strays = random.choice(_ENDS[:3]), random.choice((0.0, 0.0, 0.02, 0.5))
    ends = [random.choice(_ENDS) if random.random() < strays else end for _ in lines]
    ends[-1] = random.choice(_LASTS)
    return b"".join(line + end for line, end in zip(lines, ends, strict=True))
