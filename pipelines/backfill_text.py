"""What a backfill says: what it would do, and what it leaves alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from pipelines.backfill_plan import Stretch, Window
from pipelines.inputs import Amount, Needed
from transforms.timestamps import moment_of

_KIB = 1024
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class Step:
    """One run of a backfill: what it meters, under which id, which events it needs of how many."""

    stretch: Stretch
    run_id: str | None
    needed: Needed
    reads: Amount


def show_steps(console: Console, steps: Sequence[Step]) -> None:
    """A table of the runs, and where their bytes are from."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("meters", overflow="fold")
    for name in ("windows in UTC", "reasons"):
        table.add_column(name, no_wrap=True)
    for name in ("listed", "reads", "bytes"):
        table.add_column(name, justify="right", no_wrap=True)
    for step in steps:
        table.add_row(*_row(step))
    mended = sum(step.stretch.events for step in steps)
    read = sum(step.reads.events for step in steps)
    console.print(
        f"To backfill: {_counted(mended, 'event')} in {_counted(len(steps), 'run')},"
        f" which {'read' if len(steps) > 1 else 'reads'} {_counted(read, 'event')}"
    )
    console.print(table)
    console.print(f"Bytes: {steps[0].reads.about}.")


def show_left(console: Console, gone: Sequence[Window], catalog: str) -> None:
    """Which windows are left alone, because the catalog does not have their meters."""
    for meter, windows in sorted(Counter(each.meter for each in gone).items()):
        console.print(
            f"{catalog} has no meter {meter}: {_counted(windows, 'window')} of it are left alone;"
            " to mend them, run the backfill with a catalog that has the meter.",
            soft_wrap=True,
            highlight=False,
        )


def _row(step: Step) -> tuple[str, ...]:
    stretch = step.stretch
    reasons = Counter[str]()
    for window in stretch.windows:
        reasons[window.reason] += window.events
    windows = {(each.meter, each.start_us, each.end_us) for each in stretch.windows}
    return (
        "\n".join(stretch.meters),
        f"{_minute(stretch.start_us)}\nto {_minute(stretch.end_us)}",
        "\n".join(f"{reason} {events:,}" for reason, events in sorted(reasons.items())),
        f"{len(windows):,}",
        f"{step.reads.events:,}",
        in_units(step.reads.stored_bytes),
    )


def _minute(at_us: int) -> str:
    # a window is a number of minutes
    return f"{moment_of(at_us):%Y-%m-%d %H:%M}"


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def in_units(size: int) -> str:
    """A number of bytes for the eye."""
    unit = 0
    tenths = size * 10
    while tenths >= _KIB * 10 and unit < len(_UNITS) - 1:
        tenths, unit = tenths // _KIB, unit + 1
    text = f"{tenths // 10:,}" if unit == 0 else f"{tenths // 10:,}.{tenths % 10}"
    return f"{text} {_UNITS[unit]}"
