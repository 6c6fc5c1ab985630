"""From a chart's specification to the SVG that a page may hold."""

import re
from typing import Any
from xml.etree import ElementTree as ET

from pipelines.problems import UserError

_SVG = "http://www.w3.org/2000/svg"
_SOFT = {"labelColor": "var(--soft)", "titleColor": "var(--soft)", "labelFontSize": 12}
_CONFIG = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        **_SOFT,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "title": None,
    },
    "legend": {**_SOFT, "title": None, "orient": "bottom"},
}
_LONG = re.compile(r"[0-9]+\.[0-9]{3,}(?:e-[0-9]+)?")
_KEPT = {"svg", "g", "path", "line", "rect", "text", "tspan", "defs", "clipPath", "title"}


def drawn(spec: dict[str, Any]) -> str:
    """The SVG of a Vega-Lite specification; what is said of a mark becomes its title.

    Raises UserError where the library that draws is not installed.
    """
    try:
        import vl_convert  # noqa: PLC0415 - of the extra `report`
    except ImportError:
        raise UserError(
            'a report needs the library that draws: pip install "meterbeam[report]"'
        ) from None
    fit = {"autosize": {"type": "fit", "contains": "padding"}, "padding": 1}
    svg = vl_convert.vegalite_to_svg(spec | fit, "v6.4", config=_CONFIG, allowed_base_urls=[])
    root = ET.fromstring(svg)  # noqa: S314 - drawn here, and it names no entity
    _tidy(root)
    root.set("aria-hidden", "true")
    return ET.tostring(root, encoding="unicode")


def _tidy(element: ET.Element) -> None:
    """Nothing but drawing is left, and no role of its own: the figure says what there is."""
    words = element.attrib.get("aria-label")
    for name in {"d", "transform"} & set(element.attrib):
        element.set(name, _LONG.sub(lambda found: f"{float(found[0]):.2f}", element.attrib[name]))
    for name in [n for n in element.attrib if n.startswith("aria-") or n in {"role", "class"}]:
        del element.attrib[name]
    for child in list(element):
        if child.tag.removeprefix(f"{{{_SVG}}}") not in _KEPT:
            element.remove(child)
        else:
            _tidy(child)
    if words and not len(element):
        ET.SubElement(element, f"{{{_SVG}}}title").text = words


ET.register_namespace("", _SVG)
