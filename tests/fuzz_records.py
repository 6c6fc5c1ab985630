"""Reads spoilt records fast and slowly, and says where the two are not the same.

Usage: python tests/fuzz_records.py [--seed 1] [--inputs 1000000] [--seconds 0]

A seed gives always the same blocks. They are read in a process of their own, so that a crash or a
block that takes more than 20 s is named too: exit code 1, with the seed and the block.
"""

import argparse
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import format_exception_only

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from fuzz.readers import BLOCKS, Readers  # noqa: E402 - after the path

LONGEST = 20.0
"""Seconds a block may take; an ordinary one takes less than one."""


def main(arguments: argparse.Namespace) -> int:
    """Reads seeds, one after the other, until there were enough inputs; gives the exit code."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    worker = context.Process(target=work, args=(theirs,), daemon=True)
    worker.start()
    theirs.close()
    seed, inputs, begun = arguments.seed, 0, time.monotonic()
    ours.recv()
    try:
        while inputs < arguments.inputs and not _over(begun, arguments.seconds):
            inputs += _read_seed(ours, seed)
            seed += 1
    except _FoundError as found:
        print(f"seed {seed}, {found}", file=sys.stderr)  # noqa: T201 - what it is for
        return 1
    finally:
        worker.kill()
        took = time.monotonic() - begun
        print(f"{inputs:,} inputs, seeds {arguments.seed} to {seed - 1}, {took:.0f} s")  # noqa: T201
    return 0


class _FoundError(Exception):
    """What was found, and in which block."""


def _over(begun: float, seconds: float) -> bool:
    return bool(seconds) and time.monotonic() - begun > seconds


def _read_seed(worker: Connection, seed: int) -> int:
    inputs = 0
    for number in range(BLOCKS):
        worker.send((seed, number))
        try:
            if not worker.poll(LONGEST):
                raise _FoundError(f"block {number}: not read after {LONGEST:.0f} s")
            answer = worker.recv()
        except (EOFError, ConnectionError):
            raise _FoundError(f"block {number}: the process crashed") from None
        if isinstance(answer, str):
            raise _FoundError(f"block {number}: {answer}")
        inputs += answer
    return inputs


def work(conductor: Connection) -> None:
    """Reads the blocks that it is told: answers their inputs, or what is wrong with one."""
    readers = Readers(0)
    conductor.send("ready")
    while True:
        seed, number = conductor.recv()
        if seed != readers.seed:
            readers = Readers(seed)
        before = readers.inputs
        try:
            readers.read(number)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a find
            conductor.send("".join(format_exception_only(error)))
        else:
            conductor.send(readers.inputs - before)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many records")
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(_arguments()))
