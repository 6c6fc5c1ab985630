"""Records made to hurt: none of them stops a run, costs more than it should, or gets past."""

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from runs_desk import Desk, event
from transforms.event_keys import key_texts
from transforms.json_text import canonical, parse
from transforms.reasons import Reason, Rejected
from transforms.shape import UnlearnableError, kind_of
from transforms.timestamps import parse_times


@pytest.mark.parametrize("nested", ['{"a":' * 500 + "1" + "}" * 500, "[" * 500 + "]" * 500])
def test_a_dimension_as_deep_as_json_may_be_is_an_invalid_dimension(
    tmp_path: Path, nested: str
) -> None:
    desk = Desk(tmp_path)
    deep = event(1, 5).replace('"m"', nested)
    desk.run("--input", desk.file("a.ndjson", deep, event(2, 7)))
    assert desk.ask("SELECT reason, meter FROM rejects") == [("invalid_dimension", "tokens")]
    assert desk.tokens() == {10: 7}


def test_json_as_deep_as_it_may_be_has_a_canonical_text() -> None:
    deep = "[" * 512 + "1.0" + "]" * 512
    assert canonical(parse(deep)) == canonical(parse(deep.replace("1.0", "1")))


@pytest.mark.parametrize(
    "text", ['{"a":"\\ud800","a":1}', '{"a":' + "[" * 600 + "]" * 600 + ',"a":1}']
)
def test_what_a_repeated_field_hides_is_no_json_all_the_same(text: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse(text)
    assert refused.value.reason is Reason.NOT_JSON


def test_keys_of_other_kinds_of_sources_are_never_one_text() -> None:
    def text(scope: str | None, customer: str, kind: str, event_id: str) -> str:
        columns = {
            "scope": scope,
            "customer_id": customer,
            "event_type": kind,
            "event_id": event_id,
        }
        fields = pa.table({name: pa.array([v], pa.string()) for name, v in columns.items()})
        texts: list[str] = key_texts(fields, pa.array(["{}"])).to_pylist()
        return texts[0]

    assert text("acme", "x", "y", "3:foo1") != text(None, "acme", "foo", "1")
    assert text(None, "a", "bc", "d") != text(None, "ab", "c", "d")


def test_costs_whose_sum_does_not_fit_do_not_fail_the_run(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    most = "99999999999999999999"
    lines = [event(1, most), event(2, most, 11), event(3, most, 12)]
    desk.run("--input", desk.file("a.ndjson", *lines))
    found = desk.ask("SELECT quantity FROM usage_current WHERE meter = 'tokens'")
    assert found == [(Decimal(most),)] * 3


def test_a_dimension_may_have_any_name(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    catalog = desk.folder / "catalog.yaml"
    catalog.write_text(catalog.read_text().replace("[model]", "{'{meter}': model, '{x}': model}"))
    desk.run("--input", desk.file("a.ndjson", event(1, 5)), rates=False)
    assert desk.ask('SELECT "{meter}", "{x}" FROM usage_tokens') == [("m", "m")]


def test_a_record_of_very_many_fields_is_not_learned() -> None:
    wide = parse(json.dumps([{f"k{i}": 1} for i in range(20_000)]))
    with pytest.raises(UnlearnableError):
        kind_of(wide)


def test_a_time_of_very_many_digits_is_left_to_the_exact_reader() -> None:
    _, read = parse_times(pa.array([f"2026-01-15T10:30:00.{'1' * 100_000}Z"]))
    assert not read.any()
