-- windows_to_backfill: the windows of meters that a backfill would mend, why, and the number of
-- events that usage_current lacks there: refused as too late, counted by a stream that gave way to
-- another, or counted by a stream after the batch run that holds there began.
WITH found AS (
  SELECT meter, window_start, window_end, 'too_late' AS reason, 1 AS events
  FROM steps.late_events
  UNION ALL
  -- without a count: the run has windows of another length there
  SELECT meter, window_start, window_end, 'split' AS reason, COALESCE(events, 0) AS events
  FROM steps.ranked
  WHERE place > 1 AND NOT covered AND COALESCE(events, 1) > 0
  UNION ALL
  SELECT meter, window_start, window_end, 'after_batch' AS reason, events
  FROM steps.after_batch
)
SELECT meter, window_start, window_end, reason, CAST(SUM(events) AS INT64) AS events
FROM found
GROUP BY meter, window_start, window_end, reason
