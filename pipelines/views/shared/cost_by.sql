WITH sums AS (
  SELECT
    {of},
    currency,
    SUM(cost_whole) AS cost_whole,
    SUM(cost_rest) AS cost_rest,
    SUM(rated_rows) AS rated_rows,
    SUM(rated_rows - costed_rows) AS out_of_range_rows,
    SUM(SUM(usage_rows - rated_rows)) OVER (PARTITION BY {of}) AS unrated_rows,
    SUM(SUM(rated_rows)) OVER (PARTITION BY {of}) AS all_rated_rows
  FROM steps.daily_usage
  GROUP BY {of}, currency
)
SELECT
  {of},
  currency,
  {amount cost} AS cost,
  CAST(rated_rows AS INT64) AS usage_rows,
  CAST(unrated_rows AS INT64) AS unrated_rows,
  CAST(out_of_range_rows AS INT64) AS out_of_range_rows
FROM sums
WHERE currency IS NOT NULL OR all_rated_rows = 0
