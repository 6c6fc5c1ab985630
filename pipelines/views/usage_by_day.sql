-- usage_by_day: usage and cost per day (of the window's start, in UTC),
-- meter, customer, unit and currency. Usage without a rate has no currency: it is in rows of its own.
-- quantity is the sum where sums mean something, for the aggregations sum and count; else it is null.
-- usage_rows counts the rows of the sum, unrated_rows those without a rate (all or none of them), and
-- out_of_range_rows those whose quantity or cost did not fit and is missing. A sum that does not fit is null.
{usage_by day}
