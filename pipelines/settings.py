"""What a user asks of a run, checked: catalog, rates, inputs and options, all errors at once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.inputs import (
    InputErrors,
    InputFile,
    InputReadError,
    Piece,
    clock_arrivals,
    find_inputs,
    split_into_pieces,
)
from pipelines.inputs.find import absolute, nearest_name
from pipelines.moments import moment, share
from pipelines.outputs import dataset_of, folder_of
from pipelines.problems import UserError
from pipelines.remote_files import ask_no_credentials, is_remote, read_remote
from pipelines.stream_settings import LIVE_INPUTS, Stream, StreamAsked, check_stream
from rates import RateBook, RateErrors, load_rates, read_rate_files
from transforms.catalog import Catalog, Meter, Source
from transforms.catalog_file import load_catalog
from transforms.catalog_problems import CatalogErrors
from transforms.scope import Scope
from transforms.timestamps import format_time

T = TypeVar("T")

BLOCK_BYTES = 32 << 20


@dataclass(frozen=True)
class Asked:
    """The options of `meterbeam run` as they were given."""

    catalog: str
    inputs: Sequence[str]
    output: str
    rates: str | None = None
    source: str = "native"
    streaming: bool = False
    as_streamed: bool = False
    start: str | None = None
    end: str | None = None
    meters: str | None = None
    replace: bool = False
    max_rejects: str | None = None
    run_id: str | None = None
    block_bytes: int = BLOCK_BYTES
    stream: StreamAsked = field(default_factory=StreamAsked)


@dataclass(frozen=True)
class Settings:
    """The same, loaded and found to be right."""

    asked: Asked
    catalog: Catalog
    book: RateBook
    source: Source
    inputs: list[InputFile]
    pieces: list[Piece]
    output: Path
    scope: Scope
    meters: tuple[Meter, ...]
    max_rejects: Decimal | None
    stream: Stream | None = None
    dataset: Dataset | None = None  # of BigQuery; then `output` is nowhere yet

    @property
    def takes_place(self) -> bool:
        """Whether this run may cover what an earlier one covers."""
        ranged = self.scope.start_us is not None or self.scope.end_us is not None
        place = f"{PREFIX}{self.dataset}.events" if self.dataset else str(self.output)
        own = any(file.holds_events and file.path == place for file in self.inputs)
        return self.asked.replace or ranged or own


class _Problems:
    """Gathers what is wrong, so that one run of the command tells all of it."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def of(self, make: Callable[[], T], otherwise: T) -> T:
        try:
            return make()
        except UserError as error:
            self.found.extend(error.problems)
        except (CatalogErrors, RateErrors, InputErrors) as error:
            self.found.extend(str(problem) for problem in error.problems)
        except InputReadError as error:
            self.found.append(str(error))
        except OSError as error:
            self.found.append(f"{error.filename}: {error.strerror}")
        return otherwise


def read_catalog(path: str) -> Catalog:
    """A catalog file, local or gs://. Raises CatalogErrors, UserError or OSError."""
    if is_remote(path):
        return load_catalog(path, read_remote(path))
    file = Path(path)
    if not file.exists():
        raise UserError(f"--catalog {path}: no such file{nearest_name(absolute(path))}")
    return load_catalog(path, file.read_bytes())


def read_rates(path: str | None, catalog: Catalog) -> RateBook:
    """The rates of a file or folder, checked against a catalog; an empty book for None."""
    if path is None:
        return RateBook.empty()
    if is_remote(path):
        ask_no_credentials()
    meters = {meter.name: tuple(name for name, _ in meter.dimensions) for meter in catalog.meters}
    return load_rates(read_rate_files(path), meters)


def check_files(catalog_path: str, rates_path: str | None) -> tuple[Catalog, RateBook]:
    """A catalog and its rates; raises UserError with all that is wrong with either."""
    problems = _Problems()
    catalog = problems.of(lambda: read_catalog(catalog_path), None)
    if catalog is None:
        raise UserError(problems.found)
    checked = catalog
    book = problems.of(lambda: read_rates(rates_path, checked), RateBook.empty())
    if problems.found:
        raise UserError(problems.found)
    return catalog, book


def settle(asked: Asked) -> Settings:
    """Loads and checks everything a run needs; raises UserError with all that is wrong."""
    problems = _Problems()
    catalog = problems.of(lambda: read_catalog(asked.catalog), None)
    none: list[InputFile] = []
    stream = problems.of(lambda: _stream(asked), None)
    inputs = none if asked.streaming else problems.of(lambda: find_inputs(asked.inputs), none)
    no_pieces: list[Piece] = []
    pieces = problems.of(lambda: _pieces(inputs, asked.block_bytes), no_pieces)
    dataset = problems.of(lambda: dataset_of(asked.output), None)
    in_folder = not asked.output.startswith(PREFIX)
    output = problems.of(lambda: folder_of(asked.output), Path()) if in_folder else Path()
    max_rejects = problems.of(lambda: share("--max-rejects", asked.max_rejects), None)
    start = problems.of(lambda: moment("--from", asked.start), None)
    end = problems.of(lambda: moment("--to", asked.end), None)
    if start is not None and end is not None and start >= end:
        problems.found.append(f"--from {asked.start} is not before --to {asked.end}")
    if catalog is None:
        raise UserError(problems.found)
    checked = catalog
    book = problems.of(lambda: read_rates(asked.rates, checked), RateBook.empty())
    source = problems.of(lambda: _source(checked, asked.source), None)
    meters = problems.of(lambda: _meters(checked, asked.meters), checked.meters[:0])
    problems.found.extend(_cut_windows(meters, [("--from", start), ("--to", end)]))
    if asked.as_streamed and not asked.streaming and source is not None:
        kind = source
        problems.found.extend(problems.of(lambda: _not_recorded(checked, kind, inputs), []))
    if problems.found or source is None:
        raise UserError(problems.found)
    names = frozenset(meter.name for meter in meters)
    scope = Scope(names, start, end, asked.as_streamed or asked.streaming)
    return Settings(
        asked,
        catalog,
        book,
        source,
        inputs,
        pieces,
        output,
        scope,
        meters,
        max_rejects,
        stream,
        dataset,
    )


def _stream(asked: Asked) -> Stream | None:
    if not asked.streaming:
        if asked.stream.given:
            raise UserError(f"{', '.join(asked.stream.given)}: only with --streaming")
        live = [each for each in asked.inputs if each.startswith(LIVE_INPUTS)]
        if live:
            raise UserError([f"--input {each}: is read with --streaming" for each in live])
        return None
    if asked.replace:
        raise UserError("--replace: a stream takes the place of no other run; a batch run does")
    return check_stream(asked.stream, asked.inputs)


def _pieces(inputs: Sequence[InputFile], block_bytes: int) -> list[Piece]:
    return [piece for file in inputs for piece in split_into_pieces(file, block_bytes)]


def _source(catalog: Catalog, name: str) -> Source:
    try:
        return catalog.source(name)
    except ValueError as error:
        raise UserError(f"--source {name}: {error}") from None


def _meters(catalog: Catalog, text: str | None) -> tuple[Meter, ...]:
    if text is None:
        return catalog.meters
    problems, chosen = [], []
    for name in dict.fromkeys(part.strip() for part in text.split(",")):
        try:
            chosen.append(catalog.meter(name))
        except ValueError as error:
            problems.append(f"--meters {text}: {error}")
    if problems:
        raise UserError(problems)
    return tuple(chosen)


def _cut_windows(meters: Iterable[Meter], ends: Sequence[tuple[str, int | None]]) -> list[str]:
    return [
        f"{option} {format_time(at)} is inside a window of meter {meter.name}, which begins at"
        f" {format_time(at - at % meter.window_us)}: a run takes whole windows"
        for option, at in ends
        for meter in meters
        if at is not None and at % meter.window_us
    ]


def _not_recorded(catalog: Catalog, source: Source, inputs: Sequence[InputFile]) -> list[str]:
    """`--as-streamed` decides what was late by recorded arrivals, so there must be some."""
    problems = []
    recorded = {name for name, each in catalog.sources.items() if each.received_at}
    if any(not file.holds_events for file in inputs) and source.name not in recorded:
        problems.append(
            f"--as-streamed: source {source.name} does not record arrivals; use --source recorded,"
            " or give the source a received_at"
        )
    problems.extend(
        f"--as-streamed: {file.path} holds events whose arrival was the clock of a batch run"
        for file in inputs
        if file.holds_events and clock_arrivals(file.path, recorded)
    )
    return problems
