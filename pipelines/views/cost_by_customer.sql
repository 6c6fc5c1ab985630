-- cost_by_customer: cost per customer and currency. usage_rows counts the rows of the sum,
-- out_of_range_rows those of them whose own cost did not fit and is missing from it. unrated_rows
-- counts the rows of the customer that have no rate and hence no currency: it is the same in each row of
-- the customer, and where nothing at all has a rate there is a row without currency and cost that says so.
WITH
current_rows AS (
  SELECT customer_id, currency, unit_price, cost
  FROM usage_current
),
-- whole units and fractions are added apart: their sums fit where a sum of 38 digits would fail
sums AS (
  SELECT
    customer_id,
    currency,
    COUNT(*) AS usage_rows,
    COUNT(*) - COUNT(cost) AS out_of_range_rows,
    SUM(TRUNC(cost)) AS whole,
    SUM(cost - TRUNC(cost)) AS rest
  FROM current_rows
  WHERE unit_price IS NOT NULL
  GROUP BY customer_id, currency
),
unrated AS (
  SELECT customer_id, COUNT(*) AS unrated_rows
  FROM current_rows
  WHERE unit_price IS NULL
  GROUP BY customer_id
)
SELECT
  COALESCE(sums.customer_id, unrated.customer_id) AS customer_id,
  sums.currency,
  SAFE_CAST(sums.whole + TRUNC(sums.rest) AS BIGNUMERIC(38, 18)) + (sums.rest - TRUNC(sums.rest)) AS cost,
  COALESCE(sums.usage_rows, 0) AS usage_rows,
  COALESCE(unrated.unrated_rows, 0) AS unrated_rows,
  COALESCE(sums.out_of_range_rows, 0) AS out_of_range_rows
FROM sums
FULL JOIN unrated ON unrated.customer_id = sums.customer_id
