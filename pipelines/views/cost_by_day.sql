-- cost_by_day: cost per day (of the window, in UTC) and currency. usage_rows counts the rows of the sum,
-- out_of_range_rows those of them whose own cost did not fit and is missing from it. unrated_rows
-- counts the rows of the day that have no rate and hence no currency: it is the same in each row of
-- the day, and where nothing at all has a rate there is a row without currency and cost that says so.
{cost_by day}
