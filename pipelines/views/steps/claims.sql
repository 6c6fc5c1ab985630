-- steps.claims: which run has a say in which window of which meter. A batch run with a range covers
-- the windows inside it, for its meters, also those it found nothing in. A batch run without one
-- covers the windows of the events it matched: those that its usage or its rejects fall into. A
-- streaming run has a say where it counted events.
-- The windows of a meter have one length until somebody edits it in the catalog: from then on a run
-- has a say in every window that its own windows overlap.
WITH
counted AS (
  SELECT run_id, meter, window_start, window_end FROM steps.usage_windows
),
own AS (
  SELECT run_id, meter, window_start, window_end FROM counted
  UNION DISTINCT
  SELECT run_id, meter, window_start, window_end FROM steps.reject_windows
),
windows AS (
  SELECT DISTINCT meter, window_start, window_end FROM own
),
edited AS (
  SELECT meter
  FROM windows
  GROUP BY meter
  HAVING COUNT(DISTINCT UNIX_MICROS(window_end) - UNIX_MICROS(window_start)) > 1
),
touched AS (
  SELECT own.run_id, own.meter, own.window_start, own.window_end
  FROM own
  JOIN steps.shown_runs ON shown_runs.run_id = own.run_id
  WHERE mode = 'batch' AND range_start IS NULL AND range_end IS NULL
  UNION DISTINCT
  SELECT counted.run_id, meter, window_start, window_end
  FROM counted
  JOIN steps.shown_runs ON shown_runs.run_id = counted.run_id
  WHERE mode = 'streaming'
),
claimed AS (
  SELECT run_id, meter, window_start, window_end FROM touched
  UNION DISTINCT
  SELECT touched.run_id, windows.meter, windows.window_start, windows.window_end
  FROM windows
  JOIN touched
    ON touched.meter = windows.meter
    -- no window crosses midnight in UTC, so that the day is a key to join on
    AND DATE(touched.window_start, 'UTC')
      = DATE(windows.window_start, 'UTC')
    AND touched.window_start < windows.window_end
    AND windows.window_start < touched.window_end
  WHERE windows.meter IN (SELECT meter FROM edited)
  UNION DISTINCT
  SELECT shown_runs.run_id, windows.meter, windows.window_start, windows.window_end
  FROM windows
  JOIN steps.shown_runs
    ON (range_start IS NULL OR range_start <= windows.window_start)
    AND (range_end IS NULL OR windows.window_end <= range_end)
    AND STRPOS(meters, '"' || windows.meter || '"') > 0
  WHERE mode = 'batch' AND (range_start IS NOT NULL OR range_end IS NOT NULL)
)
SELECT claimed.*, shown_runs.mode, shown_runs.started_at, shown_runs.finished_at
FROM claimed
JOIN steps.shown_runs ON shown_runs.run_id = claimed.run_id
