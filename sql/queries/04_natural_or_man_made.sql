-- How much is natural, technological or violent, in EM-DAT's groups, and how sure was the classifier?
SELECT
    COALESCE(k.disaster_group, 'None') AS disaster_group,
    COALESCE(k.disaster_subgroup, 'None') AS disaster_subgroup,
    COUNT(*) AS tweets,
    ROUND(AVG(t.classifier_score), 3) AS mean_score,
    ROUND(AVG(t.relevance_score), 3) AS mean_relevance
FROM disaster.tweet AS t
INNER JOIN disaster.disaster_kind AS k ON t.disaster_label = k.code
GROUP BY COALESCE(k.disaster_group, 'None'), COALESCE(k.disaster_subgroup, 'None')
ORDER BY tweets DESC, disaster_subgroup ASC;
