-- A situation as it is now; what was told of it, and when it was opened, stays.
-- A parameter can't be null: '-' stands for that.
UPDATE disaster.situation
SET
    kind = :kind,
    country_code = NULLIF(CAST(:country AS VARCHAR(2)), '*'),
    place = NULLIF(CAST(:place AS VARCHAR(256)), '-'),
    began_at = CAST(:began AS TIMESTAMP),
    peak_at = CAST(:peak AS TIMESTAMP),
    last_at = CAST(:ended AS TIMESTAMP),
    posts = CAST(:posts AS BIGINT),
    distinct_texts = CAST(:texts AS BIGINT),
    peak_posts = CAST(:peak_posts AS BIGINT),
    peak_texts = CAST(:peak_texts AS BIGINT),
    expected_texts = CAST(:expected AS DOUBLE PRECISION),
    severity = :severity,
    places = JSON_PARSE(:places),
    information_types = JSON_PARSE(:types),
    seen_at = CAST(:now AS TIMESTAMP),
    closed_at = CAST(NULLIF(CAST(:closed AS VARCHAR(32)), '-') AS TIMESTAMP)
WHERE situation_id = :situation;
