WITH sums AS (
  SELECT
    {of}, meter, customer_id, unit, currency,
    SUM(quantity_whole) AS quantity_whole,
    SUM(quantity_rest) AS quantity_rest,
    SUM(event_count) AS event_count,
    SUM(cost_whole) AS cost_whole,
    SUM(cost_rest) AS cost_rest,
    SUM(usage_rows) AS usage_rows,
    SUM(usage_rows - rated_rows) AS unrated_rows,
    SUM(out_of_range_rows) AS out_of_range_rows
  FROM steps.daily_usage
  GROUP BY {of}, meter, customer_id, unit, currency
)
SELECT
  {of}, meter, customer_id, unit, currency,
  {amount quantity} AS quantity,
  CAST(event_count AS INT64) AS event_count,
  {amount cost} AS cost,
  CAST(usage_rows AS INT64) AS usage_rows,
  CAST(unrated_rows AS INT64) AS unrated_rows,
  CAST(out_of_range_rows AS INT64) AS out_of_range_rows
FROM sums
