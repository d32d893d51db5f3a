-- What does this run tell of?
SELECT
    s.situation_id,
    s.kind,
    k.name,
    s.country_code,
    s.place,
    s.began_at,
    s.peak_at,
    s.last_at,
    s.posts,
    s.distinct_texts,
    s.peak_posts,
    s.peak_texts,
    s.expected_texts,
    s.severity,
    s.places,
    s.information_types
FROM disaster.situation AS s
INNER JOIN disaster.disaster_kind AS k ON s.kind = k.code
WHERE s.told_by = :run
ORDER BY s.distinct_texts DESC, s.situation_id ASC;
