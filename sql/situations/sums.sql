-- How many posts belong to a situation, and how many texts?
SELECT
    COUNT(*) AS posts,
    COUNT(DISTINCT COALESCE(text_key, tweet_key)) AS distinct_texts
FROM disaster.tweet
WHERE
    disaster_label = :kind
    AND relevance_label = 'relevant'
    AND (:country = '*' OR country_code = :country)
    AND arrived_at >= CAST(:began AS TIMESTAMP)
    AND LEAST(created_at, arrived_at) >= CAST(:began AS TIMESTAMP)
    AND LEAST(created_at, arrived_at) < CAST(:ended AS TIMESTAMP);
