-- What do relevant posts tell in the last 24 hours, and in the 24 before?
SELECT
    t.information_type,
    SUM(CASE WHEN t.arrived_at >= DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP)) THEN 1 ELSE 0 END) AS posts,
    COUNT(DISTINCT CASE
        WHEN t.arrived_at >= DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP)) THEN COALESCE(t.text_key, t.tweet_key)
    END) AS distinct_texts,
    SUM(CASE WHEN t.arrived_at < DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP)) THEN 1 ELSE 0 END) AS posts_before,
    COUNT(DISTINCT CASE
        WHEN t.arrived_at < DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP)) THEN COALESCE(t.text_key, t.tweet_key)
    END) AS distinct_texts_before
FROM disaster.tweet AS t
WHERE
    t.relevance_label = 'relevant'
    AND t.information_type IS NOT NULL
    AND t.arrived_at >= DATEADD(HOUR, -48, CAST(:as_of AS TIMESTAMP))
    AND t.arrived_at < CAST(:as_of AS TIMESTAMP)
GROUP BY t.information_type
ORDER BY posts DESC, posts_before DESC, t.information_type ASC;
