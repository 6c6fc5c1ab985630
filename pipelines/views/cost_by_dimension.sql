-- cost_by_dimension: cost per month (by its 1st; of the window's start, in UTC), meter, name and value
-- of a dimension, and currency. A row of usage is in it once for each dimension of its meter, so costs of
-- different dimensions are not to be added up. The value is null where the event had none. Usage
-- without a rate has no currency and no cost: it is in rows of its own. usage_rows counts the rows of
-- the sum. A meter without dimensions is not here.
WITH
named AS (
  SELECT * FROM dimension_names
),
valued AS (
  SELECT
    daily_usage.*,
    named.dimension,
    dimension_value AS value
  FROM steps.daily_usage
  JOIN named ON named.meter = daily_usage.meter
),
sums AS (
  SELECT
    month, meter, dimension, value, currency,
    SUM(cost_whole) AS cost_whole,
    SUM(cost_rest) AS cost_rest,
    SUM(event_count) AS event_count,
    SUM(usage_rows) AS usage_rows
  FROM valued
  GROUP BY month, meter, dimension, value, currency
)
SELECT
  month, meter, dimension, value, currency,
  {amount cost} AS cost,
  CAST(event_count AS INT64) AS event_count,
  CAST(usage_rows AS INT64) AS usage_rows
FROM sums
