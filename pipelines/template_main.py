"""The main of the templates' image: the parameters of a launch become a command, which is run.

Dataflow's launcher gives each parameter as `--name=value`, and options of Beam beside them. As it
gives a place for the job (`--template_location`), the command returns when it has put it there.
"""

import sys
from collections.abc import Iterator, Sequence

from pipelines.command import main
from pipelines.exit_codes import end_at_once
from pipelines.template_parameters import BACKFILL, STREAM, Template


def template_of(given: Sequence[str]) -> Template:
    """The template that was launched: only a stream has an input."""
    return STREAM if any(each.startswith("--input=") for each in given) else BACKFILL


def arguments(given: Sequence[str]) -> list[str]:
    """The words of the command `meterbeam` for what a launcher gives."""
    template = template_of(given)
    return [*template.fixed, *_options(template, given)]


def _options(template: Template, given: Sequence[str]) -> Iterator[str]:
    """Parameters by the names of their options; what is empty was not filled in."""
    names = {f"--{each.name}": each.option for each in template.parameters}
    for word in given:
        name, equals, value = word.partition("=")
        if name not in names:
            yield word
        elif value or not equals:
            yield f"{names[name]}{equals}{value}"


def launched() -> None:
    """The program."""
    end_at_once(lambda: main(args=arguments(sys.argv[1:]), prog_name="meterbeam"))


if __name__ == "__main__":
    launched()
