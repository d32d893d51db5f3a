-- Which kinds of disaster do relevant posts speak of in the last 24 hours, and in the 24 before?
SELECT
    k.code AS kind,
    k.name,
    SUM(CASE WHEN t.arrived_at >= DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP)) THEN 1 ELSE 0 END) AS posts,
    COUNT(DISTINCT CASE
        WHEN t.arrived_at >= DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP)) THEN COALESCE(t.text_key, t.tweet_key)
    END) AS distinct_texts,
    SUM(CASE WHEN t.arrived_at < DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP)) THEN 1 ELSE 0 END) AS posts_before,
    COUNT(DISTINCT CASE
        WHEN t.arrived_at < DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP)) THEN COALESCE(t.text_key, t.tweet_key)
    END) AS distinct_texts_before
FROM disaster.tweet AS t
INNER JOIN disaster.disaster_kind AS k ON t.disaster_label = k.code
WHERE
    t.relevance_label = 'relevant'
    AND t.disaster_label <> 'not_disaster'
    AND t.arrived_at >= DATEADD(HOUR, -48, CAST(:as_of AS TIMESTAMP))
    AND t.arrived_at < CAST(:as_of AS TIMESTAMP)
GROUP BY k.code, k.name
ORDER BY posts DESC, posts_before DESC, kind ASC;
