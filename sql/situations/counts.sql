-- How many relevant posts of each kind speak of each country, in steps of five minutes in the recent time and by the
-- hour before; how many texts of these nobody had written before; and how many posts the stream has in all?
-- * A post counts in the step in which it was written, or arrived where its source doesn't say, however late it came.
-- * A text counts once, where it was written first; of an author only the first post of an hour has a text to count.
-- * Only what may be a situation is told: with so many texts in some recent hour. The country '*' is anywhere.
WITH post AS (
    SELECT
        disaster_label AS kind,
        COALESCE(country_code, '') AS country,
        relevance_label = 'relevant' AND disaster_label <> 'not_disaster' AS counts,
        COALESCE(text_key, tweet_key) AS text_key,
        COALESCE(user_id, tweet_key) AS author,
        DATEDIFF(SECOND, CAST('1970-01-01' AS TIMESTAMP), LEAST(created_at, arrived_at)) / 300 AS step
    FROM disaster.tweet
    WHERE
        arrived_at >= CAST(:since AS TIMESTAMP)
        AND arrived_at < CAST(:until AS TIMESTAMP)
        AND LEAST(created_at, arrived_at) >= CAST(:since AS TIMESTAMP)
),

placed AS (
    SELECT
        kind,
        country,
        country AS spoken_of,
        text_key,
        author,
        step
    FROM post
    WHERE
        counts
        AND country <> ''
    UNION ALL
    SELECT
        kind,
        '*' AS country,
        country AS spoken_of,
        text_key,
        author,
        step
    FROM post
    WHERE counts
),

numbered AS (
    SELECT
        kind,
        country,
        spoken_of,
        step,
        ROW_NUMBER() OVER (PARTITION BY kind, country, text_key ORDER BY step, author) AS nth_of_text,
        ROW_NUMBER() OVER (PARTITION BY kind, country, author, step / 12 ORDER BY step, text_key) AS nth_of_author
    FROM placed
),

counted AS (
    SELECT
        kind,
        country,
        CASE WHEN step >= CAST(:recent AS BIGINT) THEN step ELSE step / 12 * 12 END AS step,
        COUNT(*) AS posts,
        SUM(CASE WHEN nth_of_text = 1 AND nth_of_author = 1 THEN 1 ELSE 0 END) AS texts,
        SUM(CASE WHEN nth_of_text = 1 AND nth_of_author = 1 AND spoken_of <> '' THEN 1 ELSE 0 END) AS located
    FROM numbered
    GROUP BY kind, country, CASE WHEN step >= CAST(:recent AS BIGINT) THEN step ELSE step / 12 * 12 END
),

-- Of two hours that follow each other one has half of what an hour across them has.
hourly AS (
    SELECT
        kind,
        country,
        SUM(texts) AS texts
    FROM counted
    WHERE step >= CAST(:recent AS BIGINT)
    GROUP BY kind, country, step / 12
),

told AS (
    SELECT
        kind,
        country
    FROM hourly
    GROUP BY kind, country
    HAVING MAX(texts) >= CAST(:least AS BIGINT)
)

SELECT
    c.kind,
    c.country,
    c.step,
    c.posts,
    c.texts,
    c.located
FROM counted AS c
INNER JOIN told AS t ON c.kind = t.kind AND c.country = t.country
UNION ALL
SELECT
    '' AS kind,
    '' AS country,
    CASE WHEN step >= CAST(:recent AS BIGINT) THEN step ELSE step / 12 * 12 END AS step,
    COUNT(*) AS posts,
    COUNT(*) AS texts,
    0 AS located
FROM post
GROUP BY CASE WHEN step >= CAST(:recent AS BIGINT) THEN step ELSE step / 12 * 12 END;
