-- Where do the authors of relevant tweets say they are, and what do they speak of most?
WITH places AS (
    SELECT
        TRIM(LOWER(location)) AS place,
        disaster_label,
        COUNT(*) AS tweets
    FROM disaster.tweet
    WHERE
        relevance_label = 'relevant'
        AND location IS NOT NULL
        AND TRIM(location) <> ''
    GROUP BY TRIM(LOWER(location)), disaster_label
),

ranked AS (
    SELECT
        place,
        disaster_label,
        SUM(tweets) OVER (PARTITION BY place) AS tweets_of_place,
        ROW_NUMBER() OVER (PARTITION BY place ORDER BY tweets DESC, disaster_label ASC) AS nth
    FROM places
)

SELECT
    place,
    tweets_of_place AS tweets,
    disaster_label AS most_of
FROM ranked
WHERE nth = 1
ORDER BY tweets DESC, place ASC
LIMIT 20;
