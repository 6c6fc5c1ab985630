-- rejects: each refusal once: a record may be refused by several meters, for a reason each.
SELECT *
FROM stored.rejects
WHERE run_id IN (SELECT run_id FROM steps.shown_runs)
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY run_id, origin, meter, reason
  ORDER BY received_at, event_key
) = 1
