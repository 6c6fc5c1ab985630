-- steps.usage_windows: the windows each run has usage rows in.
SELECT DISTINCT run_id, meter, window_start, window_end
FROM stored.usage
WHERE run_id IN (SELECT run_id FROM steps.shown_runs)
