"""Beam's own options, checked: Beam itself only warns of one that it does not know."""

import argparse
import difflib
from collections.abc import Collection, Iterator, Sequence
from typing import NoReturn

from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
)

from pipelines.beam_memory import Options
from pipelines.problems import UserError

IN_PROCESS = "FnApiRunner"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def beam_options(
    args: Sequence[str], own: Sequence[str] = (), runner: str = IN_PROCESS
) -> PipelineOptions:
    """The options of a pipeline; the runner is `runner` unless another is named.

    Raises UserError for an option that neither Beam nor the engine at `--job_endpoint` nor this
    command (`own`) has, and for a runner or a job server that there is not.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    for group in _groups(PipelineOptions):
        try:
            group._add_argparse_args(parser)  # noqa: SLF001 - how Beam itself collects them
        except argparse.ArgumentError:  # two groups share an option
            continue
    known, unknown = parser.parse_known_args(list(args))
    if unknown and known.job_endpoint:
        from pipelines.job_server import engine_options  # noqa: PLC0415 - gRPC, for this alone

        engine = engine_options(known.job_endpoint)
        own, unknown = [*own, *engine], _unknown_to(engine, unknown)
    if unknown:
        names = [*own, *parser._option_string_actions]  # noqa: SLF001 - the names, for the nearest
        hint = _nearest(unknown[0].partition("=")[0], names) or "; see meterbeam run --help"
        raise UserError(f"unknown option or argument {unknown[0]}{hint}")
    if known.runner is None:
        return Options([*args, f"--runner={runner}"])
    runners = StandardOptions.KNOWN_RUNNER_NAMES
    short = {name.removesuffix("Runner").lower() for name in runners}
    named = known.runner.lower()
    if "." not in named and named not in short | {name.lower() for name in runners}:
        raise UserError(f"--runner {known.runner}: no such runner{_nearest(known.runner, runners)}")
    return Options([*args])


def _unknown_to(engine: Collection[str], options: Sequence[str]) -> list[str]:
    """Those, of options that Beam does not know, that an engine does not know either.

    A value that follows its name apart is of that name.
    """
    found, known = [], False
    for option in options:
        if option.startswith("-"):
            known = option.partition("=")[0] in engine
        if not known:
            found.append(option)
    return found


def engine_of(options: PipelineOptions, otherwise: str = "") -> str:
    """The name of the runner as users say it, in small letters: `dataflow`, `prism`, `flink`."""
    runner = options.view_as(StandardOptions).runner or otherwise
    return str(runner).rpartition(".")[2].lower().removesuffix("runner")


def is_launch(options: PipelineOptions) -> bool:
    """Whether a job is only to be made, for a template's launcher to submit."""
    return options.view_as(GoogleCloudOptions).template_location is not None


def _nearest(name: str, right: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, right, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _groups(parent: type[PipelineOptions]) -> Iterator[type[PipelineOptions]]:
    for group in parent.__subclasses__():
        yield group
        yield from _groups(group)
