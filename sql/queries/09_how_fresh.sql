-- How soon after it was sent can a tweet be queried, and is anything missing? The last day, by hour of arrival.
SELECT
    f.hour,
    f.loaded_rows,
    ROUND(f.median_seconds, 1) AS median_seconds,
    ROUND(f.p99_seconds, 1) AS p99_seconds,
    h.state,
    h.not_loaded
FROM disaster.freshness AS f
LEFT JOIN disaster.load_health AS h ON f.hour = h.hour
WHERE f.hour >= DATEADD(DAY, -1, GETDATE())
ORDER BY f.hour DESC;
