-- unrated_usage: the usage that no rate matches, per meter, customer, dimensions and unit, with the
-- starts of its first and last window. usage_rows counts its rows in usage_current, event_count its
-- events.
SELECT
  meter, customer_id, dimensions, unit,
  MIN(window_start) AS first_window,
  MAX(window_start) AS last_window,
  COUNT(*) AS usage_rows,
  CAST(SUM(event_count) AS INT64) AS event_count
FROM usage_current
WHERE unit_price IS NULL
GROUP BY meter, customer_id, dimensions, unit
