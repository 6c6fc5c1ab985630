-- events_current: one row per key: the first event to arrive, by received_at, then by its place:
-- the path as text and the byte offset as a number. (An origin without an offset is a message id.)
SELECT *
FROM stored.events
WHERE run_id IN (SELECT run_id FROM steps.shown_runs)
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY event_key
  ORDER BY
    received_at,
    REGEXP_REPLACE(origin, r':[0-9]{1,18}$', ''),
    CAST(REGEXP_EXTRACT(origin, r':([0-9]{1,18})$') AS INT64),
    run_id
) = 1
