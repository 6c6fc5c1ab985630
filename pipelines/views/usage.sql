-- usage: every revision of every row, once. Revisions differ in event_count, so rows with the same
-- count are one revision that was written again; the last writing of it is shown.
SELECT *
FROM stored.usage
WHERE run_id IN (SELECT run_id FROM steps.shown_runs)
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY
    run_id, meter, customer_id, dimensions, window_start, window_end,
    rate_label, rate_effective_from, unit_price, per, currency, event_count
  ORDER BY written_at DESC
) = 1
