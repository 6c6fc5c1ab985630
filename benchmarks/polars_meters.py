"""The six meters of catalog.yaml in polars: see polars_stream.py."""

from collections.abc import Sequence

import polars as pl

TEXTS = ["model", "token_type", "region", "method", "gpu", "ip"]
VALUES = ["tokens", "bytes", "response_time_ms", "seconds"]
DIMENSIONS = {
    "llm_tokens": ["model", "region", "token_type"],
    "api_calls": ["method", "region"],
    "gpu_seconds": ["gpu"],
}
NEEDED = {  # what each meter reads that has to be there
    "llm_tokens": ("llm_tokens", "amount"),
    "api_bytes": ("api_call", "amount"),
    "api_slowest": ("api_call", "response_time"),
    "api_addresses": ("api_call", "ip"),
    "gpu_seconds": ("gpu_seconds", "amount"),
}
AMOUNT = pl.Decimal(38, 18)


def quantities(accepted: pl.LazyFrame) -> pl.LazyFrame:
    """Usage before rates: meter, customer, dimensions, start of the window, quantity, count."""
    count, amount = pl.len().cast(pl.Int64), pl.col("amount")
    hourly = _totals(
        accepted.filter(pl.col("event_type") == "api_call"),
        [],
        {
            "api_bytes": amount.sum(),
            "with_bytes": amount.count().cast(pl.Int64),
            "api_slowest": pl.col("response_time").max(),
            "with_time": pl.col("response_time").count().cast(pl.Int64),
        },
    )
    parts = [
        _summed(accepted, "llm_tokens"),
        _summed(accepted, "gpu_seconds"),
        _totals(
            accepted.filter(pl.col("event_type") == "api_call"),
            DIMENSIONS["api_calls"],
            {"quantity": count.cast(AMOUNT), "event_count": count},
        ).with_columns(meter=pl.lit("api_calls")),
        _one_of(hourly, "api_bytes", "with_bytes"),
        _one_of(hourly, "api_slowest", "with_time"),
        _totals(
            accepted.filter((pl.col("event_type") == "api_call") & pl.col("ip").is_not_null()),
            [],
            {"quantity": pl.col("ip").n_unique().cast(AMOUNT), "event_count": count},
            "1d",
        ).with_columns(meter=pl.lit("api_addresses")),
    ]
    return pl.concat(parts, how="diagonal")


def _totals(
    events: pl.LazyFrame, dimensions: Sequence[str], of: dict[str, pl.Expr], window: str = "1h"
) -> pl.LazyFrame:
    start = pl.col("time").dt.truncate(window).alias("window_start")
    return events.group_by("customer_id", *dimensions, start).agg(**of)


def _summed(accepted: pl.LazyFrame, meter: str) -> pl.LazyFrame:
    """A sum of the amounts of the events of the meter's name."""
    events = accepted.filter((pl.col("event_type") == meter) & pl.col("amount").is_not_null())
    totals = {"quantity": pl.col("amount").sum(), "event_count": pl.len().cast(pl.Int64)}
    return _totals(events, DIMENSIONS[meter], totals).with_columns(meter=pl.lit(meter))


def _one_of(hourly: pl.LazyFrame, meter: str, count: str) -> pl.LazyFrame:
    return hourly.filter(pl.col(count) > 0).select(
        "customer_id",
        "window_start",
        quantity=pl.col(meter),
        event_count=pl.col(count),
        meter=pl.lit(meter),
    )


def doubtful(accepted: pl.LazyFrame) -> pl.LazyFrame:
    """Events that a meter cannot take: what it reads is absent or no number."""
    return pl.concat(
        [
            accepted.filter((pl.col("event_type") == kind) & pl.col(needed).is_null()).with_columns(
                meter=pl.lit(meter), reason=pl.lit("missing_value")
            )
            for meter, (kind, needed) in NEEDED.items()
        ]
    )
