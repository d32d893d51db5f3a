-- Which situations go on, or were over within the last 24 hours? Those that go on first, the largest first.
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
    s.closed_at,
    s.posts,
    s.distinct_texts,
    s.peak_posts,
    s.peak_texts,
    s.information_types,
    -- Of all, not only of those shown.
    SUM(CASE WHEN s.closed_at IS NULL THEN 1 ELSE 0 END) OVER () AS going_on
FROM disaster.situation AS s
INNER JOIN disaster.disaster_kind AS k ON s.kind = k.code
WHERE
    s.last_at >= DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP))
    AND s.began_at < CAST(:as_of AS TIMESTAMP)
ORDER BY CASE WHEN s.closed_at IS NULL THEN 0 ELSE 1 END ASC, s.peak_texts DESC, s.situation_id ASC
LIMIT 8;
