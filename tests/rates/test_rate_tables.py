"""The tables that come with the project, and those its pages show, are good ones."""

import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rates import RateBook, RateErrors, costs, load_rates, read_rate_files
from rates.cells import parse_moment

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "rates" / "tables"
PAGE = (ROOT / "docs" / "rates.md").read_text()
METERS = {
    "llm_tokens": ("model", "token_type"),
    "api_calls": ("region",),
    "gpu_seconds": ("gpu", "region"),
    "storage_gb_hours": ("region", "storage_class"),
}
SHOWN = [
    text.encode() for text in re.findall(r"^```csv\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
]


@pytest.fixture(scope="module")
def book() -> RateBook:
    return load_rates(read_rate_files(str(TABLES)), METERS)


def priced(book: RateBook, quantity: str, meter: str, at: str, **said: str) -> tuple[str, Decimal]:
    customer = said.pop("customer", "somebody")
    at_us = np.array([parse_moment(at)], np.int64)
    dimensions = {name: pa.array([text]) for name, text in said.items()}
    index = book.match(meter, pa.array([customer]), dimensions, at_us)
    found, _ = costs(book, pa.array([Decimal(quantity)], pa.decimal128(38, 18)), index)
    return book.rates[index[0]].label, found[0].as_py()


@pytest.mark.parametrize("table", sorted(TABLES.glob("*.csv")), ids=lambda path: path.stem)
def test_each_example_table_loads_by_itself(table: Path) -> None:
    assert load_rates(read_rate_files(str(table)), METERS).rates


def test_the_example_tables_load_together(book: RateBook) -> None:
    assert {rate.meter for rate in book.rates} == set(METERS)
    assert {rate.customer_id for rate in book.rates} > {None, "acme"}
    assert all(rate.description.startswith("Example") for rate in book.rates)


def test_the_example_tables_price_as_their_descriptions_say(book: RateBook) -> None:
    at = "2026-03-15"
    tokens = {"model": "gpt-4o", "token_type": "output"}
    assert priced(book, "1e6", "llm_tokens", at, **tokens) == ("gpt-4o out", Decimal(10))
    assert priced(book, "1e6", "llm_tokens", at, customer="acme", **tokens)[1] == 8
    assert priced(book, "1e6", "llm_tokens", "2027-01-01", customer="acme", **tokens)[1] == 10
    assert priced(book, "1e6", "llm_tokens", at, customer="globex")[0] == "globex flat"
    assert priced(book, "7200", "gpu_seconds", at, gpu="h100-80gb")[1] == Decimal("5.98")
    assert priced(book, "3600", "gpu_seconds", at, gpu="l4", customer="initech")[1] < 0
    assert priced(book, "2e6", "api_calls", at, region="mars") == ("elsewhere", Decimal("2.4"))
    storage = {"storage_class": "standard", "region": "us-east-1"}
    assert priced(book, "7300", "storage_gb_hours", at, **storage)[1] == Decimal("0.23")


@pytest.mark.parametrize("table", SHOWN, ids=range(len(SHOWN)))
def test_the_tables_of_the_page_load(table: bytes) -> None:
    assert load_rates([("page.csv", table)], METERS).rates


def test_the_sums_of_the_page_are_right() -> None:
    first, lots, nearest, cut = (load_rates([("page.csv", table)], METERS) for table in SHOWN[:4])
    at = "2026-02-01"
    eu = priced(first, "500", "api_calls", at, region="eu-west-1")
    assert eu == ("list eu", Decimal("0.000555"))
    assert priced(first, "500", "api_calls", at) == ("list", Decimal("0.0006"))
    assert priced(lots, "90", "gpu_seconds", at)[1] == Decimal("0.09")
    assert priced(lots, "1500", "llm_tokens", at)[1] == Decimal("0.00375")
    assert priced(cut, "40", "api_calls", "2026-01-15T10:29:59Z") == ("old", Decimal("0.8"))
    assert priced(cut, "60", "api_calls", "2026-01-15T10:30:00Z") == ("new", Decimal("1.8"))
    for customer, model, kind, when, label, price in [
        ("initech", "small", "input", "2026-02-01", "list", 5),
        ("initech", "large", "", "2026-02-01", "large", 8),
        ("initech", "large", "output", "2026-02-01", "large out", 20),
        ("initech", "large", "output", "2026-08-01", "large out", 16),
        ("acme", "large", "output", "2026-08-01", "acme", 4),
        ("acme", "large", "output", "2026-10-01", "large out", 16),
    ]:
        said = {"customer": customer, "model": model, "token_type": kind}
        assert priced(nearest, "1e6", "llm_tokens", when, **said) == (label, Decimal(price))


def test_the_tie_of_the_page_is_one() -> None:
    lines = re.findall(r"^    (\S.*)$", PAGE, re.MULTILINE)
    start = next(n for n, line in enumerate(lines) if line.startswith("meter,"))
    table = "\n".join(lines[start : start + 3])
    with pytest.raises(RateErrors) as caught:
        load_rates([("rates.csv", table.encode())], METERS)
    assert str(caught.value) == " ".join(lines[start + 3 : start + 7])
