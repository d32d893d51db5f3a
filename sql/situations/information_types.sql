-- What do a situation's posts tell?
SELECT
    information_type,
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
    AND information_type IS NOT NULL
GROUP BY information_type
ORDER BY distinct_texts DESC, information_type ASC;
