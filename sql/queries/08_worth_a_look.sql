-- Which tweets should a person look at? Those the classifier was least sure of; labelled, they teach the next version.
SELECT
    t.tweet_key,
    t.disaster_label,
    ROUND(t.classifier_score, 3) AS score,
    ROUND(t.relevance_score, 3) AS relevance,
    t.original_text
FROM disaster.tweet AS t
WHERE
    ABS(t.relevance_score - 0.5) < 0.05
    OR (t.classifier_score < 0.5 AND t.disaster_label <> 'not_disaster')
ORDER BY ABS(t.relevance_score - 0.5) ASC, t.tweet_key ASC
LIMIT 50;
