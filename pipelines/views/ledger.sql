-- ledger: every count a run wrote, once. A streaming run writes an hour again as its counts grow.
SELECT DISTINCT *
FROM stored.ledger
WHERE run_id IN (SELECT run_id FROM steps.shown_runs)
