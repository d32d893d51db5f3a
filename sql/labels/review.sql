-- Write down what somebody says of a post, unless the last that they said is the same. A blank stands for null.
INSERT INTO disaster.label_review (
    tweet_key,
    reviewed_at,
    reviewed_by,
    disaster_label,
    relevance_label,
    information_type,
    note,
    told_label,
    told_relevance,
    classifier_version,
    request_id
)
SELECT
    t.tweet_key,
    CAST(:now AS TIMESTAMP) AS reviewed_at,
    CAST(:caller AS VARCHAR(2048)) AS reviewed_by,
    CAST(:label AS VARCHAR(32)) AS disaster_label,
    CAST(:relevance AS VARCHAR(16)) AS relevance_label,
    NULLIF(TRIM(CAST(:information AS VARCHAR(32))), '') AS information_type,
    NULLIF(TRIM(CAST(:note AS VARCHAR(4096))), '') AS note,
    t.disaster_label AS told_label,
    t.relevance_label AS told_relevance,
    t.classifier_version,
    CAST(:request AS VARCHAR(64)) AS request_id
FROM disaster.tweet AS t
LEFT JOIN disaster.label_review_latest AS r
    ON
        t.tweet_key = r.tweet_key
        AND r.reviewed_by = CAST(:caller AS VARCHAR(2048))
        AND r.disaster_label = CAST(:label AS VARCHAR(32))
        AND r.relevance_label = CAST(:relevance AS VARCHAR(16))
        AND COALESCE(r.information_type, '') = TRIM(CAST(:information AS VARCHAR(32)))
        AND COALESCE(r.note, '') = TRIM(CAST(:note AS VARCHAR(4096)))
WHERE t.tweet_key = :tweet AND r.tweet_key IS NULL;
