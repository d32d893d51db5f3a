-- How did each kind develop, day by day, by when posts were written? Replays and outages shift nothing here.
WITH daily AS (
    SELECT
        t.disaster_label AS kind,
        DATE_TRUNC('day', COALESCE(t.created_at, t.arrived_at)) AS day_written,
        COUNT(*) AS relevant
    FROM disaster.tweet AS t
    WHERE
        t.relevance_label = 'relevant'
        AND t.disaster_label <> 'not_disaster'
        AND t.arrived_at >= DATEADD(DAY, -30, GETDATE())
    GROUP BY t.disaster_label, DATE_TRUNC('day', COALESCE(t.created_at, t.arrived_at))
)

SELECT
    k.name AS kind,
    d.day_written,
    d.relevant,
    d.relevant - LAG(d.relevant, 1) OVER (PARTITION BY d.kind ORDER BY d.day_written) AS change,
    SUM(d.relevant) OVER (PARTITION BY d.kind ORDER BY d.day_written ROWS UNBOUNDED PRECEDING) AS relevant_so_far
FROM daily AS d
INNER JOIN disaster.disaster_kind AS k ON d.kind = k.code
ORDER BY kind ASC, d.day_written ASC;
