-- events: each valid event that a run read, once, however often a retry wrote it.
SELECT *
FROM stored.events
WHERE run_id IN (SELECT run_id FROM steps.shown_runs)
QUALIFY ROW_NUMBER() OVER (PARTITION BY run_id, origin ORDER BY received_at, event_key) = 1
