-- ledger_balance: does a run account for all it received? One row per run with meter null, and one
-- per meter of it. `counted` is what the usage rows say, to be held against `metered`.
WITH
revisions AS (
  SELECT
    run_id, meter, customer_id, dimensions, window_start, window_end,
    rate_label, rate_effective_from, unit_price, per, currency,
    MAX(event_count) AS events
  FROM stored.usage
  WHERE run_id IN (SELECT run_id FROM steps.shown_runs)
  GROUP BY
    run_id, meter, customer_id, dimensions, window_start, window_end,
    rate_label, rate_effective_from, unit_price, per, currency
),
entries AS (
  SELECT run_id, meter, outcome, events FROM ledger_current
  UNION ALL
  SELECT run_id, meter, 'counted' AS outcome, events FROM revisions
  UNION ALL
  SELECT run_id, NULL AS meter, 'received' AS outcome, 0 AS events FROM steps.shown_runs
),
sums AS (
  SELECT
    run_id,
    meter,
    SUM(CASE WHEN outcome = 'received' THEN events ELSE 0 END) AS received,
    SUM(CASE WHEN outcome = 'accepted' THEN events ELSE 0 END) AS accepted,
    SUM(CASE WHEN outcome = 'duplicate' THEN events ELSE 0 END) AS duplicate,
    SUM(CASE WHEN outcome = 'matched' THEN events ELSE 0 END) AS matched,
    SUM(CASE WHEN outcome = 'metered' THEN events ELSE 0 END) AS metered,
    SUM(CASE WHEN outcome = 'counted' THEN events ELSE 0 END) AS counted,
    SUM(CASE WHEN outcome = 'rejected' THEN events ELSE 0 END) AS rejected
  FROM entries
  GROUP BY run_id, meter
)
SELECT
  run_id,
  meter,
  CASE WHEN meter IS NULL THEN CAST(received AS INT64) END AS received,
  CASE WHEN meter IS NULL THEN CAST(accepted AS INT64) END AS accepted,
  CASE WHEN meter IS NULL THEN CAST(duplicate AS INT64) END AS duplicate,
  CASE WHEN meter IS NOT NULL THEN CAST(matched AS INT64) END AS matched,
  CASE WHEN meter IS NOT NULL THEN CAST(metered AS INT64) END AS metered,
  CASE WHEN meter IS NOT NULL THEN CAST(counted AS INT64) END AS counted,
  CAST(rejected AS INT64) AS rejected,
  CASE
    WHEN meter IS NULL THEN received = accepted + duplicate + rejected
    ELSE matched = metered + rejected AND metered = counted
  END AS balanced
FROM sums
