-- Which places do relevant posts of each kind speak of? The five named most in the last week.
WITH places AS (
    SELECT
        t.disaster_label AS kind,
        t.place,
        t.country_code,
        AVG(t.latitude) AS latitude,
        AVG(t.longitude) AS longitude,
        COUNT(*) AS tweets,
        COUNT(DISTINCT COALESCE(t.text_key, t.tweet_key)) AS distinct_texts
    FROM disaster.tweet AS t
    WHERE
        t.relevance_label = 'relevant'
        AND t.disaster_label <> 'not_disaster'
        AND t.place IS NOT NULL
        AND t.arrived_at >= DATEADD(DAY, -7, GETDATE())
    GROUP BY t.disaster_label, t.place, t.country_code, ROUND(t.latitude), ROUND(t.longitude)
),

ranked AS (
    SELECT
        p.*,
        ROW_NUMBER() OVER (
            PARTITION BY p.kind
            ORDER BY p.distinct_texts DESC, p.tweets DESC, p.place ASC, p.country_code ASC, p.latitude ASC
        ) AS nth
    FROM places AS p
)

SELECT
    k.name AS kind,
    r.nth,
    r.place,
    r.country_code,
    r.latitude,
    r.longitude,
    r.tweets,
    r.distinct_texts
FROM ranked AS r
INNER JOIN disaster.disaster_kind AS k ON r.kind = k.code
WHERE r.nth <= 5
ORDER BY kind ASC, r.nth ASC;
