-- How often is each kind right? What people said of its posts in the last 30 days, beside the classifier's own scores.
WITH labelled AS (
    SELECT
        t.disaster_label AS kind,
        COUNT(*) AS tweets,
        AVG(t.classifier_score) AS mean_score
    FROM disaster.tweet AS t
    WHERE
        t.disaster_label <> 'not_disaster'
        AND t.arrived_at >= DATEADD(DAY, -30, GETDATE())
    GROUP BY t.disaster_label
),

reviewed AS (
    SELECT
        r.told_label AS kind,
        COUNT(*) AS reviews,
        AVG(CASE WHEN r.disaster_label = r.told_label THEN 1.0 ELSE 0.0 END) AS precision_of_kind
    FROM disaster.reviewed_tweet AS r
    WHERE r.arrived_at >= DATEADD(DAY, -30, GETDATE())
    GROUP BY r.told_label
)

SELECT
    k.name AS kind,
    l.tweets,
    ROUND(l.mean_score, 3) AS mean_score,
    COALESCE(r.reviews, 0) AS reviews,
    ROUND(r.precision_of_kind, 3) AS precision_of_kind
FROM labelled AS l
INNER JOIN disaster.disaster_kind AS k ON l.kind = k.code
LEFT JOIN reviewed AS r ON l.kind = r.kind
ORDER BY reviews DESC, l.tweets DESC, kind ASC;
