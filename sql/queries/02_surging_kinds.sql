-- Which kinds of disaster have far more tweets in the last hour than their own past would have one expect?
SELECT
    k.name AS kind,
    s.last_hour,
    s.relevant,
    s.distinct_texts,
    ROUND(s.mean_hour, 2) AS mean_hour,
    ROUND(s.z, 1) AS z
FROM disaster.surge AS s
INNER JOIN disaster.disaster_kind AS k ON s.kind = k.code
ORDER BY s.z DESC;
