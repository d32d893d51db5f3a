-- What does somebody say of a post? Nothing where the post isn't there, or was erased.
SELECT
    r.tweet_key,
    r.reviewed_at,
    r.reviewed_by,
    r.disaster_label,
    r.relevance_label,
    r.information_type,
    r.note,
    r.told_label,
    r.told_relevance,
    r.classifier_version
FROM disaster.label_review_latest AS r
INNER JOIN disaster.tweet AS t ON r.tweet_key = t.tweet_key
WHERE r.tweet_key = :tweet AND r.reviewed_by = CAST(:caller AS VARCHAR(2048));
