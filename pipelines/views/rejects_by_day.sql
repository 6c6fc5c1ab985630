-- rejects_by_day: the number of rejects per day of arrival (UTC), reason and meter. day is null where
-- the arrival is not known, meter where the record itself is at fault.
SELECT DATE(received_at, 'UTC') AS day, reason, meter, COUNT(*) AS rejects
FROM rejects
GROUP BY 1, 2, 3
