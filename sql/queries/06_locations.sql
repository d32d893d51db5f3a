-- Where do the authors of relevant tweets say they are, and what do they speak of most?
WITH locations AS (
    SELECT
        TRIM(LOWER(location)) AS author_location,
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
        author_location,
        disaster_label,
        SUM(tweets) OVER (PARTITION BY author_location) AS tweets_of_location,
        ROW_NUMBER() OVER (PARTITION BY author_location ORDER BY tweets DESC, disaster_label ASC) AS nth
    FROM locations
)

SELECT
    author_location,
    tweets_of_location AS tweets,
    disaster_label AS most_of
FROM ranked
WHERE nth = 1
ORDER BY tweets DESC, author_location ASC
LIMIT 20;
