-- What is happening today? Tweets that speak of a real disaster, by kind, beside the day before.
SELECT
    k.name AS kind,
    SUM(CASE WHEN t.arrived_at >= DATEADD(DAY, -1, GETDATE()) THEN 1 ELSE 0 END) AS last_24_hours,
    SUM(CASE WHEN t.arrived_at < DATEADD(DAY, -1, GETDATE()) THEN 1 ELSE 0 END) AS the_24_before
FROM disaster.tweet AS t
INNER JOIN disaster.disaster_kind AS k ON t.disaster_label = k.code
WHERE
    t.relevance_label = 'relevant'
    AND t.disaster_label <> 'not_disaster'
    AND t.arrived_at >= DATEADD(DAY, -2, GETDATE())
GROUP BY k.name
ORDER BY last_24_hours DESC, kind ASC;
