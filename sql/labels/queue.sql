-- From which posts of the last week could most be learnt? Those whose relevance is in doubt, and those whose keywords
-- name another kind than their label. Of each text one, none that was reviewed, and kinds in turn.
WITH other_kind AS (
    SELECT DISTINCT w.tweet_key
    FROM disaster.tweet_keyword AS w
    WHERE
        w.theme <> w.disaster_label
        AND w.arrived_at >= DATEADD(DAY, -7, CAST(:now AS TIMESTAMP))
),

reviewed AS (
    SELECT DISTINCT COALESCE(t.text_key, t.tweet_key) AS text_key
    FROM disaster.label_review AS r
    INNER JOIN disaster.tweet AS t ON r.tweet_key = t.tweet_key
    WHERE t.arrived_at >= DATEADD(DAY, -7, CAST(:now AS TIMESTAMP))
),

candidate AS (
    SELECT
        t.tweet_key,
        t.original_text,
        t.lang,
        t.disaster_label,
        t.relevance_label,
        t.relevance_score,
        t.information_type,
        t.arrived_at,
        t.s3_key,
        t.s3_line,
        CASE WHEN o.tweet_key IS NULL THEN 'relevance_in_doubt' ELSE 'kinds_disagree' END AS why,
        ABS(t.relevance_score - 0.5) AS distance,
        ROW_NUMBER() OVER (PARTITION BY COALESCE(t.text_key, t.tweet_key) ORDER BY t.tweet_key) AS nth_of_text
    FROM disaster.tweet AS t
    LEFT JOIN other_kind AS o ON t.tweet_key = o.tweet_key
    LEFT JOIN reviewed AS r ON COALESCE(t.text_key, t.tweet_key) = r.text_key
    WHERE
        t.arrived_at >= DATEADD(DAY, -7, CAST(:now AS TIMESTAMP))
        AND t.arrived_at < CAST(:now AS TIMESTAMP)
        AND r.text_key IS NULL
),

ranked AS (
    SELECT
        c.*,
        ROW_NUMBER() OVER (PARTITION BY c.disaster_label, c.why ORDER BY c.distance, c.tweet_key) AS turn
    FROM candidate AS c
    WHERE c.nth_of_text = 1
)

SELECT
    tweet_key,
    LEFT(original_text, 1000) AS text,
    lang,
    disaster_label,
    relevance_label,
    relevance_score,
    information_type,
    why,
    arrived_at,
    s3_key,
    s3_line
FROM ranked
ORDER BY turn ASC, distance ASC, tweet_key ASC
LIMIT 20;
