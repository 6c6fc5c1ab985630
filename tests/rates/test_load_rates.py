"""Rate tables are read whole, or all that is wrong with them is said, with its line."""

import pickle
from decimal import Decimal

import pytest

from rates import RateBook, RateErrors, RateProblem, load_rates

METERS = {"llm_tokens": ("model", "token_type"), "api_calls": ("region",)}
DAY = 86_400_000_000


def load(*tables: str) -> RateBook:
    files = [(f"{name}.csv", table.encode()) for name, table in zip("abc", tables, strict=False)]
    return load_rates(files, METERS)


def problems(*tables: str) -> list[str]:
    with pytest.raises(RateErrors) as caught:
        load(*tables)
    return str(caught.value).splitlines()


def test_a_row_of_four_cells_is_a_rate() -> None:
    (rate,) = load("meter,label,effective_from,unit_price\napi_calls,list,1970-01-02,0.25\n").rates
    assert (rate.meter, rate.label, rate.unit_price, rate.per) == (
        *("api_calls", "list"),
        *(Decimal("0.25"), Decimal(1)),
    )
    assert (rate.effective_from_us, rate.effective_to_us) == (DAY, None)
    assert (rate.currency, rate.description, rate.customer_id) == ("USD", "", None)
    assert (rate.cells, rate.file, rate.line) == ((), "a.csv", 2)


def test_a_row_may_say_more() -> None:
    (rate,) = load(
        "token_type,customer_id,description,currency,per,unit_price,effective_to,effective_from,"
        "label,meter,model\n"
        'out,c1,"by contract, 2026",EUR,1e6,-2.5,1970-01-03,1970-01-02,own,llm_tokens,m1\n'
    ).rates
    assert (rate.unit_price, rate.per, rate.currency) == (Decimal("-2.5"), Decimal("1e6"), "EUR")
    assert (rate.effective_from_us, rate.effective_to_us) == (DAY, 2 * DAY)
    assert (rate.description, rate.customer_id) == ("by contract, 2026", "c1")
    assert rate.cells == (("model", "m1"), ("token_type", "out"))


def test_an_empty_cell_is_the_default() -> None:
    (rate,) = load(
        "meter,label,effective_from,effective_to,unit_price,per,currency,customer_id,region\n"
        "api_calls,list,2026-01-01,,1,,,,\n"
    ).rates
    assert (rate.effective_to_us, rate.per, rate.currency) == (None, Decimal(1), "USD")
    assert (rate.customer_id, rate.cells) == (None, ())


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_mark_line_ends_and_blank_lines_do_no_harm(end: str) -> None:
    text = "\ufeff\nmeter,label,effective_from,unit_price\n\n  \napi_calls,list,2026-01-01,1\n\n"
    (rate,) = load(text.replace("\n", end)).rates
    assert rate.line == 5


def test_a_line_is_the_one_an_editor_shows() -> None:
    table = (
        "meter,label,effective_from,unit_price,description\n"
        'api_calls,list,2026-01-01,1,"two\nlines"\n'
        "api_calls,list,2026-02-01,x,\n"
        'api_calls,list,2026-03-01,y,"two\r\nlines"\n'
        "api_calls,list,2026-04-01,z,\n"
    )
    assert [text.split(": ")[0] for text in problems(table)] == ["a.csv:4", "a.csv:5", "a.csv:7"]


def test_text_is_taken_as_written() -> None:
    table = "meter,label,effective_from,unit_price,region\napi_calls,#1,2026-01-01,1, Zürich \n"
    (rate,) = load(table).rates
    assert (rate.label, rate.cells) == ("#1", (("region", " Zürich "),))


def test_every_problem_is_said_at_once() -> None:
    table = (
        "meter,label,effective_from,effective_to,unit_price,per,region,model\n"
        "api_cals,,2026-01-01,2026-01-01,1,0,eu,\n"
        "api_calls,list,soon,,NaN,,eu,m1\n"
        "api_calls,list,2026-01-01,,1\n"
        "api_calls,list,2026-01-01,,1,,eu,,\n"
    )
    assert problems(table) == [
        "a.csv:2: per: '0' is not above 0",
        "a.csv:2: meter: the catalog has no 'api_cals'; the nearest is 'api_calls'",
        "a.csv:2: label: is empty, and every row needs it",
        "a.csv:2: effective_to: '2026-01-01' is not after effective_from (2026-01-01T00:00:00Z)",
        (
            "a.csv:3: effective_from: 'soon' is neither a date (2026-01-31) nor an RFC 3339"
            " time with an offset or Z (2026-01-31T12:00:00Z)"
        ),
        "a.csv:3: unit_price: 'NaN' is not a decimal number (like 0.25, -3 or 2.5e-6)",
        (
            "a.csv:3: model: 'm1' is filled in, but meter api_calls has no such dimension"
            " (has: region)"
        ),
        "a.csv:4: has 5 cells where the header has 8 columns",
        "a.csv:5: has 9 cells where the header has 8 columns",
    ]


def test_a_header_names_each_column_once_and_right() -> None:
    table = (
        "meter,label,label,effective_from,price,Modle,,\n"
        "api_calls,list,list,2026-01-01,1,m1,,\n"
        "api_calls,list,list,tomorrow,1,m1,,\n"
    )
    assert [text.removeprefix("a.csv:") for text in problems(table)] == [
        (
            "1: column 'price' is neither a column of rates nor a dimension of any meter; the"
            " nearest is 'unit_price'"
        ),
        (
            "1: column 'Modle' is neither a column of rates nor a dimension of any meter; the"
            " nearest is 'model'"
        ),
        "1: column 7 has no name",
        "1: column 8 has no name",
        "1: column 'label' is there 2 times",
        "1: column unit_price is missing",
        (
            "3: effective_from: 'tomorrow' is neither a date (2026-01-31) nor an RFC 3339"
            " time with an offset or Z (2026-01-31T12:00:00Z)"
        ),
    ]


def test_problems_of_all_files_are_said_in_their_order() -> None:
    good = "meter,label,effective_from,unit_price\napi_calls,list,2026-01-01,1\n"
    assert problems("", good.replace("api_calls", "calls"), good.replace(",1", ",one")) == [
        "a.csv: is empty: its first line names the columns",
        "b.csv:2: meter: the catalog has no 'calls'; the nearest is 'api_calls'",
        "c.csv:2: unit_price: 'one' is not a decimal number (like 0.25, -3 or 2.5e-6)",
    ]


def test_what_is_not_utf8_is_said() -> None:
    table = "meter,label,effective_from,unit_price\napi_calls,Zürich,2026-01-01,1\n"
    with pytest.raises(RateErrors) as caught:
        load_rates([("a.csv", table.encode("latin-1"))], METERS)
    assert caught.value.problems == (RateProblem("a.csv", 2, "is not UTF-8 text"),)


def test_a_quote_that_is_never_closed_is_said() -> None:
    table = (
        "meter,label,effective_from,unit_price\n"
        "api_calls,list,2026-01-01,x\n"
        'api_calls,"list,2026-01-01,1\n'
        "api_calls,list,2026-01-01,1\n"
    )
    first, second = problems(table)
    assert first.startswith("a.csv:2: unit_price: 'x'")
    assert second.startswith("a.csv:3: is not CSV from here on: ")


def test_a_long_cell_is_not_repeated_whole() -> None:
    table = f"meter,label,effective_from,unit_price\napi_calls,list,2026-01-01,{'x' * 999}\n"
    assert len(problems(table)[0]) < 200


def test_a_catalog_without_meters_has_no_nearest_name() -> None:
    with pytest.raises(RateErrors, match=r"the catalog has no 'api_calls'$"):
        load_rates(
            [("a.csv", b"meter,label,effective_from,unit_price\napi_calls,a,2026-01-01,1\n")], {}
        )


def test_errors_survive_a_pickle() -> None:
    error = RateErrors([RateProblem("a.csv", 2, "is wrong")])
    assert pickle.loads(pickle.dumps(error)).problems == error.problems  # noqa: S301 - our own


def test_no_table_and_a_table_without_rows_are_books_without_rates() -> None:
    assert load_rates([], METERS) == RateBook.empty()
    assert load("meter,label,effective_from,unit_price\n").rates == ()


def test_the_digest_is_of_the_contents_in_any_order() -> None:
    one = ("one.csv", b"meter,label,effective_from,unit_price\napi_calls,a,2026-01-01,1\n")
    two = ("two.csv", b"meter,label,effective_from,unit_price\napi_calls,a,2026-02-01,1\n")
    digests = {load_rates(files, METERS).digest for files in ([one, two], [two, one])}
    assert len(digests) == 1
    assert load_rates([one], METERS).digest not in digests
    assert len(digests.pop()) == 64
