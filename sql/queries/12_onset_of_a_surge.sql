-- When did a kind begin to surge in the last week? The first hour far above the 24 before it, and how high it went.
-- Of the stream's first day it says nothing: there are no 24 hours before.
WITH hourly AS (
    SELECT
        t.disaster_label AS kind,
        DATE_TRUNC('hour', COALESCE(t.created_at, t.arrived_at)) AS hour,
        COUNT(*) AS relevant
    FROM disaster.tweet AS t
    WHERE
        t.relevance_label = 'relevant'
        AND t.disaster_label <> 'not_disaster'
        AND t.arrived_at >= DATEADD(DAY, -8, GETDATE())
    GROUP BY t.disaster_label, DATE_TRUNC('hour', COALESCE(t.created_at, t.arrived_at))
),

began AS (
    SELECT MIN(hour) AS hour FROM hourly
),

compared AS (
    SELECT
        h.kind,
        h.hour,
        h.relevant,
        COALESCE(SUM(b.relevant), 0) / 24.0 AS mean_hour_before
    FROM hourly AS h
    INNER JOIN began AS s ON h.hour >= DATEADD(HOUR, 24, s.hour)
    LEFT JOIN hourly AS b ON h.kind = b.kind AND h.hour > b.hour AND h.hour <= DATEADD(HOUR, 24, b.hour)
    WHERE h.hour >= DATEADD(DAY, -7, GETDATE())
    GROUP BY h.kind, h.hour, h.relevant
)

SELECT
    k.name AS kind,
    MIN(c.hour) AS onset,
    MAX(c.relevant) AS peak,
    COUNT(*) AS hours_above
FROM compared AS c
INNER JOIN disaster.disaster_kind AS k ON c.kind = k.code
WHERE c.relevant >= 20 AND c.relevant > c.mean_hour_before + 3 * SQRT(c.mean_hour_before + 1)
GROUP BY k.name
ORDER BY onset ASC, kind ASC;
