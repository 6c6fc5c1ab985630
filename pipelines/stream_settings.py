"""What a user asks of a stream, beside what every run has."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from pipelines.problems import UserError

_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)s?")
_TAIL, _PUBSUB = "tail:", "pubsub://"
LIVE_INPUTS = (_TAIL, _PUBSUB)
# A bucket is what one worker at a time works on, and what is written anew as a whole, so it should
# have at most some two million keys. It must not follow from the number of workers, which changes:
# then a key would be looked for where it is not.
BUCKETS = 64


@dataclass(frozen=True)
class StreamAsked:
    """The options of a stream as they were given; None is the default."""

    early: str | None = None
    batch_rows: int | None = None
    batch_ms: int | None = None
    rates_refresh: str | None = None
    buckets: int | None = None

    @property
    def given(self) -> list[str]:
        """The names of those that were given."""
        return [f"--{n.replace('_', '-')}" for n, v in vars(self).items() if v is not None]


@dataclass(frozen=True)
class Stream:
    """The same, checked.

    Either folders that are followed, or a subscription. early_us: how long a change may wait before
    it is shown; batch_rows and batch_us: when a micro-batch is full; refresh_us: how often the
    rates are looked at again; buckets: in how many pieces an engine elsewhere keeps event keys.
    """

    folders: tuple[Path, ...]
    subscription: str | None
    early_us: int
    batch_rows: int
    batch_us: int
    refresh_us: int
    buckets: int = 1


def seconds(option: str, text: str) -> int:
    """Seconds as `2`, `0.5` or `0.5s`, in microseconds."""
    found = _SECONDS.fullmatch(text)
    if found is None:
        raise UserError(f"{option} {text}: not a number of seconds; write 1, 0.25 or 90s")
    return int(Decimal(found[1]) * 1_000_000)


def check_stream(asked: StreamAsked, inputs: Sequence[str]) -> Stream:
    """Checks the options and inputs of a stream. Raises UserError or InputErrors."""
    # the sources take Beam and the message service's client along, and batch does without
    from pipelines.read_pubsub import find_subscription  # noqa: PLC0415
    from pipelines.read_tail import find_tails  # noqa: PLC0415

    problems = [
        f"--input {each}: a stream reads tail:DIR or pubsub://project/subscription; files are for"
        " a run without --streaming"
        for each in inputs
        if not each.startswith(LIVE_INPUTS)
    ]
    subscriptions = [each for each in inputs if each.startswith(_PUBSUB)]
    if len(subscriptions) > 1 or (subscriptions and len(inputs) > 1):
        problems.append("a stream reads one subscription, or folders")
    if problems:
        raise UserError(problems)
    subscription = find_subscription(subscriptions[0]) if subscriptions else None
    return Stream(
        tuple(find_tails(inputs)) if not subscription else (),
        subscription,
        seconds("--early", asked.early or "1"),
        asked.batch_rows or 20_000,
        1000 * (20 if asked.batch_ms is None else asked.batch_ms),
        seconds("--rates-refresh", asked.rates_refresh or "60"),
        asked.buckets or BUCKETS,
    )
