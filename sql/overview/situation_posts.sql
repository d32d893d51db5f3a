-- Which three posts show each situation best, and in which file and line are they?
SELECT
    e.situation_id,
    e.nth,
    e.posts,
    e.tweet_key,
    e.source,
    e.lang,
    e.written_at,
    e.s3_key,
    e.s3_line
FROM disaster.situation_example AS e
INNER JOIN disaster.situation AS s ON e.situation_id = s.situation_id
WHERE
    s.last_at >= DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP))
    AND s.began_at < CAST(:as_of AS TIMESTAMP)
    AND e.nth <= 3
    AND e.arrived_at >= DATEADD(DAY, -7, CAST(:as_of AS TIMESTAMP))
    AND e.arrived_at < CAST(:as_of AS TIMESTAMP)
ORDER BY e.situation_id, e.nth;
