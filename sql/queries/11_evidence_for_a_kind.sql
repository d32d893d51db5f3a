-- Which posts show the floods of the last week best? Each text once, the surest first. (Another kind: change one word.)
WITH texts AS (
    SELECT
        t.original_text,
        t.place,
        t.classifier_score,
        t.arrived_at,
        t.s3_key,
        t.s3_line,
        COUNT(*) OVER (PARTITION BY COALESCE(t.text_key, t.tweet_key)) AS tweets_that_say_it,
        ROW_NUMBER() OVER (
            PARTITION BY COALESCE(t.text_key, t.tweet_key)
            ORDER BY t.classifier_score DESC, t.arrived_at ASC, t.tweet_key ASC
        ) AS nth
    FROM disaster.tweet AS t
    WHERE
        t.disaster_label = 'flood'
        AND t.relevance_label = 'relevant'
        AND t.arrived_at >= DATEADD(DAY, -7, GETDATE())
)

SELECT
    original_text,
    place,
    ROUND(classifier_score, 3) AS score,
    tweets_that_say_it,
    arrived_at,
    s3_key,
    s3_line
FROM texts
WHERE nth = 1
ORDER BY classifier_score DESC, tweets_that_say_it DESC, s3_key ASC, s3_line ASC
LIMIT 20;
