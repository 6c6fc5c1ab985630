-- Fails where a ledger does not balance, so that a scheduled query of it gives notice. Every hour:
--
--   sed 's/my-project.metering/PROJECT.DATASET/' templates/monitoring/ledger_alert.sql | bq query \
--     --use_legacy_sql=false --display_name='Meterbeam: ledger' --schedule='every 1 hours'
--
-- A run that goes on is judged by the hours that ended two hours ago, as its newest counts and usage
-- come some moments apart; a run that has ended by all it has, usage too.
ASSERT NOT EXISTS (
  SELECT run_id
  FROM `my-project.metering.ledger_balance`
  WHERE NOT balanced
    AND run_id IN (SELECT run_id FROM `my-project.metering.runs` WHERE status != 'running')
  UNION ALL
  SELECT run_id
  FROM `my-project.metering.ledger_current`
  WHERE period_start < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 3 HOUR)
  GROUP BY run_id, meter, period_start
  HAVING SUM(CASE WHEN outcome IN ('received', 'matched') THEN events ELSE 0 END)
    != SUM(CASE WHEN outcome IN ('received', 'matched') THEN 0 ELSE events END)
) AS 'the ledger of a run does not balance; see ledger_balance, and docs/runbook.md';
