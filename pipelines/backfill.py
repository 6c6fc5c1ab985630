"""Backfill: the windows that lack events, metered again from the events of the output itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console

from pipelines import runs
from pipelines.backfill_plan import Shape, Stretch, Window, plan
from pipelines.backfill_text import Step, show_left, show_steps
from pipelines.backfill_windows import listed_windows
from pipelines.beam_options import is_launch
from pipelines.bigquery.dataset import PREFIX
from pipelines.inputs import InputReadError, Needed, Piece, amount, sources
from pipelines.problems import UserError
from pipelines.run import run_batch
from pipelines.settings import Asked, Settings, settle
from pipelines.summary import Summary, show_summary
from transforms.scope import Scope
from transforms.sources import BUILT_IN
from transforms.timestamps import format_time, micros_of


@dataclass(frozen=True)
class Backfill:
    """What is to be done: `asked` has the output as its only input, see `asked_for`."""

    asked: Asked
    options: PipelineOptions
    dry_run: bool = False
    quiet: bool = False

    def run(self, console: Console) -> None:
        """Shows what there is to do and, unless it is a dry run, does it, a run after the other.

        Raises UserError before anything is written, and JobFailedError where a run fails: what
        those before it did stays, and the next backfill does the rest.
        """
        settings = settle(self.asked)
        _check_sources(settings)
        wanted, gone = _sorted_out(listed_windows(settings), settings)
        show_left(console, gone, settings.catalog.name)
        found = plan(wanted, _shapes(settings), micros_of(datetime.now(UTC)))
        if not found:
            console.print("There is nothing to backfill.")
            self._end_launch()
            return
        steps = list(_steps(settings, found))
        show_steps(console, steps)
        if self.dry_run:
            return
        done = 0
        for summary in self._all(settings, steps):
            done += 1
            if not self.quiet:
                show_summary(console, summary)
        if done == len(steps):  # else their job goes on elsewhere
            self._tell(console, settings, wanted)

    def _all(self, settings: Settings, steps: Sequence[Step]) -> Iterator[Summary]:
        """A run after the other; on another machine they are one job."""
        own = [self._own(settings, step) for step in steps]
        if settings.dataset is None:
            yield from (run_batch(each, self.options, quiet=self.quiet) for each in own)
            return
        # the service's client takes a while to import, and folders do without
        from pipelines.bigquery.batch import run_into  # noqa: PLC0415
        from pipelines.bigquery.batch_far import run_far, runs_far  # noqa: PLC0415

        if runs_far(self.options):
            yield from run_far(settings.dataset, own, self.options)
            return
        for each in own:
            summary = run_into(settings.dataset, each, self.options, quiet=self.quiet)
            yield from (summary,) if summary else ()

    def _end_launch(self) -> None:
        if is_launch(self.options):
            from pipelines.bigquery.batch_far import launch_nothing  # noqa: PLC0415

            launch_nothing(self.options)

    @staticmethod
    def _own(settings: Settings, step: Step) -> Settings:
        stretch = step.stretch
        scope = Scope(frozenset(stretch.meters), stretch.start_us, stretch.end_us)
        return replace(
            settings,
            asked=replace(settings.asked, run_id=step.run_id),
            inputs=[replace(each, size=step.reads.stored_bytes) for each in settings.inputs],
            pieces=[Piece(each, needed=step.needed) for each in settings.inputs],
            scope=scope,
            meters=tuple(m for m in settings.meters if m.name in stretch.meters),
        )

    def _tell(self, console: Console, settings: Settings, wanted: Sequence[Window]) -> None:
        still = {_place(each) for each in listed_windows(settings)}
        left = [each for each in wanted if _place(each) in still]
        windows = len(wanted) - len(left)
        console.print(f"Mended {windows:,} of {len(wanted):,} entries of windows_to_backfill.")
        if left:
            console.print(
                f"{len(left):,} are listed again: a stream has counted more in them meanwhile, or"
                " their events are not in the output."
            )


def asked_for(output: str, **given: str | None) -> Asked:
    """What a user asks of a backfill, as options of a run whose only input is its output."""
    own = f"{output}.events" if output.startswith(PREFIX) else output
    return Asked(inputs=[own], output=output, **given)  # type: ignore[arg-type]


def _check_sources(settings: Settings) -> None:
    """The catalog has to have all sources of the events: a record is read as its source says."""
    (events,) = settings.inputs
    try:
        found = sources(events.path)
    except InputReadError as error:
        raise UserError(str(error)) from None
    missing = sorted(found - set(settings.catalog.sources))
    if missing:
        raise UserError(
            f"{settings.catalog.name}: has no source {', '.join(missing)}, which events in"
            f" {events.path} are of; put it back into the catalog"
        )


def _sorted_out(windows: Sequence[Window], settings: Settings) -> tuple[list[Window], list[Window]]:
    """The windows that are asked for, and those of meters that the catalog does not have."""
    known = {meter.name for meter in settings.catalog.meters}
    chosen = {meter.name for meter in settings.meters}
    scope = settings.scope
    within = [
        each
        for each in windows
        if (scope.start_us is None or scope.start_us <= each.start_us)
        and (scope.end_us is None or each.end_us <= scope.end_us)
    ]
    gone = [each for each in within if each.meter not in known]
    return [each for each in within if each.meter in chosen], gone


def _shapes(settings: Settings) -> dict[str, Shape]:
    return {
        meter.name: Shape(meter.window_us, meter.allowed_lateness_us) for meter in settings.meters
    }


def _steps(settings: Settings, found: Sequence[Stretch]) -> Iterator[Step]:
    (events,) = settings.inputs
    catalog = settings.catalog
    fixed = frozenset(name for name, each in BUILT_IN.items() if catalog.sources[name] == each)
    ids = _run_ids(settings, found)
    for stretch, run_id in zip(found, ids, strict=True):
        needed = Needed(stretch.start_us, stretch.end_us, catalog.digest, fixed)
        try:
            yield Step(stretch, run_id, needed, amount(events.path, needed))
        except InputReadError as error:
            raise UserError(str(error)) from None


def _run_ids(settings: Settings, found: Sequence[Stretch]) -> list[str | None]:
    """The ids of the runs: one that was given, with the beginning of each where they are more."""
    given = settings.asked.run_id
    if given is None:
        return [None for _ in found]
    ids = [given]
    if len(found) > 1:
        ids = [f"{given}-{_digits(each.start_us)}-{each.meters[0]}" for each in found]
    for run_id in ids:
        if settings.dataset:
            runs.check_legal(run_id)  # the rest is looked up where it runs
        else:
            runs.check_run_id(settings.output, run_id, "batch")
    return list(ids)


def _digits(at_us: int) -> str:
    return "".join(each for each in format_time(at_us) if each.isdecimal())[:12]


def _place(window: Window) -> tuple[str, int, int, str]:
    return window.meter, window.start_us, window.end_us, window.reason
