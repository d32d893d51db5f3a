-- Which kinds of words are mostly figures of speech? Tweets that name a kind without speaking of a real disaster.
SELECT
    t.disaster_label AS kind,
    COUNT(*) AS tweets,
    SUM(CASE WHEN t.relevance_label = 'not_relevant' THEN 1 ELSE 0 END) AS figurative,
    ROUND(100.0 * AVG(CASE WHEN t.relevance_label = 'not_relevant' THEN 1.0 ELSE 0.0 END), 1) AS percent_figurative
FROM disaster.tweet AS t
WHERE t.disaster_label <> 'not_disaster'
GROUP BY t.disaster_label
ORDER BY percent_figurative DESC, kind ASC;
