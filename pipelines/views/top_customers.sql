-- top_customers: cost per month (by its 1st; of the window's start, in UTC), currency and customer,
-- with the customer's place among all of the month and currency: 1 has the highest cost, equal costs
-- share a place, a cost that does not fit comes last. share_percent is the part of their sum, cut
-- after four decimals, from at least 12 digits of both: null where the sum is 0, or one of them
-- reaches 10^15. Usage without a rate is not here.
WITH
sums AS (
  SELECT
    month, currency, customer_id,
    SUM(cost_whole) AS cost_whole,
    SUM(cost_rest) AS cost_rest,
    SUM(SUM(cost_whole)) OVER (PARTITION BY month, currency) AS base_whole,
    SUM(SUM(cost_rest)) OVER (PARTITION BY month, currency) AS base_rest
  FROM steps.daily_usage
  WHERE currency IS NOT NULL
  GROUP BY month, currency, customer_id
),
compared AS (
  SELECT
    month, currency, customer_id,
    {amount cost} AS part,
    {amount base} AS base
  FROM sums
),
{percent compared}
SELECT
  month, currency,
  RANK() OVER (PARTITION BY month, currency ORDER BY part DESC NULLS LAST) AS place,
  customer_id,
  part AS cost,
  percent AS share_percent
FROM percents
