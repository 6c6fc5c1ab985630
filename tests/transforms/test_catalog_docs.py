"""What the page about the catalog shows is so."""

import re
from pathlib import Path

import pytest

from transforms.catalog_file import load_catalog
from transforms.catalog_problems import CatalogErrors

PAGE = (Path(__file__).parents[2] / "docs" / "catalog.md").read_text()
BLOCKS = re.findall(r"(?<!<!-- mistakes -->\n)```yaml\n(.*?)```", PAGE, re.DOTALL)
MISTAKES = re.findall(r"<!-- mistakes -->\n```yaml\n(.*?)```\n\n```\n(.*?)```", PAGE, re.DOTALL)
METER = "version: 1\nmeters:\n- name: m\n  event_type: e\n  aggregation: count\n"


@pytest.mark.parametrize("block", BLOCKS)
def test_the_catalogs_and_parts_of_meters_shown_are_right(block: str) -> None:
    part = METER + re.sub(r"^", "  ", block, flags=re.MULTILINE)
    text = block if block.startswith("version:") else part
    assert load_catalog("catalog.yaml", text.encode()).meters


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_the_mistakes_shown_are_said_so(text: str, said: str) -> None:
    with pytest.raises(CatalogErrors) as error:
        load_catalog("catalog.yaml", text.encode())
    assert str(error.value) == said.rstrip("\n")


def test_the_defaults_shown_are_the_defaults() -> None:
    shown = next(block for block in BLOCKS if "dedup_horizon" in block)
    without = re.sub(r"defaults:\n(  .*\n)*", "", shown, count=1)
    one, two = (load_catalog("catalog.yaml", text.encode()) for text in (shown, without))
    assert without != shown
    assert (one.meters, one.future_tolerance_us) == (two.meters, two.future_tolerance_us)
    assert one.dedup_horizon_us == two.dedup_horizon_us
