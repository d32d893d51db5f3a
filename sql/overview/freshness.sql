-- How fresh is the warehouse? Rows of the last 24 hours, the newest one, and seconds from arrival to row.
SELECT
    COUNT(*) AS loaded_rows,
    MAX(arrived_at) AS newest_arrived_at,
    MEDIAN(seconds) AS median_seconds,
    PERCENTILE_CONT(0.99) WITHIN GROUP (ORDER BY seconds) AS p99_seconds
FROM (
    SELECT
        arrived_at,
        CAST(DATEDIFF(MILLISECOND, arrived_at, loaded_at) AS DOUBLE PRECISION) / 1000 AS seconds
    FROM disaster.disaster_tweets
    WHERE
        arrived_at >= DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP))
        AND arrived_at < CAST(:as_of AS TIMESTAMP)
) AS delays;
