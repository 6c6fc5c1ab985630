-- runs: one row per run, with its last status. A run writes one row when it starts and one when it
-- ends; the row of the end holds.
SELECT *
FROM stored.runs
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY run_id
  ORDER BY
    CASE WHEN status = 'running' THEN 1 ELSE 0 END,
    finished_at DESC NULLS LAST,
    status DESC,
    started_at DESC
) = 1
