-- steps.ranked: the runs that have a say in a window, each with its place there. The first holds:
-- the latest of the batch runs that cover it, else the streaming run that counted most events there
-- (`events`, in its last revisions; null where nobody asks), then the later. `covered`: by a batch
-- run. (By their names batch comes before streaming.)
WITH
claims AS (
  SELECT
    *,
    MIN(mode) OVER (PARTITION BY meter, window_start, window_end) = 'batch' AS covered,
    COUNT(*) OVER (PARTITION BY meter, window_start, window_end) AS sharing
  FROM steps.claims
),
revisions AS (
  SELECT run_id, meter, window_start, window_end, MAX(event_count) AS events
  FROM stored.usage
  JOIN claims USING (run_id, meter, window_start, window_end)
  WHERE claims.sharing > 1 AND NOT claims.covered
  GROUP BY
    run_id, meter, window_start, window_end, customer_id, dimensions,
    rate_label, rate_effective_from, unit_price, per, currency
),
counted AS (
  SELECT run_id, meter, window_start, window_end, SUM(events) AS events
  FROM revisions
  GROUP BY run_id, meter, window_start, window_end
)
SELECT
  claims.meter, claims.window_start, claims.window_end, claims.run_id, claims.mode,
  claims.started_at, claims.covered, counted.events,
  ROW_NUMBER() OVER (
    PARTITION BY claims.meter, claims.window_start, claims.window_end
    ORDER BY
      claims.mode,
      counted.events DESC NULLS LAST,
      claims.started_at DESC,
      claims.finished_at DESC NULLS FIRST,
      claims.run_id DESC
  ) AS place
FROM claims
LEFT JOIN counted
  ON counted.run_id = claims.run_id
  AND counted.meter = claims.meter
  AND counted.window_start = claims.window_start
  AND counted.window_end = claims.window_end
