-- usage_current: the usage that holds now: of each window the rows of the run that holds there, and
-- of each row its latest revision: counts only grow, so it is the one with the greatest count.
SELECT stored_usage.*
FROM stored.usage AS stored_usage
JOIN steps.ranked AS holders
  ON holders.place = 1
  AND holders.run_id = stored_usage.run_id
  AND holders.meter = stored_usage.meter
  AND holders.window_start = stored_usage.window_start
  AND holders.window_end = stored_usage.window_end
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY
    stored_usage.meter, stored_usage.customer_id, stored_usage.dimensions,
    stored_usage.window_start, stored_usage.window_end,
    stored_usage.rate_label, stored_usage.rate_effective_from,
    stored_usage.unit_price, stored_usage.per, stored_usage.currency
  ORDER BY stored_usage.event_count DESC, stored_usage.written_at DESC
) = 1
