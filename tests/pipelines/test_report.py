"""A report says what the views say, exactly and escaped, for outputs of every kind."""

import html
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from report_desk import HOSTILE, VALUE, ReportDesk, recorded, rich_lines

AT = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
NOW = timedelta(seconds=1)


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> ReportDesk:
    desk = ReportDesk(tmp_path_factory.mktemp("rich"))
    desk.run(rich_lines(30), "--as-streamed")
    return desk


@pytest.fixture
def desk(tmp_path: Path) -> ReportDesk:
    return ReportDesk(tmp_path)


def text(desk: ReportDesk) -> str:
    """The page as a reader has it, without what is drawn."""
    page = desk.page.read_text()
    body = re.sub(r"<svg.*?</svg>|<style>.*?</style>", " ", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def cells(desk: ReportDesk, caption: str) -> list[list[str]]:
    """The rows of one table."""
    after = desk.page.read_text().partition(f">{caption}</caption>")[2].partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", after.partition("<tbody>")[2], re.DOTALL)
    return [[html.unescape(c) for c in re.findall(r"<bdi>(.*?)</bdi>", row)] for row in rows]


def test_amounts_have_all_their_digits(desk: ReportDesk) -> None:
    tokens = {"tokens": "0.000000000000000001", "model": "m"}
    large = {"tokens": "12345678901234567.5", "model": "m"}
    desk.run(
        [recorded(1, "a", AT, NOW, properties=tokens), recorded(2, "b", AT, NOW, properties=large)]
    )
    desk.report()
    (usage,) = [row for row in cells(desk, "Usage in the period") if row[0] == "tokens"]
    assert usage[:3] == ["tokens", "token", "12,345,678,901,234,567.500000000000000001"]
    places = [row[1:4] for row in cells(desk, "Top customers")]
    assert places == [["1", "b", "30,864,197,253,086.42875"], ["2", "a", "0.01"]]


def test_what_comes_from_data_is_escaped_wherever_it_stands(rich: ReportDesk) -> None:
    rich.report()
    page = rich.page.read_text()
    assert "<script" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert "\x07" not in page
    assert "&lt;script&gt;document" in page
    assert VALUE[:-2] in html.unescape(page)
    assert "{{ 7 * 7 }}" in html.unescape(page)
    assert HOSTILE in html.unescape(page)


def test_the_page_needs_nothing_from_elsewhere(rich: ReportDesk) -> None:
    rich.report()
    page = rich.page.read_text()
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)=\"(?!data:,)", page)
    assert "@import" not in page
    assert "url(" not in page.replace("url(#", "")


def test_every_matter_is_there(rich: ReportDesk) -> None:
    rich.report()
    said = text(rich)
    for words in (
        "Cost by day, USD",
        "Cost by day, EUR",
        "tokens by day, token",
        "Top customers in February 2026",
        "Cost by dimension in February 2026",
        "Change against the previous period",
        "Forecast of the month",
        "Usage without a price",
        "Rejects by reason",
        "Ingest delay",
        "Windows to backfill",
        "Ledger balances yes",
    ):
        assert words in said, words
    reasons = {row[1] for row in cells(rich, "Rejects by day, reason and meter")}
    assert reasons == {"not_json", "too_late"}


def test_a_period_takes_whole_days(rich: ReportDesk) -> None:
    rich.report("--from", "2026-01-10", "--to", "2026-01-12")
    days = {row[0] for row in cells(rich, "Cost by day")}
    assert days == {"2026-01-10", "2026-01-11"}
    assert "Cost by day, USD" in text(rich)
    rich.report("--from", "2031-01-01")
    assert "No usage in the period" in text(rich)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--from", "2026-01-10T10:00:00Z"], "whole days in UTC"),
        (["--from", "2026-01-10", "--to", "2026-01-10"], "has to be later than"),
        (["--to", "soon"], "--to soon: not a time"),
        (["--file", "/no/such/folder/x.html"], "name a file in a folder that is there"),
    ],
)
def test_mistakes_are_named_and_write_nothing(
    rich: ReportDesk, given: list[str], said: str
) -> None:
    rich.page.unlink(missing_ok=True)
    assert said in rich.report(*given, fails=2).stderr
    assert not rich.page.exists()


def test_an_output_that_is_none_is_named(desk: ReportDesk) -> None:
    assert "there is no such folder" in desk.report(fails=2).stderr


@pytest.mark.parametrize("missing", ["vl_convert", "jinja2"])
def test_a_missing_library_is_named_with_the_way_to_it(
    rich: ReportDesk, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    rich.page.unlink(missing_ok=True)
    assert 'pip install "meterbeam[report]"' in rich.report(fails=2).stderr
    assert not rich.page.exists()


def test_an_output_without_usage_says_so(desk: ReportDesk) -> None:
    desk.run([])
    desk.report()
    assert "No run has metered anything yet" in text(desk)


def test_lines_that_are_all_rejected_are_shown(desk: ReportDesk) -> None:
    desk.run(["no event"])
    desk.report()
    assert "100 %" in text(desk)
    assert [row[1] for row in cells(desk, "Rejects by day, reason and meter")] == ["not_json"]


def test_without_rates_usage_is_shown_and_no_cost(desk: ReportDesk) -> None:
    desk.run([recorded(n, "a", AT, NOW) for n in range(9)], rates=False)
    desk.report()
    said = text(desk)
    assert "tokens by hour, token" in said
    assert "No usage with a rate" in said
    assert "Usage that no rate matches" in said
    assert cells(desk, "Cost by day")[0][:3] == ["2026-01-15", "–", "–"]  # noqa: RUF001 - shown so


def test_ten_customers_of_ten_thousand_are_named_and_the_others_are_one(desk: ReportDesk) -> None:
    desk.run([recorded(n, f"c{n:05}", AT, NOW) for n in range(10_000)])
    desk.report()
    assert "9,990 others" in desk.page.read_text()
    assert len(cells(desk, "Top customers")) == 10
    assert len(desk.page.read_bytes()) < 2_000_000


def hundred_meters() -> Iterator[str]:
    for n in range(100):
        properties = {"tokens": n + 1}
        yield recorded(n, "a", AT, NOW, event_type=f"kind_{n:02}", properties=properties)


def test_six_meters_of_a_hundred_are_drawn_and_all_are_listed(tmp_path: Path) -> None:
    meters = "\n".join(
        f"  - {{name: meter_{n:02}, event_type: kind_{n:02}, aggregation: sum, value: tokens}}"
        for n in range(100)
    )
    rates = "meter,label,effective_from,unit_price\n" + "".join(
        f"meter_{n:02},list,2026-01-01,{n}.5\n" for n in range(100)
    )
    desk = ReportDesk(tmp_path, f"version: 1\nmeters:\n{meters}\n", rates)
    desk.run(hundred_meters())
    desk.report()
    assert "6 of 100 meters are drawn" in text(desk)
    assert len(cells(desk, "Usage in the period")) == 100
    assert len(desk.page.read_bytes()) < 2_000_000
