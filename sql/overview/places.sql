-- Of which places do the relevant posts of the last 24 hours speak most?
SELECT
    t.place,
    t.country_code,
    AVG(t.latitude) AS latitude,
    AVG(t.longitude) AS longitude,
    COUNT(*) AS posts,
    COUNT(DISTINCT COALESCE(t.text_key, t.tweet_key)) AS distinct_texts
FROM disaster.tweet AS t
WHERE
    t.relevance_label = 'relevant'
    AND t.place IS NOT NULL
    AND t.latitude IS NOT NULL
    AND t.longitude IS NOT NULL
    AND t.arrived_at >= DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP))
    AND t.arrived_at < CAST(:as_of AS TIMESTAMP)
GROUP BY t.place, t.country_code, ROUND(t.latitude), ROUND(t.longitude)
ORDER BY posts DESC, distinct_texts DESC, t.place ASC, t.country_code ASC, latitude ASC, longitude ASC
LIMIT 100;
