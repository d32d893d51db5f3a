-- How many relevant posts of each kind speak of each country and place, in steps of five minutes in the recent time and
-- by the hour before; how many texts of these nobody had written before; and how many posts the stream has in all?
-- * A post counts in the step in which it was written, or arrived where its source doesn't say, however late it came.
-- * A text counts once, where it was written first; of an author only the first post of an hour has a text to count.
-- * Only what may be a situation is told: with so many texts in some recent hour.
-- * 'US' is a country, 'US/Boston' a place in it, '*' is anywhere; the kind '*' is any, at a place.
WITH post AS (
    SELECT
        disaster_label AS kind,
        COALESCE(country_code, '') AS country,
        COALESCE(place, '') AS place,
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
        country AS spot,
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
        country || '/' || place AS spot,
        country AS spoken_of,
        text_key,
        author,
        step
    FROM post
    WHERE
        counts
        AND country <> ''
        AND place <> ''
    UNION ALL
    SELECT
        '*' AS kind,
        country || '/' || place AS spot,
        country AS spoken_of,
        text_key,
        author,
        step
    FROM post
    WHERE
        counts
        AND country <> ''
        AND place <> ''
    UNION ALL
    SELECT
        kind,
        '*' AS spot,
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
        spot,
        spoken_of,
        step,
        ROW_NUMBER() OVER (PARTITION BY kind, spot, text_key ORDER BY step, author) AS nth_of_text,
        ROW_NUMBER() OVER (PARTITION BY kind, spot, author, step / 12 ORDER BY step, text_key) AS nth_of_author
    FROM placed
),

counted AS (
    SELECT
        kind,
        spot,
        CASE WHEN step >= CAST(:recent AS BIGINT) THEN step ELSE step / 12 * 12 END AS step,
        COUNT(*) AS posts,
        SUM(CASE WHEN nth_of_text = 1 AND nth_of_author = 1 THEN 1 ELSE 0 END) AS texts,
        SUM(CASE WHEN nth_of_text = 1 AND nth_of_author = 1 AND spoken_of <> '' THEN 1 ELSE 0 END) AS located
    FROM numbered
    GROUP BY kind, spot, CASE WHEN step >= CAST(:recent AS BIGINT) THEN step ELSE step / 12 * 12 END
),

-- Of two hours that follow each other one has half of what an hour across them has.
hourly AS (
    SELECT
        kind,
        spot,
        SUM(texts) AS texts
    FROM counted
    WHERE step >= CAST(:recent AS BIGINT)
    GROUP BY kind, spot, step / 12
),

told AS (
    SELECT
        kind,
        spot
    FROM hourly
    GROUP BY kind, spot
    HAVING MAX(texts) >= CAST(:least AS BIGINT)
)

SELECT
    c.kind,
    c.spot,
    c.step,
    c.posts,
    c.texts,
    c.located
FROM counted AS c
INNER JOIN told AS t ON c.kind = t.kind AND c.spot = t.spot
UNION ALL
SELECT
    '' AS kind,
    '' AS spot,
    CASE WHEN step >= CAST(:recent AS BIGINT) THEN step ELSE step / 12 * 12 END AS step,
    COUNT(*) AS posts,
    COUNT(*) AS texts,
    0 AS located
FROM post
GROUP BY CASE WHEN step >= CAST(:recent AS BIGINT) THEN step ELSE step / 12 * 12 END;
