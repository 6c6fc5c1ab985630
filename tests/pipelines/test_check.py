"""Warnings name what is allowed and most likely not meant, and only where it is certain."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.check import warnings
from pipelines.shadowed_rates import MeterShadows
from rates import RateBook, RateErrors, load_rates
from transforms.catalog import Catalog
from transforms.catalog_file import load_catalog

HOUR_US = 3_600_000_000
CATALOG = """\
version: 1
meters:
- name: tokens
  event_type: e
  where: {region: [us, eu], $.model: [m1, m2]}
  aggregation: sum
  value: n
  dimensions: {region: region, model: model, kind: kind}
- name: peak
  event_type: e
  aggregation: max
  value: n
  window: 1h
"""
HEADER = "meter,label,effective_from,effective_to,unit_price,customer_id,region,model,kind\n"
BASE = "peak,list,2026-01-01,,1,,,,\ntokens,all,2026-01-01,,1,,us,m9,k\n"
UNUSED = "c.yaml: meter tokens: no rate uses its dimension "


def catalog() -> Catalog:
    """Give a meter that sums, with known regions, and one that takes the greatest."""
    return load_catalog("c.yaml", CATALOG.encode())


def rates(rows: str) -> RateBook:
    """Load rates for the catalog."""
    meters = {each.name: tuple(name for name, _ in each.dimensions) for each in catalog().meters}
    return load_rates([("r.csv", (HEADER + rows).encode())], meters)


def never(rows: str) -> list[str]:
    """Give the warnings about rates, of rows that come after two which do apply."""
    said = warnings(catalog(), rates(BASE + rows))
    assert not [each for each in said if each.startswith("c.yaml")]
    return said


def test_nothing_is_said_where_every_part_has_its_use() -> None:
    assert never("") == []


def test_nothing_is_said_where_nobody_asked_for_costs() -> None:
    assert warnings(catalog(), RateBook.empty()) == []


def test_a_meter_that_no_rate_names() -> None:
    said = "no rate names it, so its usage has no cost"
    assert warnings(catalog(), rates("")) == [
        f"c.yaml: meter tokens: {said}",
        f"c.yaml: meter peak: {said}",
    ]


def test_a_dimension_that_no_rate_uses() -> None:
    book = rates("peak,list,2026-01-01,,1,,,,\ntokens,all,2026-01-01,,1,,us,,\n")
    assert warnings(catalog(), book) == [f"{UNUSED}'kind'", f"{UNUSED}'model'"]


def test_a_rate_for_a_text_that_where_keeps_out() -> None:
    assert never("tokens,asia,2026-01-01,,1,,asia,,\n") == [
        "r.csv:4: the rate 'asia' never applies: `where` of meter tokens lets no region=asia pass"
    ]


def test_a_text_at_another_path_is_not_known() -> None:
    # `where` reads $.model and the dimension model: a source decides whether these are one place
    assert never("tokens,m3,2026-01-01,,1,,,m3,\n") == []


def test_a_rate_for_all_where_every_text_has_its_own() -> None:
    rows = """\
tokens,any,2026-01-01,,1,,,,
tokens,us,2025-01-01,,1,,us,,
tokens,eu,2026-01-01,,1,,eu,,
"""
    assert never(rows) == [
        "r.csv:4: the rate 'any' never applies: other rates always win over it (r.csv:5, r.csv:6)"
    ]


@pytest.mark.parametrize(
    "rows",
    [
        # nobody but this one customer is concerned
        "tokens,any,2026-01-01,,1,,,,\ntokens,one,2025-01-01,,1,c1,,,\n",
        # other kinds may come
        "tokens,any,2026-01-01,,1,,,,\ntokens,a,2025-01-01,,1,,,,a\ntokens,b,2025-01-01,,1,,,,b\n",
        # the rate for eu begins a day later
        (
            "tokens,any,2026-01-01,,1,,,,\ntokens,us,2026-01-01,,1,,us,,\n"
            "tokens,eu,2026-01-02,,1,,eu,,\n"
        ),
        # the rate for eu ends
        (
            "tokens,any,2026-01-01,,1,,,,\ntokens,us,2026-01-01,,1,,us,,\n"
            "tokens,eu,2026-01-01,2027-01-01,1,,eu,,\n"
        ),
        # a rate for the customer wins over those for regions
        (
            "tokens,one,2026-01-01,,1,c1,,,\ntokens,us,2026-01-01,,1,,us,,\n"
            "tokens,eu,2026-01-01,,1,,eu,,\n"
        ),
        # a history of prices: each has its time
        "tokens,a,2026-01-01,,1,,,,\ntokens,b,2026-02-01,,1,,,,\ntokens,c,2026-03-01,,1,,,,\n",
        # a day of another price, and then the old one
        "tokens,a,2026-01-01,,1,,,,\ntokens,b,2026-02-01,2026-02-02,1,,,,\n",
    ],
)
def test_a_rate_that_may_apply_is_not_named(rows: str) -> None:
    assert never(rows) == []


def test_a_rate_of_a_customer_where_every_text_has_its_own_for_that_customer() -> None:
    rows = """\
tokens,any,2026-01-01,2026-02-01,1,c1,,,
tokens,us,2026-01-01,2026-01-10,1,c1,us,,
tokens,us,2026-01-10,2026-02-01,1,c1,us,,
tokens,eu,2026-01-01,2026-02-01,1,c1,eu,,
"""
    assert never(rows) == [
        (
            "r.csv:4: the rate 'any' never applies: other rates always win over it"
            " (r.csv:5, r.csv:6, r.csv:7)"
        )
    ]


def test_a_rate_within_a_window_of_a_meter_whose_windows_have_one_rate() -> None:
    rows = "peak,brief,2026-01-15T10:10:00Z,2026-01-15T10:50:00Z,2,,,,\n"
    assert never(rows) == [
        (
            "r.csv:4: the rate 'brief' never applies:"
            " no window of meter peak starts while it is in effect"
        )
    ]
    assert never(rows.replace("10:50", "11:00")) != []
    assert never(rows.replace("10:50:00", "11:00:01")) == []
    assert never(rows.replace("10:10", "10:00")) == []


def test_a_rate_that_is_superseded_before_the_next_window_starts() -> None:
    rows = "peak,typo,2026-01-15T10:10:00Z,,20,,,,\npeak,mended,2026-01-15T10:20:00Z,,2,,,,\n"
    assert never(rows) == [
        "r.csv:4: the rate 'typo' never applies: other rates always win over it (r.csv:5)"
    ]
    assert never(rows.replace("peak,", "tokens,").replace(",,,,\n", ",,us,,\n")) == []


ROWS = st.lists(
    st.builds(
        "{},{},2026-01-01T{:02}:{:02}:00Z,2026-01-01T{:02}:{:02}:00Z,1,{},{},,{}\n".format,
        st.just("tokens"),
        st.just("x"),
        st.integers(0, 1),
        st.sampled_from([0, 30]),
        st.integers(2, 3),
        st.sampled_from([0, 30]),
        st.sampled_from(["", "c1"]),
        st.sampled_from(["", "us", "eu", "asia"]),
        st.sampled_from(["", "k"]),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=50, deadline=None)
@given(ROWS, st.sampled_from(["sum", "max"]))
def test_a_rate_is_named_exactly_if_no_event_has_it(rows: list[str], aggregation: str) -> None:
    text = CATALOG.replace("aggregation: sum", f"aggregation: {aggregation}", 1)
    meter = load_catalog("c.yaml", text.encode()).meters[0]
    try:
        book = rates("".join(rows))
    except RateErrors:
        return
    step = HOUR_US // 2 if aggregation == "sum" else HOUR_US
    start = 1_767_225_600_000_000  # 2026-01-01
    had = {
        book.match_one("tokens", customer, {"region": region, "kind": kind}, at)
        for customer in ("c1", "c2")
        for region in ("us", "eu")
        for kind in ("k", None)
        for at in range(start, start + 4 * HOUR_US, step)
    }
    shadows = MeterShadows(meter, book.rates)
    assert {rate for rate in book.rates if shadows.why_never(rate)} == set(book.rates) - had
