-- cost_change: cost per currency and meter in each day, week and month (`period`; period_start is the
-- day, its Monday, or its 1st; of the window's start, in UTC), against the period directly before.
-- Where the meter had no usage with a rate in that currency there, previous_cost and change are null.
-- change_percent is of the size of previous_cost, so that it has the sign of change, cut after four
-- decimals, from at least 12 digits of both: null where previous_cost is 0, or one reaches 10^15.
WITH
sums AS (
  SELECT
    period,
    CASE period WHEN 'day' THEN day WHEN 'week' THEN week ELSE month END AS period_start,
    currency, meter,
    SUM(cost_whole) AS cost_whole,
    SUM(cost_rest) AS cost_rest
  FROM steps.daily_usage
  CROSS JOIN UNNEST(['day', 'week', 'month']) AS period
  WHERE currency IS NOT NULL
  GROUP BY 1, 2, 3, 4
),
ends AS (
  SELECT
    *,
    CASE period
      WHEN 'day' THEN CAST(DATE_ADD(period_start, INTERVAL 1 DAY) AS DATE)
      WHEN 'week' THEN CAST(DATE_ADD(period_start, INTERVAL 7 DAY) AS DATE)
      ELSE CAST(DATE_ADD(period_start, INTERVAL 1 MONTH) AS DATE)
    END AS period_end
  FROM sums
),
before AS (
  SELECT
    *,
    LAG(period_end) OVER earlier = period_start AS follows,
    LAG(cost_whole) OVER earlier AS lag_whole,
    LAG(cost_rest) OVER earlier AS lag_rest
  FROM ends
  WINDOW earlier AS (PARTITION BY period, currency, meter ORDER BY period_start)
),
pairs AS (
  SELECT
    *,
    CASE WHEN follows THEN lag_whole END AS previous_whole,
    CASE WHEN follows THEN lag_rest END AS previous_rest,
    CASE WHEN follows THEN cost_whole - lag_whole END AS change_whole,
    CASE WHEN follows THEN cost_rest - lag_rest END AS change_rest
  FROM before
),
amounts AS (
  SELECT
    period, period_start, currency, meter,
    {amount cost} AS cost,
    {amount previous} AS previous_cost,
    {amount change} AS change
  FROM pairs
),
compared AS (
  SELECT
    period, period_start, currency, meter, cost, previous_cost,
    CASE WHEN cost IS NOT NULL AND previous_cost IS NOT NULL THEN change END AS part,
    ABS(previous_cost) AS base
  FROM amounts
),
{percent compared}
SELECT
  period, period_start, currency, meter, cost, previous_cost,
  part AS change,
  percent AS change_percent
FROM percents
