"""Rates and costs in polars: see polars_stream.py."""

from decimal import Decimal
from pathlib import Path

import polars as pl
from polars_meters import AMOUNT, DIMENSIONS, TEXTS

CELLS = [name for name in TEXTS if name != "ip"]
UNITS = {
    "llm_tokens": ("token", "1h"),
    "api_calls": ("call", "1h"),
    "api_bytes": ("byte", "1h"),
    "api_addresses": ("address", "1d"),
    "api_slowest": ("millisecond", "1h"),
    "gpu_seconds": ("second", "1h"),
}
RATE = ["label", "effective_from", "unit_price", "per", "currency"]
# prices of up to 12 decimals times quantities of up to 6 make whole numbers of 10^-18
SIX, TWELVE, EIGHTEEN = 10**6, 10**12, 10**18
SMALLEST = Decimal("0.000000000000000001")


def priced(totals: pl.DataFrame, file: Path, about: dict[str, pl.Expr]) -> pl.LazyFrame:
    """The table `usage`: quantities with the most specific rate in effect, and their cost."""
    rates = _rates(file)
    named = rates["customer_id"].drop_nulls().unique().implode()
    keyed = totals.lazy().with_columns(
        named=pl.when(pl.col("customer_id").is_in(named)).then("customer_id")
    )
    on = ["meter", "named", *CELLS, "window_start"]
    best = _best(keyed.select(on).unique(), rates.lazy(), on)
    return _rows(keyed.join(best, on=on, how="left", nulls_equal=True), about)


def _rates(file: Path) -> pl.DataFrame:
    moment = pl.col("effective_from", "effective_to").str.to_datetime("%Y-%m-%d", time_unit="us")
    return pl.read_csv(file, infer_schema=False).with_columns(
        moment,
        pl.col("unit_price").cast(AMOUNT),
        pl.col("per").fill_null("1").cast(AMOUNT),
        pl.col("currency").fill_null("USD"),
        cells=pl.sum_horizontal(pl.col(CELLS).is_not_null()),
    )


def _best(combinations: pl.LazyFrame, rates: pl.LazyFrame, on: list[str]) -> pl.LazyFrame:
    """One rate for each combination that any rate holds for."""
    matches = [
        pl.col(f"{name}_rate").is_null() | (pl.col(f"{name}_rate") == pl.col(name))
        for name in CELLS
    ]
    customer = pl.col("customer_id")
    start, until = pl.col("window_start"), pl.col("effective_to")
    order = ["names", "cells", "effective_from"]
    return (
        combinations.join(rates, on="meter", suffix="_rate")
        .filter(
            pl.col("effective_from") <= start,
            until.is_null() | (start < until),
            customer.is_null() | (customer == pl.col("named")),
            *matches,
        )
        .with_columns(names=customer.is_not_null())
        .sort(order)
        .group_by(on, maintain_order=True)
        .agg(pl.col(RATE).last())
    )


def _cost() -> pl.Expr:
    """The price of the quantity by `per`, half-even at 18 decimals, in whole numbers."""
    quantity = pl.col("quantity").to_physical() // TWELVE
    exact = quantity * (pl.col("unit_price").to_physical() // SIX)
    per = pl.col("per").to_physical() // EIGHTEEN
    whole, twice = exact // per, 2 * (exact % per)
    up = (twice > per) | ((twice == per) & (whole % 2 == 1))
    return (whole + up.cast(pl.Int128)).cast(pl.Decimal(38, 0)) * pl.lit(SMALLEST)


def _dimensions() -> pl.Expr:
    """The dimensions as JSON, by meter."""
    text = pl.lit("{}")
    for meter, names in DIMENSIONS.items():
        encoded = pl.struct(names).struct.json_encode()
        text = pl.when(pl.col("meter") == meter).then(encoded).otherwise(text)
    return text


def _rows(usage: pl.LazyFrame, about: dict[str, pl.Expr]) -> pl.LazyFrame:
    end = pl.col("window_start").dt.offset_by(_of_meter(1))
    return usage.select(
        run_id=about["run_id"],
        meter="meter",
        customer_id="customer_id",
        dimensions=_dimensions(),
        window_start=pl.col("window_start").dt.replace_time_zone("UTC"),
        window_end=end.dt.replace_time_zone("UTC"),
        closes_at=end.dt.offset_by("1d").dt.replace_time_zone("UTC"),
        quantity="quantity",
        event_count="event_count",
        unit=_of_meter(0),
        rate_label="label",
        rate_effective_from=pl.col("effective_from").dt.replace_time_zone("UTC"),
        unit_price="unit_price",
        per="per",
        currency="currency",
        cost=_cost(),
        pane=pl.lit("batch"),
        written_at=about["started"],
    )


def _of_meter(which: int) -> pl.Expr:
    names = {meter: about[which] for meter, about in UNITS.items()}
    return pl.col("meter").replace_strict(names, return_dtype=pl.String)
