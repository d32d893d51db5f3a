-- Which situations go on, and which were going on within a time? The newest first.
SELECT
    s.situation_id,
    s.kind,
    k.name,
    s.country_code,
    s.place,
    s.severity,
    s.began_at,
    s.peak_at,
    s.last_at,
    s.posts,
    s.distinct_texts,
    s.peak_posts,
    s.peak_texts,
    s.expected_texts,
    s.places,
    s.information_types,
    s.opened_at,
    s.seen_at,
    s.told_at,
    s.closed_at
FROM disaster.situation AS s
INNER JOIN disaster.disaster_kind AS k ON s.kind = k.code
WHERE
    s.closed_at IS NULL
    OR s.last_at >= CAST(:since AS TIMESTAMP)
ORDER BY CASE WHEN s.closed_at IS NULL THEN 0 ELSE 1 END ASC, s.began_at DESC, s.situation_id ASC
LIMIT 100;
