-- Is everything there? Tweets in the files of the last 24 hours, and of these in the warehouse; what needs a person.
SELECT
    COALESCE(SUM(h.tweets), 0) AS tweets,
    COALESCE(SUM(h.loaded), 0) AS loaded,
    COALESCE(SUM(h.waiting), 0) AS waiting,
    COALESCE(SUM(h.troubled_files), 0) AS troubled_files,
    (
        SELECT COUNT(*)
        FROM disaster.finding_status AS f
        WHERE f.status = 'outstanding'
    ) AS outstanding
FROM disaster.tweet_hour AS h
WHERE
    h.hour >= DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP))
    AND h.hour < CAST(:as_of AS TIMESTAMP);
