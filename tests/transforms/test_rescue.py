"""A record that a kernel fails on costs that record, not the job."""

# ruff: noqa: SLF001 - the mistakes are put where they would be made

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kernels import Steps
from pipelines.inputs import Block
from rates import RateBook
from transforms import block_reader, columnar, meter_batch
from transforms.catalog_file import load_catalog
from transforms.exact import ExactReader
from transforms.rescue import halves_of_block
from transforms.run import Run
from transforms.scope import Scope

CATALOG = b"version: 1\nmeters:\n  - {name: n, event_type: a, aggregation: sum, value: v}\n"


def line(number: int) -> bytes:
    return (
        b'{"id":"%d","event_type":"a","customer_id":"c%d","timestamp":"2026-01-01T00:00:00Z",'
        b'"properties":{"v":1}}\n' % (number, number)
    )


def block(count: int = 20) -> Block:
    return Block("/f.ndjson", b"".join(map(line, range(count))))


def steps() -> Steps:
    catalog = load_catalog("c.yaml", CATALOG)
    book = RateBook.empty()
    return Steps(Run("r", 1_800_000_000_000_000), catalog, book, "native", Scope())


def poisoned(function: Callable[..., Any], has: Callable[..., bool]) -> Callable[..., Any]:
    """The same function, which fails on some arguments."""

    def fails(*args: Any) -> Any:
        if has(*args):
            raise ZeroDivisionError
        return function(*args)

    return fails


def total(outputs: Any) -> Any:
    return sum(row["quantity"] for row in outputs.rows("usage"))


def test_a_fast_path_that_fails_leaves_the_block_to_the_exact_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        columnar.ColumnarReader, "_fast", poisoned(columnar.ColumnarReader._fast, lambda *_: True)
    )
    outputs = steps().process([block()])
    assert total(outputs) == 20
    assert not outputs.rows("rejects")


def test_what_is_logged_of_a_failure_has_nothing_of_the_records(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def quotes(*_: Any) -> None:
        raise ValueError(line(7).decode())

    monkeypatch.setattr(columnar.ColumnarReader, "_fast", quotes)
    monkeypatch.setattr(ExactReader, "read", quotes)
    assert len(steps().process([block()]).rows("rejects")) == 20
    assert "ValueError" in caplog.text
    assert "c7" not in caplog.text
    assert "timestamp" not in caplog.text


def test_a_record_that_no_path_can_read_is_rejected_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    never = poisoned(columnar.ColumnarReader._fast, lambda *_: True)
    monkeypatch.setattr(columnar.ColumnarReader, "_fast", never)
    poison = poisoned(ExactReader.read, lambda _, text: b'"c7"' in text)
    monkeypatch.setattr(ExactReader, "read", poison)
    outputs = steps().process([block()])
    (reject,) = outputs.rows("rejects")
    assert reject["reason"] == "not_json"
    assert "ZeroDivisionError" in reject["detail"]
    assert reject["payload"].encode() + b"\n" == line(7)
    assert reject["origin"] == f"/f.ndjson:{7 * len(line(0))}"
    assert total(outputs) == 19


def test_a_record_that_cannot_be_encoded_is_rejected_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    poison = poisoned(
        block_reader.key_texts, lambda fields, _: "c3" in fields["customer_id"].to_pylist()
    )
    monkeypatch.setattr(block_reader, "key_texts", poison)
    outputs = steps().process([block()])
    assert [reject["reason"] for reject in outputs.rows("rejects")] == ["not_json"]
    assert total(outputs) == 19
    assert outputs.counts[(1_800_000_000_000_000, "", "received", "")] == 20


def test_an_event_that_cannot_be_metered_is_rejected_for_its_meter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def has(_: Any, metered: Any) -> bool:
        return "c5" in metered.column("customer_id").to_pylist()

    monkeypatch.setattr(
        meter_batch.MeterBatch, "_partials", poisoned(meter_batch.MeterBatch._partials, has)
    )
    outputs = steps().process([block()])
    (reject,) = outputs.rows("rejects")
    assert (reject["reason"], reject["meter"], reject["customer_id"]) == (
        "invalid_value",
        "n",
        "c5",
    )
    assert total(outputs) == 19
    by_outcome = {key[2]: count for key, count in outputs.counts.items() if key[1] == "n"}
    assert by_outcome == {"matched": 20, "metered": 19, "rejected": 1}


def test_a_full_disk_is_not_taken_for_a_bad_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise OSError("no space left on device")

    monkeypatch.setattr(block_reader, "key_texts", full)
    with pytest.raises(OSError, match="no space"):
        steps().process([block()])


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_halves_of_a_block_have_its_records_at_their_places(end: bytes) -> None:
    whole = block(5)
    count = 5 + len(end)
    whole = replace(
        whole,
        data=whole.data.rstrip(b"\n") + end + line(9) if end else whole.data,
        origins=pa.array([str(i) for i in range(count)]),
        published=np.arange(count),
        malformed=frozenset({1, 4}),
    )
    pieces, single = [whole], []
    while pieces:
        piece = pieces.pop(0)
        halves = halves_of_block(piece)
        pieces = halves + pieces
        single += [] if halves else [piece]
    assert b"".join(piece.data for piece in single) == whole.data
    for piece in single:
        assert whole.data[piece.start :].startswith(piece.data)
        assert piece.published[0] == int(piece.origins[0].as_py())
        assert (piece.published[0] in whole.malformed) == bool(piece.malformed)
