-- steps.after_batch: what streams counted in a window after the batch run that covers it began, as
-- the growth of each row's count since then.
WITH
written AS (
  SELECT
    stored_usage.*,
    holders.started_at AS batch_started_at
  FROM stored.usage AS stored_usage
  JOIN steps.shown_runs ON shown_runs.run_id = stored_usage.run_id
  JOIN steps.ranked AS holders
    ON holders.place = 1
    AND holders.mode = 'batch'
    AND holders.meter = stored_usage.meter
    AND holders.window_start = stored_usage.window_start
    AND holders.window_end = stored_usage.window_end
  WHERE shown_runs.mode = 'streaming'
),
grown AS (
  SELECT
    meter, window_start, window_end,
    MAX(event_count)
      - COALESCE(MAX(CASE WHEN written_at <= batch_started_at THEN event_count END), 0) AS events
  FROM written
  GROUP BY
    run_id, meter, window_start, window_end, customer_id, dimensions,
    rate_label, rate_effective_from, unit_price, per, currency
)
SELECT meter, window_start, window_end, events
FROM grown
WHERE events > 0
