-- A new situation, once: `keep` then says the rest of it.
INSERT INTO disaster.situation (
    situation_id,
    kind,
    began_at,
    peak_at,
    last_at,
    posts,
    distinct_texts,
    peak_posts,
    peak_texts,
    expected_texts,
    severity,
    opened_at,
    opened_by,
    seen_at
)
SELECT
    CAST(:situation AS VARCHAR(32)) AS situation_id,
    CAST(:kind AS VARCHAR(32)) AS kind,
    CAST(:began AS TIMESTAMP) AS began_at,
    CAST(:peak AS TIMESTAMP) AS peak_at,
    CAST(:ended AS TIMESTAMP) AS last_at,
    0 AS posts,
    0 AS distinct_texts,
    0 AS peak_posts,
    0 AS peak_texts,
    0 AS expected_texts,
    CAST(:severity AS VARCHAR(16)) AS severity,
    CAST(:now AS TIMESTAMP) AS opened_at,
    CAST(:run AS VARCHAR(32)) AS opened_by,
    CAST(:now AS TIMESTAMP) AS seen_at
FROM (
    SELECT COUNT(*) AS known
    FROM disaster.situation
    WHERE situation_id = :situation
) AS s
WHERE s.known = 0;
