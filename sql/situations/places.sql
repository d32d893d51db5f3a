-- Which places do a situation's posts speak of, the most named first?
SELECT
    place,
    country_code,
    AVG(latitude) AS latitude,
    AVG(longitude) AS longitude,
    COUNT(*) AS posts,
    COUNT(DISTINCT COALESCE(text_key, tweet_key)) AS distinct_texts
FROM disaster.tweet
WHERE
    disaster_label = :kind
    AND relevance_label = 'relevant'
    AND (:country = '*' OR country_code = :country)
    AND arrived_at >= CAST(:began AS TIMESTAMP)
    AND LEAST(created_at, arrived_at) >= CAST(:began AS TIMESTAMP)
    AND LEAST(created_at, arrived_at) < CAST(:ended AS TIMESTAMP)
    AND place IS NOT NULL
GROUP BY place, country_code
ORDER BY distinct_texts DESC, posts DESC, place ASC
LIMIT 10;
