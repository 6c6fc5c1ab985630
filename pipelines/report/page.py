"""A page as one HTML file: no script, nothing from elsewhere, and all of the data escaped."""

from importlib import resources

from pipelines.problems import UserError
from pipelines.report.model import Page
from pipelines.report.texts import text_of

_FILES = resources.files(__name__.rpartition(".")[0])


def html(page: Page, output: str) -> str:
    """The whole file. Raises UserError where the library for it is not installed."""
    try:
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - of the extra `report`
        from markupsafe import Markup  # noqa: PLC0415
    except ImportError:
        raise UserError(
            'a report needs the library that fills in pages: pip install "meterbeam[report]"'
        ) from None
    around = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    around.filters |= {"cell": text_of, "drawing": Markup}
    style = Markup(_read("page.css"))  # noqa: S704 - ours
    return around.from_string(_read("page.html.jinja")).render(
        page=page, output=output, style=style
    )


def _read(name: str) -> str:
    return _FILES.joinpath(name).read_text(encoding="utf-8")
