-- How did the floods of the last week unfold, hour by hour? (Another kind: change the one word.)
WITH hourly AS (
    SELECT
        DATE_TRUNC('hour', t.arrived_at) AS hour,
        SUM(CASE WHEN t.relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant
    FROM disaster.tweet AS t
    WHERE
        t.disaster_label = 'flood'
        AND t.arrived_at >= DATEADD(DAY, -7, GETDATE())
    GROUP BY DATE_TRUNC('hour', t.arrived_at)
)

SELECT
    h.hour,
    h.relevant,
    SUM(h.relevant) OVER (ORDER BY h.hour ROWS UNBOUNDED PRECEDING) AS relevant_so_far
FROM hourly AS h
ORDER BY h.hour;
