-- usage_<meter>: usage_current of one meter, with a column for each dimension.
SELECT
  run_id, meter, customer_id, {dimensions}
  window_start, window_end, closes_at, quantity, event_count, unit,
  rate_label, rate_effective_from, unit_price, per, currency, cost, pane, written_at
FROM usage_current
WHERE meter = {meter}
