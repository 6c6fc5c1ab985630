-- ingest_delay: how long after they happened events arrived (received_at minus event_time), per day of
-- arrival (UTC) and event type, in whole milliseconds, rounded down; negative where an event came
-- before its time. A percentile is a delay that was there: the least that so many percent of the
-- events did not exceed (nearest rank). Each key counts once, by its first arrival.
WITH
delays AS (
  SELECT
    DATE(received_at, 'UTC') AS day,
    event_type,
    UNIX_MICROS(received_at) - UNIX_MICROS(event_time) AS delay_us
  FROM events_current
),
counted AS (
  SELECT
    day,
    event_type,
    -- MOD keeps the sign of its first operand, hence twice: DIV cuts and does not round down
    DIV((delay_us - MOD(MOD(delay_us, 1000) + 1000, 1000)), 1000) AS delay_ms,
    COUNT(*) AS events
  FROM delays
  GROUP BY 1, 2, 3
),
placed AS (
  SELECT
    *,
    SUM(events) OVER (PARTITION BY day, event_type ORDER BY delay_ms) AS until_here,
    SUM(events) OVER (PARTITION BY day, event_type) AS in_all
  FROM counted
)
SELECT
  day,
  event_type,
  CAST(SUM(events) AS INT64) AS events,
  MIN(CASE WHEN until_here * 100 >= in_all * 50 THEN delay_ms END) AS p50_ms,
  MIN(CASE WHEN until_here * 100 >= in_all * 95 THEN delay_ms END) AS p95_ms,
  MIN(CASE WHEN until_here * 100 >= in_all * 99 THEN delay_ms END) AS p99_ms,
  MAX(delay_ms) AS max_ms
FROM placed
GROUP BY day, event_type
