-- How much is natural, technological or violent, in EM-DAT's groups, and how much of it is real?
SELECT
    COALESCE(k.disaster_group, 'Unknown') AS disaster_group,
    COALESCE(k.disaster_subgroup, 'Unknown') AS disaster_subgroup,
    COUNT(*) AS tweets,
    SUM(CASE WHEN t.relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant,
    ROUND(AVG(t.classifier_score), 3) AS mean_score,
    ROUND(AVG(t.relevance_score), 3) AS mean_relevance
FROM disaster.tweet AS t
INNER JOIN disaster.disaster_kind AS k ON t.disaster_label = k.code
WHERE t.disaster_label <> 'not_disaster'
GROUP BY COALESCE(k.disaster_group, 'Unknown'), COALESCE(k.disaster_subgroup, 'Unknown')
ORDER BY relevant DESC, disaster_subgroup ASC;
