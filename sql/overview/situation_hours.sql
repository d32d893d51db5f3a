-- How many posts of each situation's kind and country were written in each of the last 48 hours?
SELECT
    s.situation_id,
    DATE_TRUNC('hour', LEAST(t.created_at, t.arrived_at)) AS hour,
    COUNT(*) AS posts,
    COUNT(DISTINCT COALESCE(t.text_key, t.tweet_key)) AS distinct_texts
FROM disaster.situation AS s
INNER JOIN disaster.tweet AS t
    ON s.kind = t.disaster_label AND (s.country_code IS NULL OR s.country_code = t.country_code)
WHERE
    s.last_at >= DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP))
    AND s.began_at < CAST(:as_of AS TIMESTAMP)
    AND t.relevance_label = 'relevant'
    AND t.arrived_at >= DATEADD(HOUR, -48, CAST(:as_of AS TIMESTAMP))
    AND t.arrived_at < CAST(:as_of AS TIMESTAMP)
    AND LEAST(t.created_at, t.arrived_at) >= DATEADD(HOUR, -48, CAST(:as_of AS TIMESTAMP))
GROUP BY s.situation_id, DATE_TRUNC('hour', LEAST(t.created_at, t.arrived_at))
ORDER BY s.situation_id, hour;
