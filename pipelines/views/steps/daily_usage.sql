-- steps.daily_usage: usage_current added up by day, with the week (its Monday) and the month (its
-- 1st) of the day, all of the window's start in UTC. Amounts are in two parts, whole units and
-- fractions: their sums fit where a sum of 38 digits would fail. Quantities are added up where that
-- means something: of meters whose aggregation is known to be sum or count, else they are null.
-- usage_rows counts all rows, rated_rows those with a rate, costed_rows those with a cost, and
-- out_of_range_rows those that miss a quantity or a cost since it did not fit.
WITH
known AS (
  SELECT meter, aggregation IN ('sum', 'count') AS adds_up
  FROM stored.meters
),
dated AS (
  SELECT
    usage_current.*,
    known.adds_up,
    UNIX_MICROS(usage_current.window_start) AS start_us,
    DATE(usage_current.window_start, 'UTC') AS day
  FROM usage_current
  LEFT JOIN known ON known.meter = usage_current.meter
)
SELECT
  day,
  -- 1970-01-05 was a Monday. MOD keeps the sign of its first operand, hence twice
  DATE(TIMESTAMP_MICROS(
    MIN(start_us)
    - MOD(MOD(MIN(start_us) - 345600000000, 604800000000) + 604800000000, 604800000000)
  ), 'UTC') AS week,
  CAST(DATE_TRUNC(day, MONTH) AS DATE) AS month,
  meter, customer_id, dimensions, unit, currency,
  CAST(SUM(event_count) AS INT64) AS event_count,
  COUNT(*) AS usage_rows,
  COUNT(unit_price) AS rated_rows,
  COUNT(cost) AS costed_rows,
  COUNT(CASE WHEN quantity IS NULL OR (unit_price IS NOT NULL AND cost IS NULL) THEN 1 END)
    AS out_of_range_rows,
  SUM(TRUNC(cost)) AS cost_whole,
  SUM(cost - TRUNC(cost)) AS cost_rest,
  SUM(CASE WHEN adds_up THEN TRUNC(quantity) END) AS quantity_whole,
  SUM(CASE WHEN adds_up THEN quantity - TRUNC(quantity) END) AS quantity_rest,
  MAX(written_at) AS written_at
FROM dated
GROUP BY day, meter, customer_id, dimensions, unit, currency
