-- steps.reject_windows: the rejects of meters with the window their event belongs to. A reject does
-- not say how long its meter's windows are: that is looked up in the run's own usage, then in the
-- catalog that came last, then in any usage of the meter. Failing these it is a day, which holds
-- the window whatever its length, since every length divides a day.
WITH
own AS (
  SELECT run_id, meter, MAX(UNIX_MICROS(window_end) - UNIX_MICROS(window_start)) AS window_us
  FROM steps.usage_windows
  GROUP BY run_id, meter
),
anyones AS (
  SELECT meter, MAX(window_us) AS window_us
  FROM own
  GROUP BY meter
),
refused AS (
  SELECT run_id, meter, reason, event_key, origin, received_at, UNIX_MICROS(event_time) AS event_us
  FROM stored.rejects
  WHERE
    run_id IN (SELECT run_id FROM steps.shown_runs)
    AND meter IS NOT NULL
    AND event_time IS NOT NULL
    AND reason NOT IN ('total_out_of_range', 'refused')
),
measured AS (
  SELECT
    refused.*,
    COALESCE(own.window_us, known.window_us, anyones.window_us, 86400000000) AS window_us
  FROM refused
  LEFT JOIN own ON own.run_id = refused.run_id AND own.meter = refused.meter
  LEFT JOIN stored.meters AS known ON known.meter = refused.meter
  LEFT JOIN anyones ON anyones.meter = refused.meter
),
placed AS (
  SELECT
    *,
    -- MOD keeps the sign of its first operand, hence twice: times before 1970 are negative
    event_us - MOD(MOD(event_us, window_us) + window_us, window_us) AS start_us
  FROM measured
)
SELECT
  run_id, meter, reason, COALESCE(event_key, origin) AS event_key, received_at,
  TIMESTAMP_MICROS(start_us) AS window_start,
  TIMESTAMP_MICROS(start_us + window_us) AS window_end
FROM placed
