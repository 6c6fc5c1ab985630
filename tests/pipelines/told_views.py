"""What the views have to say of a stream and of backfills beside it: the oracle's word."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oracle import Outcome, Record, meter_batch, split_records

HOUR_US = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Mended:
    """A backfill: the range it covers (µs), its meters, and what it makes of what it reads."""

    start_us: int
    end_us: int
    meters: tuple[str, ...]
    outcome: Outcome

    def covers(self, row: dict[str, Any]) -> bool:
        within = self.start_us <= row["window_start"] and row["window_end"] <= self.end_us
        return within and row["meter"] in self.meters


@dataclass
class Told:
    """Of one file that grows; its records are those that are there when something is asked."""

    catalog: str
    rates: dict[str, str]
    file: Path
    _mended: dict[str, _Mended] = field(default_factory=dict)

    def stream(self) -> Outcome:
        """What a stream has to say that has read all."""
        return self._metered(self._records(), as_streamed=True)

    def mended(self, run_id: str, start_us: int, end_us: int, *meters: str) -> None:
        """A backfill has read all that is there of its range, and what shares a key with that."""
        records = self._records()
        found = self._metered(records).events
        own = {row["event_id"] for row in found if start_us <= row["event_time"] < end_us}
        read = {row["origin"] for row in found if row["event_id"] in own}
        outcome = self._metered(
            [each for each in records if each.origin in read],
            from_us=start_us,
            to_us=end_us,
            meters=meters,
        )
        self._mended[run_id] = _Mended(start_us, end_us, meters, outcome)

    def usage(self) -> list[dict[str, Any]]:
        """Each window as the last backfill has it that covers it, else as the stream has it."""
        rows = self.stream().usage
        for each in self._mended.values():
            rows = [row for row in rows if not each.covers(row)] + each.outcome.usage
        return rows

    def balances(self) -> dict[str, set[tuple[Any, ...]]]:
        """The rows of `ledger_balance` of each run, without its name."""
        runs = {"live": self.stream()} | {name: each.outcome for name, each in self._mended.items()}
        return {name: balance(outcome) for name, outcome in runs.items()}

    def _records(self) -> list[Record]:
        return split_records(str(self.file), self.file.read_bytes())

    def _metered(self, records: list[Record], **given: Any) -> Outcome:
        clock = micros(datetime.now(UTC))
        return meter_batch(
            self.catalog, self.rates, records, source="recorded", started_at_us=clock, **given
        )


def balance(outcome: Outcome) -> set[tuple[Any, ...]]:
    """Rows of `ledger_balance`, as they follow from a run's counts and its usage."""
    found: dict[str | None, Counter[str]] = {None: Counter()}
    for (_, meter, kind, _), events in outcome.ledger.items():
        found.setdefault(meter, Counter())[kind] += events
    for row in outcome.usage:
        found[row["meter"]]["counted"] += row["event_count"]
    return {_balanced(meter, counts) for meter, counts in found.items()}


def _balanced(meter: str | None, counts: Counter[str]) -> tuple[Any, ...]:
    of_run = [
        counts[kind] if meter is None else None for kind in ("received", "accepted", "duplicate")
    ]
    of_meter = [
        None if meter is None else counts[kind] for kind in ("matched", "metered", "counted")
    ]
    return (meter, *of_run, *of_meter, counts["rejected"], True)


def micros(at: datetime) -> int:
    """Since the epoch."""
    elapsed = at - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds


def in_micros(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the oracle has it."""
    return {name: micros(v) if isinstance(v, datetime) else v for name, v in row.items()}
