-- Which ten posts show a situation best? Of each text the first post; those texts first that most posts share and that
-- are most surely about a real disaster of this kind.
INSERT INTO disaster.situation_post (situation_id, nth, tweet_key, posts)
SELECT
    CAST(:situation AS VARCHAR(32)) AS situation_id,
    ROW_NUMBER() OVER (ORDER BY b.worth DESC, b.tweet_key ASC) AS nth,
    b.tweet_key,
    b.posts
FROM (
    SELECT
        n.tweet_key,
        n.posts,
        n.sure * (1 + LN(n.posts)) AS worth
    FROM (
        SELECT
            tweet_key,
            relevance_score * classifier_score AS sure,
            COUNT(*) OVER (PARTITION BY COALESCE(text_key, tweet_key)) AS posts,
            ROW_NUMBER() OVER (
                PARTITION BY COALESCE(text_key, tweet_key) ORDER BY LEAST(created_at, arrived_at), tweet_key
            ) AS nth
        FROM disaster.tweet
        WHERE
            disaster_label = :kind
            AND relevance_label = 'relevant'
            AND (:country = '*' OR country_code = :country)
            AND arrived_at >= CAST(:began AS TIMESTAMP)
            AND LEAST(created_at, arrived_at) >= CAST(:began AS TIMESTAMP)
            AND LEAST(created_at, arrived_at) < CAST(:ended AS TIMESTAMP)
    ) AS n
    WHERE n.nth = 1
    ORDER BY worth DESC, n.tweet_key ASC
    LIMIT 10
) AS b;
