-- cost_forecast: what the latest month that has usage will cost if it goes on as it did, per currency.
-- Counted are whole days (UTC, by the window's start): those of the month before the day on which
-- usage was last written (the greatest written_at), since that day may go on; all of them where that
-- day is after the month. days_elapsed is their number, with days without usage.
-- forecast = cost_so_far × days_in_month ÷ days_elapsed, cut after 18 decimals. Both are null where no
-- whole day has a cost yet, such as on the 1st; the forecast is null where cost_so_far reaches 10^17.
WITH
dated AS (
  SELECT
    *,
    MAX(month) OVER () AS last_month,
    DATE(MAX(written_at) OVER (), 'UTC') AS last_written
  FROM steps.daily_usage
),
sums AS (
  SELECT
    month, currency, last_written,
    SUM(CASE WHEN day < last_written THEN cost_whole END) AS cost_whole,
    SUM(CASE WHEN day < last_written THEN cost_rest END) AS cost_rest
  FROM dated
  WHERE month = last_month AND currency IS NOT NULL
  GROUP BY month, currency, last_written
),
spans AS (
  SELECT
    month, currency,
    {amount cost} AS cost,
    EXTRACT(DAY FROM LAST_DAY(month)) AS days_in_month,
    CASE
      WHEN last_written > LAST_DAY(month) THEN EXTRACT(DAY FROM LAST_DAY(month))
      WHEN last_written > month THEN EXTRACT(DAY FROM last_written) - 1
      ELSE 0
    END AS days_elapsed
  FROM sums
),
-- as integers, since division of decimals is not the same in all engines: whole units, and the rest
-- in units of the 12th and of the 18th decimal
multiplied AS (
  SELECT
    *,
    CASE WHEN ABS(cost) < 100000000000000000 THEN CAST(TRUNC(cost) AS INT64) END * days_in_month
      AS units,
    DIV({atoms cost}, 1000000) * days_in_month AS trillionths,
    MOD({atoms cost}, 1000000) * days_in_month AS atoms,
    NULLIF(days_elapsed, 0) AS days
  FROM spans
),
carried AS (
  SELECT *, MOD(units, days) * 1000000000000 + trillionths AS lower
  FROM multiplied
)
SELECT
  month, currency,
  cost AS cost_so_far,
  days_elapsed, days_in_month,
  SAFE_CAST(
    SAFE_CAST(DIV(units, days) AS BIGNUMERIC(19, 0))
    + SAFE_CAST(DIV(lower, days) AS BIGNUMERIC(14, 0)) * SAFE_CAST('0.000000000001' AS BIGNUMERIC(12, 12))
    + SAFE_CAST(DIV((MOD(lower, days) * 1000000 + atoms), days) AS BIGNUMERIC(9, 0))
      * SAFE_CAST('0.000000000000000001' AS BIGNUMERIC(18, 18))
    AS BIGNUMERIC(38, 18)
  ) AS forecast
FROM carried
