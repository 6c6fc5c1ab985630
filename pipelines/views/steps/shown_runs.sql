-- steps.shown_runs: the runs whose rows are in the views: batch runs once they have succeeded,
-- streaming runs always.
SELECT *
FROM main.runs
WHERE mode = 'streaming' OR status = 'succeeded'
