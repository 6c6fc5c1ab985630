-- ledger_current: the counts that hold: of each run's hour, meter, outcome and reason the greatest.
SELECT run_id, period_start, meter, outcome, reason, MAX(events) AS events
FROM stored.ledger
WHERE run_id IN (SELECT run_id FROM steps.shown_runs)
GROUP BY run_id, period_start, meter, outcome, reason
