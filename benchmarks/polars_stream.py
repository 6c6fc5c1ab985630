"""A peer of the batch benchmark: the same outputs as `meterbeam run`, by hand in polars.

    python benchmarks/polars_stream.py --input FILE --output DIR [--rates CSV] [--stages]

Runs on the environment of polars_env.py, which has polars and nothing else: the streaming engine,
on two threads. For clean files: a line that is no event ends it. README.md says what it leaves out.
"""

import os

os.environ["POLARS_MAX_THREADS"] = "2"  # read when polars is imported

import argparse
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from polars_meters import TEXTS, VALUES, doubtful, quantities
from polars_rates import priced

HERE = Path(__file__).parent
RECORD = {
    "id": pl.String,
    "event_type": pl.String,
    "customer_id": pl.String,
    "timestamp": pl.String,
    "properties": pl.Struct(dict.fromkeys([*TEXTS, *VALUES], pl.String)),
}
KEY = ["customer_id", "event_type", "id"]
STAGES: dict[str, float] = {}


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Keep how long a stage took."""
    clock = time.perf_counter()
    yield
    STAGES[name] = time.perf_counter() - clock


def records(file: Path) -> pl.DataFrame:
    """One row a line, in the order of the file: its text, where it begins, and its fields."""
    line = pl.col("line")
    # a fraction passes through a double in the fields; its digits are taken from the line
    digits = line.str.extract(r'"seconds"\s*:\s*"?(-?[0-9.eE+-]+)')
    fields = pl.scan_ndjson(file, schema=RECORD).unnest("properties")
    both = pl.concat([pl.scan_lines(file), fields], how="horizontal")
    amount = pl.coalesce("tokens", "bytes", digits).cast(pl.Decimal(38, 18), strict=False)
    return (
        both.select(
            "line",
            *KEY,
            *TEXTS,
            amount=amount,
            response_time=pl.col("response_time_ms").cast(pl.Decimal(38, 18), strict=False),
            time=pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us"),
            key=pl.struct(KEY).hash(),
            size=line.str.len_bytes().cast(pl.Int64) + 1,
        )
        .collect(engine="streaming")
        .with_row_index("row")
        .with_columns(start=pl.col("size").cum_sum() - pl.col("size"))
    )


def losers(every: pl.DataFrame) -> pl.DataFrame:
    """The rows whose key an earlier row has, and whether they say something else."""
    said = pl.struct("time", "amount", "response_time", *TEXTS)
    first = said.first().over(KEY, order_by="row")
    # candidates by the hash of the key, then exactly
    return (
        every.lazy()
        .filter(pl.col("key").is_duplicated())
        .with_columns(
            conflict=said.ne_missing(first), later=pl.col("row") > pl.col("row").min().over(KEY)
        )
        .filter("later")
        .collect(engine="streaming")
    )


def sink(frame: pl.LazyFrame, output: Path, table: str) -> pl.LazyFrame:
    """A table written as Parquet, when it is collected with the others."""
    target = output / table / "0.parquet"
    return frame.sink_parquet(
        target, compression="zstd", compression_level=1, maintain_order=False, mkdir=True, lazy=True
    )


def archive(every: pl.DataFrame, file: Path, about: dict[str, pl.Expr]) -> pl.LazyFrame:
    """The table `events`. polars has no digest: `event_key` is the parts of the key, joined."""
    return every.lazy().select(
        run_id=about["run_id"],
        source=pl.lit("native"),
        origin=pl.format("{}:{}", pl.lit(str(file)), "start"),
        event_key=pl.concat_str(KEY, separator="/"),
        event_id="id",
        event_type="event_type",
        customer_id="customer_id",
        event_time=pl.col("time").dt.replace_time_zone("UTC"),
        received_at=about["started"],
        payload="line",
    )


def rejects(refused: pl.LazyFrame, file: Path, about: dict[str, pl.Expr]) -> pl.LazyFrame:
    """The table `rejects`."""
    return refused.select(
        run_id=about["run_id"],
        origin=pl.format("{}:{}", pl.lit(str(file)), "start"),
        reason="reason",
        detail=pl.lit(None, pl.String),
        meter="meter",
        event_key=pl.concat_str(KEY, separator="/"),
        customer_id="customer_id",
        event_time=pl.col("time").dt.replace_time_zone("UTC"),
        received_at=about["started"],
        payload=pl.lit(None, pl.String),
    )


def ledger(
    counts: dict[str, int], metered: pl.LazyFrame, refused: pl.LazyFrame, about: dict[str, pl.Expr]
) -> pl.LazyFrame:
    """The table `ledger`."""
    no_text = pl.lit(None, pl.String)
    whole = pl.LazyFrame({"outcome": list(counts), "events": list(counts.values())}).select(
        "outcome", pl.col("events").cast(pl.Int64), meter=no_text, reason=no_text
    )
    events = pl.col("event_count").sum().cast(pl.Int64)
    counted = metered.group_by("meter").agg(events=events).with_columns(reason=no_text)
    without = refused.group_by("meter", "reason").agg(events=pl.len().cast(pl.Int64))
    rejected = without.with_columns(outcome=pl.lit("rejected"))
    matched = [counted, without.filter(pl.col("meter").is_not_null()).with_columns(reason=no_text)]
    parts = [
        whole,
        rejected,
        counted.with_columns(outcome=pl.lit("metered")),
        *(part.with_columns(outcome=pl.lit("matched")) for part in matched),
    ]
    return (
        pl.concat(parts, how="diagonal")
        .group_by("meter", "outcome", "reason")
        .agg(pl.col("events").sum())
        .filter(pl.col("events") > 0)
        .select(
            run_id=about["run_id"],
            period_start=about["started"].dt.truncate("1h"),
            meter="meter",
            outcome="outcome",
            reason="reason",
            events="events",
        )
    )


def run(file: Path, rates: Path, output: Path) -> None:
    """Read `file` and write the tables under `output`."""
    shutil.rmtree(output, ignore_errors=True)
    started = datetime.now(UTC)
    about = {
        "run_id": pl.lit(f"polars-{started:%Y%m%dT%H%M%S}"),
        "started": pl.lit(started, pl.Datetime("us", "UTC")),
    }
    with stage("records"):
        every = records(file)
    with stage("deduplicate"):
        lost = losers(every)
        accepted = every.lazy().filter(~pl.col("row").is_in(lost["row"].implode()))
    with stage("aggregate"):
        totals = quantities(accepted).collect(engine="streaming")
    with stage("price"):
        usage = priced(totals, rates, about)
    conflicts = (
        lost.lazy()
        .filter("conflict")
        .with_columns(meter=pl.lit(None, pl.String), reason=pl.lit("conflict"))
    )
    refused = pl.concat([conflicts, doubtful(accepted)], how="diagonal")
    counts = {
        "received": len(every),
        "accepted": len(every) - len(lost),
        "duplicate": len(lost) - int(lost["conflict"].sum()),
    }
    with stage("write"):
        tables = {
            "usage": usage,
            "events": archive(every, file, about),
            "rejects": rejects(refused, file, about),
            "ledger": ledger(counts, totals.lazy(), refused, about),
        }
        sinks = [sink(frame, output, name) for name, frame in tables.items()]
        pl.collect_all(sinks, engine="streaming")


def main() -> None:
    """Run once over one file."""
    parser = argparse.ArgumentParser(description="Meter a clean file of events with polars.")
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="a folder, replaced")
    parser.add_argument("--rates", type=Path, default=HERE / "rates.csv")
    parser.add_argument("--stages", action="store_true", help="print the seconds of each stage")
    asked = parser.parse_args()
    run(asked.input.resolve(), asked.rates, asked.output)
    if asked.stages:
        print("\n".join(f"{seconds:7.2f} s  {name}" for name, seconds in STAGES.items()))


if __name__ == "__main__":
    main()
