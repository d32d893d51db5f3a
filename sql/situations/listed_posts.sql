-- Which posts show them best?
SELECT
    e.situation_id,
    e.nth,
    e.posts,
    e.tweet_key,
    e.tweet_id,
    e.original_text,
    e.source,
    e.lang,
    e.written_at,
    e.s3_key,
    e.s3_line
FROM disaster.situation_example AS e
INNER JOIN disaster.situation AS s ON e.situation_id = s.situation_id
WHERE
    e.arrived_at >= (
        SELECT MIN(k.began_at)
        FROM disaster.situation AS k
        WHERE
            k.closed_at IS NULL
            OR k.last_at >= CAST(:since AS TIMESTAMP)
    )
    AND (s.closed_at IS NULL OR s.last_at >= CAST(:since AS TIMESTAMP))
ORDER BY e.situation_id ASC, e.nth ASC
LIMIT 1000;
