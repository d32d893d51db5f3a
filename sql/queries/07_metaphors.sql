-- Which kinds of words are mostly figures of speech? Tweets that name a kind without speaking of a real disaster.
SELECT
    t.disaster_label AS kind,
    COUNT(*) AS tweets,
    SUM(CASE WHEN t.relevance_label = 'not_relevant' THEN 1 ELSE 0 END) AS figurative,
    ROUND(
        100.0 * SUM(CASE WHEN t.relevance_label = 'not_relevant' THEN 1 ELSE 0 END) / COUNT(*), 1
    ) AS percent_figurative
FROM disaster.tweet AS t
WHERE t.disaster_label NOT IN ('not_disaster', 'unspecified') -- neither names a kind
GROUP BY t.disaster_label
HAVING COUNT(*) >= 20 -- of fewer a percentage says little
ORDER BY percent_figurative DESC, kind ASC;
