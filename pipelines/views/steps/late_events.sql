-- steps.late_events: the events a run refused as too late that no later batch run took in. A batch
-- run took an event in where it covers the window and has the event among its own events. Where the
-- files of the events are no longer kept it is judged by time: the run began after the arrival.
WITH
late AS (
  SELECT DISTINCT
    reject_windows.run_id, reject_windows.meter, reject_windows.event_key,
    reject_windows.received_at, reject_windows.window_start, reject_windows.window_end,
    shown_runs.mode, shown_runs.started_at, shown_runs.finished_at
  FROM steps.reject_windows
  JOIN steps.shown_runs ON shown_runs.run_id = reject_windows.run_id
  WHERE reject_windows.reason = 'too_late'
),
kept AS (
  SELECT DISTINCT run_id, event_key
  FROM stored.events
  WHERE event_key IN (SELECT event_key FROM late)
),
taken_in AS (
  SELECT DISTINCT late.run_id, late.meter, late.event_key
  FROM late
  JOIN steps.claims
    ON claims.meter = late.meter
    AND claims.window_start = late.window_start
    AND claims.window_end = late.window_end
    AND claims.mode = 'batch'
    AND claims.run_id <> late.run_id
  LEFT JOIN kept AS known ON known.run_id = late.run_id AND known.event_key = late.event_key
  LEFT JOIN kept AS taken ON taken.run_id = claims.run_id AND taken.event_key = late.event_key
  LEFT JOIN late AS again
    ON again.run_id = claims.run_id
    AND again.meter = late.meter
    AND again.event_key = late.event_key
  WHERE
    again.run_id IS NULL
    AND CASE
      WHEN known.run_id IS NULL THEN claims.started_at >= late.received_at
      ELSE taken.run_id IS NOT NULL
    END
    -- what an earlier batch run had is gone where this batch run took its place; a stream took none
    AND (
      late.mode = 'streaming'
      OR claims.started_at > late.started_at
      OR (claims.started_at = late.started_at AND claims.finished_at > late.finished_at)
    )
)
SELECT DISTINCT late.meter, late.window_start, late.window_end, late.event_key
FROM late
LEFT JOIN taken_in
  ON taken_in.run_id = late.run_id
  AND taken_in.meter = late.meter
  AND taken_in.event_key = late.event_key
WHERE taken_in.run_id IS NULL
